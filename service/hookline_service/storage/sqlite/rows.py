"""Values to rows and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from pydantic import TypeAdapter

from hookline_runner import fast_json
from hookline_service.model.calls import Outcome, Subscription
from hookline_service.model.events import Event
from hookline_service.model.ids import EventId, ProjectId, SessionId
from hookline_service.model.projects import (
    Build,
    Connection,
    Deployment,
    DeploymentState,
    Project,
    Schedule,
    StoredVariable,
    Trigger,
)
from hookline_service.model.sessions import (
    Attempt,
    AttemptOutcome,
    EntryKind,
    JournalEntry,
    LogKind,
    LogRecord,
    Session,
    SessionError,
    SessionState,
)
from hookline_service.storage.sqlite.connection import Row
from hookline_triggers.definitions import TriggerDefinition, TriggerKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATES = {state.value: state for state in SessionState}
_LOG_KINDS = {kind.value: kind for kind in LogKind}
_ENTRY_KINDS = {kind.value: kind for kind in EntryKind}


def to_us(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    since = at - _EPOCH
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def to_us_or_none(at: datetime | None) -> int | None:
    """Microseconds since 1970 of a time that may be missing."""
    return None if at is None else to_us(at)


def from_us(us: int) -> datetime:
    """The time, aware, in UTC."""
    return _EPOCH + timedelta(microseconds=us)


def from_us_or_none(us: int | None) -> datetime | None:
    """The time, if there is one."""
    return None if us is None else _EPOCH + timedelta(microseconds=us)


@cache
def _definitions() -> TypeAdapter[TriggerDefinition]:
    return TypeAdapter(TriggerDefinition)


def definition_row(definition: TriggerDefinition) -> bytes:
    """A trigger definition as JSON."""
    return _definitions().dump_json(definition)


def project_of(row: Row) -> Project:
    """The project of a row."""
    return Project(
        id=row[0],
        name=row[1],
        display_name=row[2],
        created_at=from_us(row[3]),
        updated_at=from_us(row[4]),
    )


def variable_of(project_id: ProjectId, row: Row) -> StoredVariable:
    """The variable of a row."""
    return StoredVariable(
        project_id=project_id,
        scope=row[0],
        name=row[1],
        value=row[2],
        is_secret=bool(row[3]),
        description=row[4],
        updated_at=from_us(row[5]),
    )


def connection_of(project_id: ProjectId, row: Row) -> Connection:
    """The connection of a row."""
    return Connection(project_id=project_id, name=row[0], integration=row[1])


def build_of(row: Row) -> Build:
    """The build of a row."""
    return Build(
        id=row[0],
        project_id=row[1],
        manifest=row[2],
        environment=row[3],
        file_count=row[4],
        size_bytes=row[5],
        created_at=from_us(row[6]),
    )


def deployment_of(row: Row) -> Deployment:
    """The deployment of a row."""
    return Deployment(
        id=row[0],
        project_id=row[1],
        build_id=row[2],
        state=DeploymentState(row[3]),
        created_at=from_us(row[4]),
        activated_at=from_us_or_none(row[5]),
    )


def trigger_of(row: Row) -> Trigger:
    """The trigger of a row; a slug kept from an earlier definition is not shown."""
    definition = _definitions().validate_json(row[3])
    return Trigger(
        id=row[0],
        project_id=row[1],
        deployment_id=row[2],
        definition=definition,
        slug=row[4] if definition.kind is TriggerKind.WEBHOOK else None,
    )


def schedule_row(schedule: Schedule) -> tuple[object, ...]:
    """Parameters of `save_schedule`."""
    return (
        schedule.trigger_id,
        to_us_or_none(schedule.next_fire_at),
        to_us_or_none(schedule.last_fire_at),
        schedule.paused,
        schedule.pause_reason,
        buffered_text(schedule),
    )


def buffered_text(schedule: Schedule) -> str:
    """The buffered times as JSON."""
    return fast_json.write([to_us(at) for at in schedule.buffered]).decode()


def schedule_of(row: Row) -> Schedule:
    """The schedule of a row."""
    return Schedule(
        trigger_id=row[0],
        project_id=row[1],
        next_fire_at=from_us_or_none(row[2]),
        last_fire_at=from_us_or_none(row[3]),
        paused=bool(row[4]),
        pause_reason=row[5],
        buffered=tuple(from_us(us) for us in fast_json.read(row[6])),
    )


def event_of(row: Row) -> Event:
    """The event of a row."""
    return Event(
        id=row[0],
        project_id=row[1],
        trigger_id=row[2],
        source=row[3],
        type=row[4],
        data=row[5],
        body=row[6],
        delivery_id=row[7],
        created_at=from_us(row[8]),
        redispatch_of=row[9],
    )


def session_of(row: Row) -> Session:
    """The session of a row."""
    return Session(
        id=row[0],
        project_id=row[1],
        build_id=row[2],
        deployment_id=row[3],
        trigger_id=row[4],
        event_id=row[5],
        entry_point=row[6],
        state=_STATES[row[7]],
        is_durable=bool(row[8]),
        created_at=from_us(row[9]),
        input=row[10],
        started_at=from_us_or_none(row[11]),
        ended_at=from_us_or_none(row[12]),
        wake_at=from_us_or_none(row[13]),
        deadline_at=from_us_or_none(row[14]),
        attempt=row[15],
        error=_error_of(row[16], row[17], row[18]),
        stop_reason=row[19],
        result=row[20],
        retry_of=row[21],
        retry_number=row[22],
        scheduled_for=from_us_or_none(row[23]),
        parent_id=row[24],
        memo=row[25],
        forked_from=row[26],
        generation=row[27],
    )


def _error_of(type_: str | None, message: str, traceback: str) -> SessionError | None:
    if type_ is None:
        return None
    return SessionError(type=type_, message=message, traceback=traceback)


def subscription_of(row: Row) -> Subscription:
    """The subscription of a row."""
    return Subscription(
        id=row[0],
        session_id=row[1],
        project_id=row[2],
        source=row[3],
        filter=row[4],
        created_at=from_us(row[5]),
    )


def outcome_of(event_id: EventId, row: Row) -> Outcome:
    """The outcome of a row."""
    return Outcome(event_id=event_id, session_id=row[0], at=from_us(row[1]), value=row[2])


def attempt_of(session_id: SessionId, row: Row) -> Attempt:
    """The attempt of a row."""
    return Attempt(
        session_id=session_id,
        number=row[0],
        runner=row[1],
        started_at=from_us(row[2]),
        ended_at=from_us_or_none(row[3]),
        outcome=None if row[4] is None else AttemptOutcome(row[4]),
        detail=row[5],
    )


def entry_row(session_key: int, entry: JournalEntry) -> tuple[object, ...]:
    """Parameters of `insert_entry`, of exact types: sqlite3 takes far longer over an enum or a bool."""
    return (
        session_key,
        entry.branch,
        entry.index,
        entry.seq,
        entry.attempt,
        entry.kind.value,
        entry.name,
        entry.file,
        entry.line,
        1 if entry.ok else 0,
        1 if entry.is_volatile else 0,
        entry.encoding,
        to_us(entry.started_at),
        to_us(entry.ended_at),
        to_us_or_none(entry.wake_at),
        entry.arguments,
        entry.display,
        entry.value,
    )


def entry_of(session_id: SessionId, row: Row) -> JournalEntry:
    """The journal entry of a row."""
    return JournalEntry(
        session_id=session_id,
        branch=row[0],
        index=row[1],
        seq=row[2],
        attempt=row[3],
        kind=_ENTRY_KINDS[row[4]],
        name=row[5],
        file=row[6],
        line=row[7],
        ok=bool(row[8]),
        is_volatile=bool(row[9]),
        encoding=row[10],
        value=row[11],
        arguments=row[12],
        display=row[13],
        started_at=from_us(row[14]),
        ended_at=from_us(row[15]),
        wake_at=from_us_or_none(row[16]),
    )


def log_row(session_key: int, record: LogRecord) -> tuple[object, ...]:
    """Parameters of `insert_log`."""
    return (
        session_key,
        record.seq,
        record.attempt,
        to_us(record.at),
        record.kind.value,
        record.level,
        record.text,
    )


def log_of(session_id: SessionId, row: Row) -> LogRecord:
    """The log record of a row."""
    return LogRecord(
        session_id=session_id,
        seq=row[0],
        attempt=row[1],
        at=from_us(row[2]),
        kind=_LOG_KINDS[row[3]],
        text=row[4],
        level=row[5],
    )
