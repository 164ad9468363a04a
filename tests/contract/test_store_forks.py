"""A fork begins with the first journal entries of another session."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookline_service.model.errors import SessionNotFoundError
from hookline_service.model.ids import SessionId
from hookline_service.model.projects import Release
from hookline_service.model.sessions import Session
from hookline_service.storage.protocols import Store
from tests.builders.projects import a_release
from tests.builders.sessions import a_session, an_entry


@pytest.fixture
async def release(store: Store) -> Release:
    release = a_release()
    await store.apply_release(release)
    return release


@pytest.fixture
async def source(store: Store, release: Release) -> Session:
    source = a_session(release)
    await store.add_sessions([source])
    return source


@pytest.mark.parametrize("count", [0, 1, 3, 99])
async def test_a_fork_has_copies_of_the_first_entries(
    store: Store, release: Release, source: Session, count: int
) -> None:
    entries = [an_entry(source.id, seq) for seq in (2, 5, 3, 9)]
    await store.append(entries, [])
    fork = a_session(release, forked_from=source.id)

    await store.fork_session(fork, source.id, count)

    expected = [replace(each, session_id=fork.id) for each in sorted(entries, key=seq_of)[:count]]
    assert await store.get_session(fork.id) == fork
    assert await store.list_entries(fork.id, 0, 100) == expected
    assert await store.count_entries(source.id) == 4


def seq_of(entry: object) -> int:
    return getattr(entry, "seq", 0)


async def test_a_long_journal_is_copied_whole(
    store: Store, release: Release, source: Session
) -> None:
    await store.append([an_entry(source.id, seq) for seq in range(1, 1_203)], [])
    fork = a_session(release)

    await store.fork_session(fork, source.id, 1_201)

    assert await store.count_entries(fork.id) == 1_201
    assert await store.last_seq(fork.id) == 1_201


async def test_copies_can_be_sealed_anew(store: Store, release: Release, source: Session) -> None:
    await store.append([an_entry(source.id, 1, encoding="sealed:json", value=b"for source")], [])
    fork = a_session(release)

    await store.fork_session(
        fork, source.id, 1, lambda encoding, value: (encoding.upper(), value + b", for fork")
    )

    (copy,) = await store.list_entries(fork.id, 0, 10)
    assert (copy.encoding, copy.value) == ("SEALED:JSON", b"for source, for fork")


async def test_a_fork_lives_on_without_its_source(
    store: Store, release: Release, source: Session
) -> None:
    await store.append([an_entry(source.id, 1)], [])
    fork = a_session(release, forked_from=source.id)
    await store.fork_session(fork, source.id, 1)

    await store.append([an_entry(fork.id, 2)], [])

    assert await store.count_entries(fork.id) == 2
    assert await store.count_entries(source.id) == 1


async def test_a_fork_of_nothing_is_refused(store: Store, release: Release) -> None:
    fork = a_session(release)

    with pytest.raises(SessionNotFoundError):
        await store.fork_session(fork, SessionId("ses_none"), 1)

    with pytest.raises(SessionNotFoundError):
        await store.get_session(fork.id)
