"""Sessions, journal entries and log records for tests."""

from __future__ import annotations

from typing import Any

from hookline_service.model.events import Event
from hookline_service.model.ids import SessionId, new_session_id
from hookline_service.model.projects import Release
from hookline_service.model.sessions import (
    EntryKind,
    JournalEntry,
    LogKind,
    LogRecord,
    Session,
    SessionChange,
    SessionState,
)
from tests.builders.moments import START, next_moment


def a_session(release: Release, event: Event | None = None, **fields: Any) -> Session:
    """A session of a release, started by an event if one is given."""
    at = next_moment()
    defaults: dict[str, Any] = {
        "id": new_session_id(at),
        "project_id": release.project.id,
        "build_id": release.build.id,
        "deployment_id": release.deployment.id,
        "trigger_id": None if event is None else event.trigger_id,
        "event_id": None if event is None else event.id,
        "entry_point": "handlers.py:on_event",
        "state": SessionState.CREATED,
        "is_durable": True,
        "created_at": at,
    }
    return Session(**(defaults | fields))


def a_change(session_id: SessionId, state: SessionState, **fields: Any) -> SessionChange:
    defaults: dict[str, Any] = {"expected_attempt": 0, "at": START}
    return SessionChange(session_id=session_id, state=state, **(defaults | fields))


def a_begin(session_id: SessionId, number: int = 1, **fields: Any) -> SessionChange:
    """The change that begins an attempt."""
    defaults: dict[str, Any] = {
        "expected_attempt": number - 1,
        "attempt": number,
        "runner": "runner-1",
    }
    return a_change(session_id, SessionState.RUNNING, **(defaults | fields))


def an_entry(session_id: SessionId, seq: int, **fields: Any) -> JournalEntry:
    defaults: dict[str, Any] = {
        "branch": "",
        "index": seq,
        "attempt": 1,
        "kind": EntryKind.ACTIVITY,
        "name": "fetch",
        "file": "handlers.py",
        "line": 12,
        "ok": True,
        "is_volatile": False,
        "encoding": "json",
        "value": b"[1,2]",
        "arguments": b"[]",
        "display": b"[1,2]",
        "started_at": START,
        "ended_at": START,
    }
    return JournalEntry(session_id=session_id, seq=seq, **(defaults | fields))


def a_record(session_id: SessionId, seq: int, **fields: Any) -> LogRecord:
    defaults: dict[str, Any] = {
        "attempt": 1,
        "at": START,
        "kind": LogKind.PRINT,
        "text": f"line {seq}",
    }
    return LogRecord(session_id=session_id, seq=seq, **(defaults | fields))
