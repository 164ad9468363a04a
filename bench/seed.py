"""Fills a store with waiting sessions, copies of one that really waits, through the store's own methods.

Run as `python -m bench.seed FILE EVENT COUNT` while no service has the file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import anyio

from hookline_service.clock import SystemClock
from hookline_service.model.events import Event
from hookline_service.model.ids import EventId, new_event_id, new_session_id
from hookline_service.model.sessions import (
    Attempt,
    AttemptOutcome,
    JournalEntry,
    LogRecord,
    Session,
    SessionChange,
    SessionFilter,
    SessionState,
)
from hookline_service.storage.protocols import Store
from hookline_service.storage.sqlite import open_sqlite_store

_WRITERS = 400
_SPREAD = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A session that waits, with all that is kept of it."""

    event: Event
    session: Session
    entries: list[JournalEntry]
    log: list[LogRecord]
    attempt: Attempt


async def _read(store: Store, event_id: EventId) -> _Waiting:
    (session,) = await store.list_sessions(SessionFilter(event_id=event_id))
    (attempt,) = await store.list_attempts(session.id)
    return _Waiting(
        event=await store.get_event(event_id),
        session=session,
        entries=await store.list_entries(session.id, 0, 1000),
        log=await store.list_log(session.id, 0, 1000),
        attempt=attempt,
    )


async def _copy(store: Store, model: _Waiting, now: datetime, wake_at: datetime) -> None:
    event = replace(model.event, id=new_event_id(now), delivery_id=None, created_at=now)
    session_id = new_session_id(now)
    created = replace(
        model.session,
        id=session_id,
        event_id=event.id,
        state=SessionState.CREATED,
        created_at=now,
        started_at=None,
        wake_at=None,
        attempt=0,
    )
    await store.record_event(event, [created])
    change = SessionChange(
        session_id=session_id,
        expected_attempt=0,
        state=SessionState.RUNNING,
        at=now,
        attempt=1,
        runner=model.attempt.runner,
    )
    await store.change_session(change, [replace(one, session_id=session_id) for one in model.log])
    entries = [
        replace(one, session_id=session_id, wake_at=wake_at if one.wake_at else None)
        for one in model.entries
    ]
    await store.append(entries, [])
    change = SessionChange(
        session_id=session_id,
        expected_attempt=1,
        state=SessionState.WAITING,
        at=now,
        wake_at=wake_at,
        outcome=AttemptOutcome.SUSPENDED,
    )
    if not await store.change_session(change, []):
        raise RuntimeError("a copy does not wait")


async def seed(path: Path, event_id: EventId, count: int) -> None:
    """Add so many copies of the waiting session of this event; they wake over the next 30 days but the first."""
    store = await open_sqlite_store(path)
    try:
        model = await _read(store, event_id)
        numbers = iter(range(count))
        async with anyio.create_task_group() as tasks:
            for writer in range(min(_WRITERS, count)):
                tasks.start_soon(_write, store, model, numbers, count, name=f"writer {writer}")
    finally:
        await store.aclose()


async def _write(store: Store, model: _Waiting, numbers: Iterator[int], count: int) -> None:
    for number in numbers:
        now = SystemClock().now()
        await _copy(store, model, now, now + timedelta(days=1) + _SPREAD * (number / count))


def main() -> None:
    """Seed as the command line says."""
    anyio.run(seed, Path(sys.argv[1]), EventId(sys.argv[2]), int(sys.argv[3]))


if __name__ == "__main__":
    main()
