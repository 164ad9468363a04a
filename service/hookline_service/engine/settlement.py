"""What is written when an attempt ends, or a session without one: the change, its log and a retry, in one piece."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from hookline_service.engine.ending import Ending, Exit, Next, resume_delay_s
from hookline_service.engine.hosts import LiveAttempt
from hookline_service.engine.launch import successor_of
from hookline_service.engine.listener import SessionEnd
from hookline_service.model.sessions import (
    AttemptOutcome,
    LogKind,
    LogRecord,
    Session,
    SessionChange,
    SessionState,
)
from hookline_triggers.definitions import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """`session` is as it will be once `change` and `log` are stored. `resume_after_s` counts when it goes on."""

    session: Session
    ending: Ending
    change: SessionChange
    log: tuple[LogRecord, ...]
    resume_after_s: float = 0.0


def settle_attempt(
    attempt: LiveAttempt, ending: Ending, how: Exit, crashes: int, now: datetime
) -> AttemptResult:
    """The settlement of an attempt that ended so; `crashes` came before it in a row."""
    settlement = settle(
        attempt.session,
        ending,
        now,
        seq=attempt.seq,
        retries=attempt.context.retries if attempt.context else None,
        resume_after_s=resume_delay_s(how, crashes),
    )
    change = replace(settlement.change, finds=attempt.mask.finds_in)
    return replace(settlement, change=change)


def settle(
    session: Session,
    ending: Ending,
    now: datetime,
    *,
    seq: int,
    retries: RetryPolicy | None = None,
    resume_after_s: float = 0.0,
) -> AttemptResult:
    """The settlement of this ending; `seq` is the last used in the session's log and journal."""
    successor = None
    if ending.error is not None and retries is not None:
        successor = successor_of(session, retries, now)
    change = SessionChange(
        session_id=session.id,
        expected_attempt=session.attempt,
        state=ending.state,
        at=now,
        wake_at=ending.wake_at,
        deadline_at=session.deadline_at,
        error=ending.error,
        stop_reason=ending.stop_reason,
        result=ending.result,
        outcome=ending.outcome,
        detail=ending.text,
        successor=successor,
        topics=ending.topics,
        answer=ending.answer,
    )
    after = replace(
        session,
        state=ending.state,
        wake_at=ending.wake_at,
        error=ending.error,
        stop_reason=ending.stop_reason,
        result=ending.result,
        ended_at=now if ending.next is Next.END else None,
    )
    return AttemptResult(
        session=after,
        ending=ending,
        change=change,
        log=_records(session, ending, successor, now, seq),
        resume_after_s=resume_after_s,
    )


def session_end_of(settlement: AttemptResult) -> SessionEnd:
    """What there is to tell of a session that ended so."""
    return SessionEnd(
        session=settlement.session,
        answer=settlement.change.answer,
        successor=settlement.change.successor,
    )


def stop_of(
    session: Session, reason: str, now: datetime, seq: int
) -> tuple[SessionChange, LogRecord]:
    """What is written when a session that has no process is stopped; `seq` is that of the record."""
    change = SessionChange(
        session_id=session.id,
        expected_attempt=session.attempt,
        state=SessionState.STOPPED,
        at=now,
        stop_reason=reason,
        outcome=AttemptOutcome.STOPPED,
        detail=reason,
    )
    record = LogRecord(
        session_id=session.id,
        seq=seq,
        attempt=session.attempt,
        at=now,
        kind=LogKind.STATE,
        text=f"stopped: {reason}",
    )
    return change, record


def _records(
    session: Session, ending: Ending, successor: Session | None, now: datetime, seq: int
) -> tuple[LogRecord, ...]:
    texts: list[tuple[LogKind, str]] = []
    if ending.error is not None:
        error = ending.error
        texts.append((LogKind.ERROR, error.traceback or f"{error.type}: {error.message}"))
    texts.append((LogKind.STATE, ending.text))
    if successor is not None:
        texts.append((LogKind.STATE, f"trying again as {successor.id} at {successor.wake_at}"))
    return tuple(
        LogRecord(
            session_id=session.id,
            seq=seq + number,
            attempt=session.attempt,
            at=now,
            kind=kind,
            text=text,
        )
        for number, (kind, text) in enumerate(texts, start=1)
    )
