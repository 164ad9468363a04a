from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from hookline_service.model.errors import SessionNotFoundError
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import EntryKind, LogKind, Session, SessionState
from hookline_service.storage.protocols import Store
from tests.builders.moments import after
from tests.builders.projects import a_release
from tests.builders.sessions import a_change, a_record, a_session, an_entry


@pytest.fixture
async def session(store: Store) -> Session:
    release = a_release()
    await store.apply_release(release)
    session = a_session(release)
    await store.add_sessions([session])
    return session


async def test_an_entry_comes_back_as_it_was(store: Store, session: Session) -> None:
    entry = an_entry(
        session.id,
        1,
        branch="main/fetch#2",
        kind=EntryKind.SLEEP,
        ok=False,
        is_volatile=True,
        encoding="pickle",
        value=b"\x80\x04N.",
        started_at=after(0.000001),
        ended_at=after(2),
        wake_at=after(3600),
    )

    await store.append([entry], [])

    assert await store.list_entries(session.id, 0, 10) == [entry]


async def test_a_record_comes_back_as_it_was(store: Store, session: Session) -> None:
    record = a_record(
        session.id, 1, kind=LogKind.LOG, level="WARNING", text="naïve ☃\nsecond line", attempt=4
    )

    await store.append([], [record])

    assert await store.list_log(session.id, 0, 10) == [record]


async def test_appending_the_same_twice_changes_nothing(store: Store, session: Session) -> None:
    entry, record = an_entry(session.id, 1), a_record(session.id, 2)
    await store.append([entry], [record])

    await store.append(
        [replace(entry, seq=3, value=b"9"), replace(entry, index=7, value=b"9")],
        [replace(record, text="other")],
    )

    assert await store.list_entries(session.id, 0, 10) == [entry]
    assert await store.list_log(session.id, 0, 10) == [record]


async def test_entries_of_different_branches_share_positions(
    store: Store, session: Session
) -> None:
    entries = [an_entry(session.id, seq, branch=f"task{seq}", index=0) for seq in (1, 2)]

    await store.append(entries, [])

    assert await store.list_entries(session.id, 0, 10) == entries


async def test_an_append_is_all_or_nothing(store: Store, session: Session) -> None:
    lost = an_entry(SessionId("ses_nowhere"), 1)

    with pytest.raises(SessionNotFoundError):
        await store.append([an_entry(session.id, 1), lost], [a_record(session.id, 2)])

    assert await store.last_seq(session.id) == 0


async def test_an_append_soon_tells_when_it_is_stored(store: Store, session: Session) -> None:
    told: list[Exception | None] = []
    done = anyio.Event()

    def on_stored(failure: Exception | None) -> None:
        told.append(failure)
        done.set()

    store.append_soon([an_entry(session.id, 1)], [a_record(session.id, 2)], on_stored)
    with anyio.fail_after(5):
        await done.wait()

    assert told == [None]
    assert await store.last_seq(session.id) == 2


async def test_an_append_soon_tells_its_error(store: Store) -> None:
    told: list[Exception | None] = []
    done = anyio.Event()

    def on_stored(failure: Exception | None) -> None:
        told.append(failure)
        done.set()

    store.append_soon([an_entry(SessionId("ses_nowhere"), 1)], [], on_stored)
    with anyio.fail_after(5):
        await done.wait()

    assert isinstance(told[0], SessionNotFoundError)


async def test_the_last_number_is_that_of_journal_and_log_together(
    store: Store, session: Session
) -> None:
    before = await store.last_seq(session.id)
    await store.append([an_entry(session.id, 5)], [a_record(session.id, 4)])
    middle = await store.last_seq(session.id)
    await store.append([], [a_record(session.id, 6)])

    after_all = await store.last_seq(session.id)

    assert (before, middle, after_all) == (0, 5, 6)
    assert await store.count_entries(session.id) == 1


async def test_the_journal_is_read_in_pages_by_number(store: Store, session: Session) -> None:
    entries = [an_entry(session.id, seq) for seq in range(1, 8)]
    await store.append(list(reversed(entries)), [])

    pages = [page async for page in store.read_journal(session.id, page=3)]

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [entry for page in pages for entry in page] == entries


async def test_replay_rows_say_what_the_entries_say(store: Store, session: Session) -> None:
    entry = an_entry(session.id, 1, branch="b", index=4, ok=False, wake_at=after(10.5))
    await store.append([entry, an_entry(session.id, 2, is_volatile=True)], [])

    pages = [page async for page in store.read_journal_rows(session.id)]

    first, second = pages[0]
    assert first == (
        *("b", 4, 1, "activity", "fetch", "handlers.py", 12, 0, 0, "json", b"[1,2]"),
        after(10.5).timestamp(),
    )
    assert second[8] == 1
    assert second[11] is None


async def test_the_journal_of_a_session_without_one_is_empty(
    store: Store, session: Session
) -> None:
    pages = [page async for page in store.read_journal(session.id)]

    assert pages == []
    assert await store.count_entries(session.id) == 0


async def test_entries_are_listed_above_a_number(store: Store, session: Session) -> None:
    entries = [an_entry(session.id, seq) for seq in range(1, 6)]
    await store.append(entries, [])

    found = await store.list_entries(session.id, 2, 2)

    assert found == entries[2:4]


async def test_the_log_is_read_forwards_and_backwards(store: Store, session: Session) -> None:
    log = [a_record(session.id, seq) for seq in range(1, 6)]
    await store.append([], log)

    forwards = await store.list_log(session.id, 2, 2)
    backwards = await store.list_log(session.id, 0, 2, newest_first=True)

    assert forwards == log[2:4]
    assert backwards == [log[4], log[3]]


async def test_journals_of_sessions_are_apart(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    one, two = a_session(release), a_session(release)
    await store.add_sessions([one, two])

    await store.append([an_entry(one.id, 1), an_entry(two.id, 1)], [a_record(two.id, 2)])

    assert await store.last_seq(one.id) == 1
    assert await store.last_seq(two.id) == 2


async def test_a_deleted_session_takes_journal_and_log_with_it(
    store: Store, session: Session
) -> None:
    await store.append([an_entry(session.id, 1)], [a_record(session.id, 2)])
    await store.change_session(a_change(session.id, SessionState.COMPLETED), [])

    await store.delete_session(session.id)

    assert await store.last_seq(session.id) == 0
    assert await store.list_log(session.id, 0, 10) == []
    with pytest.raises(SessionNotFoundError):
        await store.append([an_entry(session.id, 3)], [])
