"""A fork begins with the first journal entries of another session."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookline_service.model.calls import MOST_SUBSCRIPTIONS, SessionFork, Subscribe
from hookline_service.model.errors import (
    EventNotFoundError,
    SessionNotFoundError,
    SourceNotFoundError,
    TooManySubscriptionsError,
)
from hookline_service.model.ids import SessionId, SubscriptionId
from hookline_service.model.projects import Release
from hookline_service.model.sessions import LogKind, Session
from hookline_service.storage.protocols import Store
from tests.builders.events import an_event
from tests.builders.projects import a_definition, a_release
from tests.builders.sessions import a_session, an_entry


@pytest.fixture
async def release(store: Store) -> Release:
    release = a_release(definitions=[a_definition(name="incoming")])
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

    await store.fork_session(SessionFork(session=fork, source=source.id, count=count))

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

    await store.fork_session(SessionFork(session=fork, source=source.id, count=1_201))

    assert await store.count_entries(fork.id) == 1_201
    assert await store.last_seq(fork.id) == 1_201


async def test_copies_can_be_sealed_anew(store: Store, release: Release, source: Session) -> None:
    await store.append([an_entry(source.id, 1, encoding="sealed:json", value=b"for source")], [])
    fork = a_session(release)

    await store.fork_session(
        SessionFork(
            session=fork,
            source=source.id,
            count=1,
            reseal=lambda encoding, value: (encoding.upper(), value + b", for fork"),
        )
    )

    (copy,) = await store.list_entries(fork.id, 0, 10)
    assert (copy.encoding, copy.value) == ("SEALED:JSON", b"for source, for fork")


async def test_a_fork_lives_on_without_its_source(
    store: Store, release: Release, source: Session
) -> None:
    await store.append([an_entry(source.id, 1)], [])
    fork = a_session(release, forked_from=source.id)
    await store.fork_session(SessionFork(session=fork, source=source.id, count=1))

    await store.append([an_entry(fork.id, 2)], [])

    assert await store.count_entries(fork.id) == 2
    assert await store.count_entries(source.id) == 1


async def test_a_fork_of_nothing_is_refused(store: Store, release: Release) -> None:
    fork = a_session(release)

    with pytest.raises(SessionNotFoundError):
        await store.fork_session(SessionFork(session=fork, source=SessionId("ses_none"), count=1))

    with pytest.raises(SessionNotFoundError):
        await store.get_session(fork.id)


def a_subscribe(number: int, source: str) -> Subscribe:
    return Subscribe(id=SubscriptionId(f"sub_{number:04}"), source=source, filter="data.x > 1")


async def test_a_fork_comes_with_its_subscriptions_its_event_and_its_note(
    store: Store, release: Release, source: Session
) -> None:
    await store.append([an_entry(source.id, 4)], [])
    trigger = release.triggers[0]
    event = an_event(release)
    fork = a_session(release, forked_from=source.id, event_id=event.id)
    wanted = a_subscribe(1, trigger.definition.name)

    begun = await store.fork_session(
        SessionFork(
            session=fork,
            source=source.id,
            count=1,
            subscriptions=[wanted],
            event=event,
            note="forked",
        )
    )

    assert begun == await store.list_subscriptions(None, 10)
    (subscription,) = begun
    assert (subscription.id, subscription.session_id) == (wanted.id, fork.id)
    assert (subscription.source, subscription.filter) == (f"trigger:{trigger.id}", wanted.filter)
    assert await store.get_event(event.id) == event
    (record,) = await store.list_log(fork.id, 0, 10)
    assert (record.seq, record.kind, record.text) == (5, LogKind.STATE, "forked")


@pytest.mark.parametrize(
    ("subscriptions", "refusal"),
    [
        ([("incoming", 1), ("gone", 2)], SourceNotFoundError),
        ([("incoming", n) for n in range(MOST_SUBSCRIPTIONS + 1)], TooManySubscriptionsError),
    ],
    ids=["source gone", "too many"],
)
async def test_a_fork_whose_subscription_is_refused_leaves_nothing(
    store: Store,
    release: Release,
    source: Session,
    subscriptions: list[tuple[str, int]],
    refusal: type[Exception],
) -> None:
    event = an_event(release)
    fork = a_session(release, event_id=event.id)
    wanted = [a_subscribe(number, name) for name, number in subscriptions]

    with pytest.raises(refusal):
        await store.fork_session(
            SessionFork(session=fork, source=source.id, count=0, subscriptions=wanted, event=event)
        )

    assert await store.list_subscriptions(None, 10) == []
    with pytest.raises(SessionNotFoundError):
        await store.get_session(fork.id)
    with pytest.raises(EventNotFoundError):
        await store.get_event(event.id)
