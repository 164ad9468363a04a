"""Sessions, attempts, their log and their journal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from hookline_service.model.ids import (
    BuildId,
    DeploymentId,
    EventId,
    ProjectId,
    SessionId,
    TriggerId,
    new_session_id,
)
from hookline_service.model.projects import Deployment
from hookline_service.model.sealing import Finds, ValueGate, ValueKind, finds_nothing, is_sealed


class SessionState(StrEnum):
    """Life of a session; `FINAL_STATES` never change again."""

    CREATED = "created"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    ERROR = "error"
    STOPPED = "stopped"


FINAL_STATES = frozenset({SessionState.COMPLETED, SessionState.ERROR, SessionState.STOPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionError:
    """Why a session ended in error: `type` and `message` of the exception, the project's own `traceback`."""

    type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One execution of a user function.

    `input` is JSON text given to a manual start (then `event_id` is None) or None. As it comes from the store, it may be
    sealed: see `ValueGate.open`.
    `wake_at` is set while created-but-not-before or waiting; `deadline_at` when a time-out runs.
    `attempt` is the number of the present or last attempt, 0 before the first.
    `result` is the display form (JSON text) of the return value.
    `parent_id` is the session that started this one, `memo` (JSON object of texts) what it noted on it. `forked_from` is
    the session whose first journal entries this one began with. `generation` counts the starts by sessions above it: 0 for
    what a person, an event or a schedule began, one more than its parent for a child.
    """

    id: SessionId
    project_id: ProjectId
    build_id: BuildId
    deployment_id: DeploymentId | None
    trigger_id: TriggerId | None
    event_id: EventId | None
    entry_point: str
    state: SessionState
    is_durable: bool
    created_at: datetime
    input: bytes | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    wake_at: datetime | None = None
    deadline_at: datetime | None = None
    attempt: int = 0
    error: SessionError | None = None
    stop_reason: str = ""
    result: bytes | None = None
    retry_of: SessionId | None = None
    retry_number: int = 0
    scheduled_for: datetime | None = None
    parent_id: SessionId | None = None
    memo: bytes | None = None
    forked_from: SessionId | None = None
    generation: int = 0


def new_session(
    deployment: Deployment,
    entry_point: str,
    at: datetime,
    *,
    is_durable: bool,
    input: bytes | None = None,  # noqa: A002 - the name of the field
) -> Session:
    """A session of a deployment that has not begun, and that no event starts."""
    return Session(
        id=new_session_id(at),
        project_id=deployment.project_id,
        build_id=deployment.build_id,
        deployment_id=deployment.id,
        trigger_id=None,
        event_id=None,
        entry_point=entry_point,
        state=SessionState.CREATED,
        is_durable=is_durable,
        created_at=at,
        input=input,
    )


def fresh_copy(session: Session, at: datetime) -> Session:
    """A session that runs the same with the same data and has not begun; it is no retry and no fork."""
    return replace(
        session,
        id=new_session_id(at),
        state=SessionState.CREATED,
        created_at=at,
        started_at=None,
        ended_at=None,
        wake_at=None,
        deadline_at=None,
        attempt=0,
        error=None,
        stop_reason="",
        result=None,
        retry_of=None,
        retry_number=0,
        forked_from=None,
    )


def opened(session: Session, gate: ValueGate) -> Session:
    """The session with its input as it was given; raises `ValueUnreadableError`."""
    given = session.input
    if given is None or not is_sealed(given):
        return session
    return replace(session, input=gate.open(session.project_id, ValueKind.INPUT, given))


class LogKind(StrEnum):
    """What a log record is."""

    PRINT = "print"
    LOG = "log"
    STDOUT = "stdout"
    STDERR = "stderr"
    STATE = "state"
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One record of a session's log, ordered by `seq`, which it shares with the session's journal.

    `level` is the name of a logging level for kind `log`, else "".
    """

    session_id: SessionId
    seq: int
    attempt: int
    at: datetime
    kind: LogKind
    text: str
    level: str = ""


