"""Small steps around the start and the end of attempts."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from hookline.errors import HooklineError
from hookline_runner.frames import FrameType
from hookline_service.engine.contexts import LaunchSpec
from hookline_service.engine.ending import Done
from hookline_service.engine.hosts import LiveAttempt
from hookline_service.engine.vault import is_sealed
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import (
    LogKind,
    LogRecord,
    ReplayRow,
    Session,
    SessionChange,
    SessionError,
    SessionState,
    fresh_copy,
)
from hookline_triggers.definitions import RetryPolicy
from hookline_triggers.retries import next_retry_at

logger = logging.getLogger(__name__)

_PART_BYTES = 16 * 1024 * 1024  # but for a larger value, which comes alone
_ROW_BYTES = 200
_LONGEST_ESCAPE = 6  # bytes of one character in JSON


class JournalSource(Protocol):
    """Where recorded entries are read from."""

    def read_journal_rows(
        self, session_id: SessionId, page: int = 1000
    ) -> AsyncIterator[list[ReplayRow]]:
        """See `JournalStore.read_journal_rows`."""
        ...


def begin(
    attempt: LiveAttempt, context: LaunchSpec, now: datetime
) -> tuple[SessionChange, list[LogRecord]]:
    """Give the attempt its number; what is to be written before its session runs."""
    before = attempt.session
    session = attempt.session = replace(
        before,
        state=SessionState.RUNNING,
        attempt=before.attempt + 1,
        started_at=before.started_at or now,
        wake_at=None,
        deadline_at=deadline_of(before, context, now),
    )
    attempt.context = context
    attempt.is_begun = True
    change = SessionChange(
        session_id=session.id,
        expected_attempt=before.attempt,
        state=SessionState.RUNNING,
        at=now,
        attempt=session.attempt,
        deadline_at=session.deadline_at,
        runner=attempt.host.name,
    )
    text = "running" if session.attempt == 1 else f"running (attempt {session.attempt})"
    return change, [attempt.record(now, LogKind.STATE, text)]


def not_startable(attempt: LiveAttempt, exc: Exception) -> Done:
    """How an attempt ends whose process cannot be told what to do."""
    session_id = attempt.session.id
    if isinstance(exc, HooklineError):
        logger.warning(
            "session not started", extra={"session_id": session_id, "reason": exc.message}
        )
        error = SessionError(type=type(exc).__name__, message=exc.message)
    else:
        logger.error("event not usable", exc_info=exc, extra={"session_id": session_id})
        message = f"the event cannot be given to the function: {type(exc).__name__}: {exc}"
        error = SessionError(type="InternalError", message=message)
    return Done(ok=False, stopped=False, result=None, error=error)


async def send_journal(store: JournalSource, attempt: LiveAttempt, count: int) -> None:
    """Send the session's `count` entries after its START, page by page, as fast as the host takes them."""
    if count == 0 or not attempt.is_launched:
        return
    sent = 0
    link = attempt.host.link
    async for page in store.read_journal_rows(attempt.session.id):
        for rows in parts_of(_opened(attempt, page)):
            sent += len(rows)
            header, payload = journal_frame(rows, is_last=sent >= count)
            link.send(FrameType.JOURNAL, attempt.channel, header, payload)
            await link.drain()
            if sent >= count or attempt.is_closed:
                return


def _opened(attempt: LiveAttempt, page: Sequence[ReplayRow]) -> list[ReplayRow]:
    return [_open_row(attempt, row) if is_sealed(row[9]) else row for row in page]


def _open_row(attempt: LiveAttempt, row: ReplayRow) -> ReplayRow:
    encoding, value = attempt.guard.replayed(attempt.session.id, row[9], row[10])
    return (*row[:9], encoding, value, row[11])


def deadline_of(session: Session, context: LaunchSpec, now: datetime) -> datetime | None:
    """When the session times out; the clock runs from its first attempt on, waiting included."""
    if session.deadline_at is not None or context.timeout_s is None:
        return session.deadline_at
    return (session.started_at or now) + timedelta(seconds=context.timeout_s)


def due_at(session: Session) -> datetime:
    """When a session that waits needs attention: at its time, or at its time-out."""
    times = [at for at in (session.wake_at, session.deadline_at) if at is not None]
    return min(times, default=session.created_at)


def successor_of(session: Session, retries: RetryPolicy, now: datetime) -> Session | None:
    """The session that tries again what this one failed at, or None when the policy says enough."""
    retry_at = next_retry_at(retries, session.retry_number + 1, now)
    if retry_at is None:
        return None
    return replace(
        fresh_copy(session, now),
        wake_at=retry_at,
        retry_of=session.id,
        retry_number=session.retry_number + 1,
    )


def parts_of(rows: Sequence[ReplayRow]) -> Iterator[Sequence[ReplayRow]]:
    """The rows in parts for a frame each: a large value may come behind many small ones, and names may be long."""
    begin, size_bytes = 0, 0
    for number, row in enumerate(rows):
        texts = len(row[0]) + len(row[4]) + len(row[5])
        row_bytes = len(row[10]) + texts * _LONGEST_ESCAPE + _ROW_BYTES
        if number > begin and size_bytes + row_bytes > _PART_BYTES:
            yield rows[begin:number]
            begin, size_bytes = number, 0
        size_bytes += row_bytes
    yield rows[begin:]


def journal_frame(
    entries: Sequence[ReplayRow], *, is_last: bool
) -> tuple[dict[str, object], bytes]:
    """Header and payload of one JOURNAL page."""
    rows = [(*entry[:10], len(entry[10]), entry[11]) for entry in entries]
    return {"entries": rows, "last": is_last}, b"".join([entry[10] for entry in entries])
