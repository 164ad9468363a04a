"""Pure rules of the store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from hookline_service.model.sessions import (
    FINAL_STATES,
    JournalEntry,
    ReplayRow,
    Session,
    SessionChange,
    SessionState,
)

_SLEEPING = frozenset({SessionState.CREATED, SessionState.WAITING})


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T")
Identified = TypeVar("Identified", bound=_HasId)


def by_id(value: _HasId) -> str:
    return value.id


def newest(found: Iterable[Identified], limit: int) -> list[Identified]:
    return sorted(found, key=by_id, reverse=True)[:limit]


def drop(table: dict[Any, Any], keys: Iterable[object]) -> None:
    for key in keys:
        table.pop(key, None)


def due_at(session: Session) -> datetime | None:
    if session.state not in _SLEEPING:
        return None
    return min((at for at in (session.wake_at, session.deadline_at) if at), default=None)


def changed(session: Session, change: SessionChange) -> Session:
    is_final = change.state in FINAL_STATES
    keeps_wake = not is_final and change.state is not SessionState.RUNNING
    begins = change.attempt is not None
    return replace(
        session,
        state=change.state,
        attempt=session.attempt if change.attempt is None else change.attempt,
        started_at=(session.started_at or change.at) if begins else session.started_at,
        ended_at=change.at if is_final else None,
        wake_at=(change.wake_at or session.wake_at) if keeps_wake else None,
        deadline_at=None if is_final else change.deadline_at or session.deadline_at,
        error=change.error or session.error,
        stop_reason=change.stop_reason or session.stop_reason,
        result=session.result if change.result is None else change.result,
    )


def replay_row(entry: JournalEntry) -> ReplayRow:
    return (
        entry.branch,
        entry.index,
        entry.seq,
        entry.kind,
        entry.name,
        entry.file,
        entry.line,
        int(entry.ok),
        int(entry.is_volatile),
        entry.encoding,
        entry.value,
        None if entry.wake_at is None else entry.wake_at.timestamp(),
    )


def result_of(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine that waits for nothing returns."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the fake waited")


def call_soon(callback: Callable[[T], None], value: T) -> None:
    asyncio.get_running_loop().call_soon(callback, value)