class EntryKind(StrEnum):
    """What a journal entry records."""

    ACTIVITY = "activity"
    RIDING = "riding"
    SLEEP = "sleep"
    CANCELLED = "cancelled"
    CALL = "call"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One recorded result.

    `branch` and `index` are the position: `branch` is "" in the main flow and the path of the asyncio
    task elsewhere; `index` counts from 0 within the branch. `seq` is the order of recording.
    `name` is the call as displayed, `file` and `line` the place in the project.
    `arguments` and `display` are JSON texts for people; `value` is opaque bytes in `encoding`
    (`json`, `pickle`, `none`); only the session process decodes them. `ok` false: `value` is an exception.
    A `call` is an operation of the service (see `model.calls`): its encoding is `values`, and a refusal is `{code, message}`.
    `wake_at` is set for a sleep, and for a `wait`: then it is the deadline of the call that follows.
    """

    session_id: SessionId
    branch: str
    index: int
    seq: int
    attempt: int
    kind: EntryKind
    name: str
    file: str
    line: int
    ok: bool
    is_volatile: bool
    encoding: str
    value: bytes
    arguments: bytes
    display: bytes
    started_at: datetime
    ended_at: datetime
    wake_at: datetime | None = None


ReplayRow = tuple[str, int, int, str, str, str, int, int, int, str, bytes, float | None]
"""(branch, index, seq, kind, name, file, line, ok, is_volatile, encoding, value, wake_at): what the `JOURNAL` frame
says of an entry. `ok` and `is_volatile` are 0 or 1; `wake_at` is seconds since 1970."""


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    FINISHED = "finished"
    SUSPENDED = "suspended"
    LOST = "lost"
    CRASHED = "crashed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One stretch of a session in one process."""

    session_id: SessionId
    number: int
    runner: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: AttemptOutcome | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChange:
    """What happens to a session when an attempt begins or ends; None leaves a field as it is.

    `expected_attempt`: the change is applied only while the session is not final and its attempt has this number
    (for a begin: the number before). `successor` is a session (a retry) inserted in the same transaction.
    `topics` are what a session that becomes waiting waits for besides `wake_at`: `sub:<subscription>`, `sig:<name>`.
    `answer` is the returned value as JSON text (see `hookline.values`) for a final state, None when it cannot be one. It goes
    to the parent, and is kept of a session that has none. `finds` is that of `SessionCall`.
    """

    session_id: SessionId
    expected_attempt: int
    state: SessionState
    at: datetime
    attempt: int | None = None
    wake_at: datetime | None = None
    deadline_at: datetime | None = None
    error: SessionError | None = None
    stop_reason: str = ""
    result: bytes | None = None
    runner: str = ""
    outcome: AttemptOutcome | None = None
    detail: str = ""
    successor: Session | None = None
    topics: tuple[str, ...] = ()
    answer: bytes | None = None
    finds: Finds = finds_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Which sessions a listing shows; None means any. `before` is an exclusive upper id for paging."""

    project_id: ProjectId | None = None
    deployment_id: DeploymentId | None = None
    trigger_id: TriggerId | None = None
    event_id: EventId | None = None
    state: SessionState | None = None
    before: SessionId | None = None
    limit: int = 50


class LogSeverity(IntEnum):
    """How much a log record matters, whatever its kind; what was printed counts as `INFO`."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which log records of all sessions a listing shows; None means any.

    `text` is looked for without regard to the case of ASCII letters. `before` and `after` are exclusive bounds of `position`;
    with `after` the oldest come first, else the newest.
    """

    project_id: ProjectId | None = None
    since: datetime | None = None
    text: str | None = None
    severity: LogSeverity = LogSeverity.DEBUG
    before: int | None = None
    after: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedRecord:
    """A log record with its `position` among all records, which ascends in the order of recording."""

    position: int
    record: LogRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Records found, and from where to look on; `is_end`: there are no more that way."""

    records: tuple[PlacedRecord, ...]
    next: int
    is_end: bool


def severity_of(record: LogRecord) -> LogSeverity:
    """How much the record matters."""
    if record.kind in (LogKind.ERROR, LogKind.WARNING):
        return LogSeverity[record.kind.name]
    level = record.level.upper() if record.kind is LogKind.LOG else ""
    return LogSeverity.__members__.get({"CRITICAL": "ERROR"}.get(level, level), LogSeverity.INFO)
