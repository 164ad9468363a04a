"""What is deleted goes in small steps, so that nobody else's writes wait long."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hookline_service.model.events import EventFilter
from hookline_service.model.projects import Release
from hookline_service.model.sessions import Session, SessionState
from hookline_service.storage.sqlite import open_sqlite_store
from hookline_service.storage.sqlite.store import SqliteStore
from tests.builders.calls import a_call, a_subscribe, made
from tests.builders.events import an_event
from tests.builders.moments import after
from tests.builders.projects import a_definition, a_release
from tests.builders.sessions import a_begin, a_record, a_session, an_entry

LONG = 9_000


async def delete_session(store: SqliteStore, session: Session) -> None:
    await store.delete_session(session.id)


async def delete_project(store: SqliteStore, session: Session) -> None:
    await store.delete_project(session.project_id)


async def forget_finished(store: SqliteStore, session: Session) -> None:
    assert session.ended_at is not None
    assert await store.delete_finished_before(after(100), 10) == 1


async def a_long_session(store: SqliteStore, release: Release) -> Session:
    session = a_session(release, state=SessionState.COMPLETED, ended_at=after(1))
    await store.add_sessions([session])
    await store.append([an_entry(session.id, 2 * seq + 1) for seq in range(LONG)], [])
    await store.append([], [a_record(session.id, 2 * seq + 2) for seq in range(LONG)])
    return session


@pytest.mark.parametrize("delete", [delete_session, delete_project, forget_finished])
async def test_others_write_while_a_long_session_is_deleted(
    tmp_path: Path, delete: Callable[[SqliteStore, Session], Coroutine[None, None, None]]
) -> None:
    store = await open_sqlite_store(tmp_path / "hookline.db")
    release = a_release()
    await store.apply_release(release)
    session = await a_long_session(store, release)

    left = 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(delete, store, session)
        await anyio.lowlevel.checkpoint()
        for _ in range(2):
            await store.replace_values([])
        left = await store.last_seq(session.id)
    gone = await store.last_seq(session.id)
    await store.aclose()

    assert 0 < left <= 2 * LONG
    assert gone == 0


async def test_what_is_left_of_a_session_half_deleted_is_its_beginning(tmp_path: Path) -> None:
    store = await open_sqlite_store(tmp_path / "hookline.db")
    release = a_release()
    await store.apply_release(release)
    session = await a_long_session(store, release)

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(delete_session, store, session)
            while await store.count_entries(session.id) == LONG:
                await store.replace_values([])
            scope.cancel()
    entries = await store.list_entries(session.id, 0, LONG)  # a step under way may still be done
    await store.delete_session(session.id)
    await store.aclose()

    assert 0 < len(entries) < LONG
    assert [entry.seq for entry in entries] == [2 * seq + 1 for seq in range(len(entries))]


async def test_old_events_that_wait_for_somebody_are_no_work_for_the_writer(tmp_path: Path) -> None:
    store = await open_sqlite_store(tmp_path / "hookline.db")
    release = a_release(definitions=[a_definition(name="news")])
    await store.apply_release(release)
    session = a_session(release)
    await store.add_sessions([session])
    await store.change_session(a_begin(session.id), [])
    begun = await made(store, a_call(session, a_subscribe("news")))
    assert begun.subscription is not None
    waiting, idle = an_event(release.triggers[0]), an_event(release.triggers[0])
    await store.record_event(waiting, [], deliveries=[begun.subscription.id])
    written: list[str] = []
    store._writer._database.connection.set_trace_callback(written.append)

    before = await store.delete_finished_before(after(10**6), 10)
    of_waiting = [each for each in written if "DELETE FROM events" in each]
    await store.record_event(idle, [])
    removed = await store.delete_finished_before(after(10**6), 10)
    left = await store.list_events(EventFilter())
    await store.aclose()

    assert (before, of_waiting, removed) == (0, [], 1)
    assert [each.id for each in left] == [waiting.id]
