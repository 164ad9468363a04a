"""What the tables hold, as rows and back."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter

from hookline_runner import fast_json
from hookline_service.model.calls import Outcome, Subscription
from hookline_service.model.events import Event
from hookline_service.model.projects import (
    Build,
    Connection,
    Deployment,
    Project,
    Schedule,
    StoredVariable,
    Trigger,
)
from hookline_service.model.sessions import (
    Attempt,
    JournalEntry,
    LogRecord,
    Session,
    SessionError,
)
from hookline_service.storage.sqlite.connection import Row
from hookline_service.storage.sqlite.records import Record, from_us, to_us
from hookline_triggers.definitions import TriggerDefinition, TriggerKind

PROJECTS = Record(Project)
VARIABLES = Record(StoredVariable, apart=("project_id",))
CONNECTIONS = Record(Connection, apart=("project_id",))
BUILDS = Record(Build)
DEPLOYMENTS = Record(Deployment)
EVENTS = Record(Event)
SUBSCRIPTIONS = Record(Subscription)
OUTCOMES = Record(Outcome, apart=("event_id", "value"))
ATTEMPTS = Record(Attempt, apart=("session_id",))
ENTRIES = Record(JournalEntry, apart=("session_id",))
LOG = Record(LogRecord, apart=("session_id",))

_SESSIONS = Record(Session, apart=("error",))
_SCHEDULES = Record(Schedule, apart=("buffered",))


@cache
def _definitions() -> TypeAdapter[TriggerDefinition]:
    return TypeAdapter(TriggerDefinition)


def definition_row(definition: TriggerDefinition) -> bytes:
    """A trigger definition as JSON."""
    return _definitions().dump_json(definition)


def trigger_of(row: Row) -> Trigger:
    """The trigger of a row; a slug kept from an earlier definition is not shown."""
    definition = _definitions().validate_json(row["definition"])
    return Trigger(
        id=row["id"],
        project_id=row["project_id"],
        deployment_id=row["deployment_id"],
        definition=definition,
        slug=row["slug"] if definition.kind is TriggerKind.WEBHOOK else None,
    )


def schedule_row(schedule: Schedule) -> dict[str, object]:
    """The schedule as parameters."""
    buffered = fast_json.write([to_us(at) for at in schedule.buffered]).decode()
    return {**_SCHEDULES.write(schedule), "buffered": buffered}


def schedule_of(row: Row) -> Schedule:
    """The schedule of a row."""
    buffered = tuple(from_us(us) for us in fast_json.read(row["buffered"]))
    return _SCHEDULES.read(row, buffered=buffered)


def session_row(session: Session) -> dict[str, object]:
    """The session as parameters."""
    return {**_SESSIONS.write(session), **error_row(session.error)}


def session_of(row: Row) -> Session:
    """The session of a row."""
    error_type = row["error_type"]
    if error_type is None:
        return _SESSIONS.read(row, error=None)
    error = SessionError(
        type=error_type, message=row["error_message"], traceback=row["error_traceback"]
    )
    return _SESSIONS.read(row, error=error)


def error_row(error: SessionError | None) -> dict[str, object]:
    """The error of a session as parameters."""
    return {
        "error_type": None if error is None else error.type,
        "error_message": None if error is None else error.message,
        "error_traceback": None if error is None else error.traceback,
    }
