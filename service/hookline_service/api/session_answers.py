"""How sessions, their logs, activities and attempts look in answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hookline_service.api.endpoints import Answer
from hookline_service.api.names import Names
from hookline_service.api.values import Time, format_time, json_value
from hookline_service.engine.protocol import Stack, StackReport
from hookline_service.model.sessions import Attempt, JournalEntry, LogRecord, Session, SessionError


class ErrorAnswer(Answer):
    """Why a session ended in error."""

    type: str
    message: str
    traceback: str


class SessionAnswer(Answer):
    """A session; `wake_at` says until when it waits, `waits_for` for what.

    `parent` is the session that started it, with `memo`; `forked_from` the one whose first steps it began with.
    """

    id: str
    project: str
    deployment: str | None
    build: str
    trigger: str | None
    event: str | None
    entry_point: str
    state: str
    durable: bool
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
    wake_at: Time | None
    deadline_at: Time | None
    scheduled_for: Time | None
    attempt: int
    result: Any  # JSON, as the session's process wrote it
    retry_of: str | None
    retry_number: int
    parent: str | None
    memo: Any  # JSON object of texts
    forked_from: str | None
    waits_for: list[str]
    error: ErrorAnswer | None
    stop_reason: str


class SessionPage(Answer):
    """Sessions, newest first."""

    items: list[SessionAnswer]
    next: str | None


class LogRecordAnswer(Answer):
    """One log record; `level` is set for kind `log`."""

    seq: int
    at: Time
    attempt: int
    kind: str
    level: str
    text: str


class LogPage(Answer):
    """Log records; `next` is the `seq` to go on after."""

    items: list[LogRecordAnswer]
    next: int | None


class StackFrameAnswer(Answer):
    """A call under way; `source` is the line of code, if it is known."""

    file: str
    line: int
    function: str
    source: str


class StackAnswer(Answer):
    """Where a thread or a task (`kind`) is; the innermost call is the last."""

    kind: str
    name: str
    frames: list[StackFrameAnswer]


class StackReportAnswer(Answer):
    """Where a session hangs. One that has no process has no stacks, and `waits_for` says what it waits for.

    `dump` is true if its main thread was inside a long call of C code: then tasks and lines of code are not known.
    """

    session: str
    state: str
    attempt: int
    waits_for: list[str]
    stacks: list[StackAnswer]
    omitted: int
    dump: bool


class ActivityAnswer(Answer):
    """A recorded result; `position` rises in the order of recording, `index` counts within the branch."""

    position: int
    branch: str
    index: int
    kind: str
    name: str
    file: str
    line: int
    arguments: Any  # JSON, as the session's process wrote it
    result: Any
    error: Any
    started_at: Time
    ended_at: Time
    duration_s: float
    wake_at: Time | None
    attempt: int
    volatile: bool


class ActivityPage(Answer):
    """Activities, oldest first; `next` is the `position` to go on after."""

    items: list[ActivityAnswer]
    next: int | None


class AttemptAnswer(Answer):
    """One stretch of a session in one process; `outcome` is null while it lasts."""

    number: int
    runner: str
    started_at: Time
    ended_at: Time | None
    outcome: str | None
    detail: str


class AttemptPage(Answer):
    """Attempts, oldest first."""

    items: list[AttemptAnswer]
    next: str | None = None


def stack_answer(report: StackReport, waits_for: Sequence[str]) -> StackReportAnswer:
    """Where a session hangs, for people."""
    session = report.session
    return StackReportAnswer(
        session=session.id,
        state=session.state,
        attempt=session.attempt,
        waits_for=list(waits_for),
        stacks=[_stack_answer(stack) for stack in report.stacks],
        omitted=report.omitted,
        dump=report.is_dump,
    )


def _stack_answer(stack: Stack) -> StackAnswer:
    frames = [
        StackFrameAnswer(
            file=frame.file, line=frame.line, function=frame.function, source=frame.source
        )
        for frame in stack.frames
    ]
    return StackAnswer(kind=stack.kind, name=stack.name, frames=frames)


def session_answer(session: Session, names: Names, waits_for: Sequence[str] = ()) -> SessionAnswer:
    """The session for people."""
    return SessionAnswer(
        id=session.id,
        project=names.project(session.project_id),
        deployment=session.deployment_id,
        build=session.build_id,
        trigger=names.trigger(session.trigger_id),
        event=session.event_id,
        entry_point=session.entry_point,
        state=session.state,
        durable=session.is_durable,
        created_at=session.created_at,
        started_at=session.started_at,
        ended_at=session.ended_at,
        wake_at=session.wake_at,
        deadline_at=session.deadline_at,
        scheduled_for=session.scheduled_for,
        attempt=session.attempt,
        result=json_value(session.result),
        retry_of=session.retry_of,
        retry_number=session.retry_number,
        parent=session.parent_id,
        memo=json_value(session.memo),
        forked_from=session.forked_from,
        waits_for=list(waits_for),
        error=_error(session.error),
        stop_reason=session.stop_reason,
    )


def log_answer(record: LogRecord) -> LogRecordAnswer:
    """The log record for people."""
    return LogRecordAnswer(
        seq=record.seq,
        at=record.at,
        attempt=record.attempt,
        kind=record.kind,
        level=record.level,
        text=record.text,
    )


def log_object(record: LogRecord) -> dict[str, object]:
    """The JSON of `log_answer`, made without a model: a live log may have a million lines."""
    return {
        "seq": record.seq,
        "at": format_time(record.at),
        "attempt": record.attempt,
        "kind": record.kind,
        "level": record.level,
        "text": record.text,
    }


def activity_answer(entry: JournalEntry) -> ActivityAnswer:
    """The journal entry for people."""
    shown = json_value(entry.display)
    return ActivityAnswer(
        position=entry.seq,
        branch=entry.branch,
        index=entry.index,
        kind=entry.kind,
        name=entry.name,
        file=entry.file,
        line=entry.line,
        arguments=json_value(entry.arguments),
        result=shown if entry.ok else None,
        error=None if entry.ok else shown,
        started_at=entry.started_at,
        ended_at=entry.ended_at,
        duration_s=round((entry.ended_at - entry.started_at).total_seconds(), 6),
        wake_at=entry.wake_at,
        attempt=entry.attempt,
        volatile=entry.is_volatile,
    )


def attempt_answer(attempt: Attempt) -> AttemptAnswer:
    """The attempt for people."""
    return AttemptAnswer(
        number=attempt.number,
        runner=attempt.runner,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        outcome=attempt.outcome,
        detail=attempt.detail,
    )


def _error(error: SessionError | None) -> ErrorAnswer | None:
    if error is None:
        return None
    return ErrorAnswer(type=error.type, message=error.message, traceback=error.traceback)
