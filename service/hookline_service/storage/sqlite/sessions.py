"""Sessions and their attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

from hookline_service.model.errors import SessionNotFoundError
from hookline_service.model.ids import ProjectId, SessionId, TriggerId
from hookline_service.model.sealing import Finds, ValueKind, finds_nothing
from hookline_service.model.sessions import (
    FINAL_STATES,
    Attempt,
    LogRecord,
    Session,
    SessionChange,
    SessionFilter,
    SessionState,
)
from hookline_service.storage.sqlite.connection import Database, Row
from hookline_service.storage.sqlite.journal import (
    insert_log,
    size_of_log,
)
from hookline_service.storage.sqlite.records import from_us_or_none, to_us, to_us_or_none
from hookline_service.storage.sqlite.rows import ATTEMPTS, error_row, session_of, session_row
from hookline_service.storage.sqlite.sealing import sealed
from hookline_service.storage.sqlite.tables import (
    ABOVE_EVERY_ID,
    Tables,
    build_key,
    deployment_key,
    event_key,
    project_key,
    trigger_key,
)
from hookline_service.storage.sqlite.waiting import follow_change
from hookline_service.storage.sqlite.writer import OnDone


class SessionTables(Tables):
    """See `SessionStore`."""

    async def add_sessions(self, sessions: Sequence[Session]) -> None:
        """See `SessionStore.add_sessions`."""
        self._writer.admit()
        await self._writer.run(_insert_sessions, sessions)

    async def get_session(self, session_id: SessionId) -> Session:
        """See `SessionStore.get_session`."""
        row = self._readers.at_once(Database.row, "find_session", (session_id,))
        if row is None:
            raise SessionNotFoundError(session_id)
        return session_of(row)

    async def find_answer(self, session_id: SessionId) -> bytes | None:
        """See `SessionStore.find_answer`."""
        return self._readers.at_once(_find_answer, session_id)

    async def list_sessions(self, which: SessionFilter) -> list[Session]:
        """See `SessionStore.list_sessions`."""
        return await self._readers.run(_list_sessions, which)

    async def list_unfinished(
        self, states: Sequence[SessionState], after: SessionId | None, limit: int
    ) -> list[Session]:
        """See `SessionStore.list_unfinished`."""
        return await self._readers.run(_list_unfinished, states, after or "", limit)

    async def list_created(
        self, project_id: ProjectId, after: SessionId | None, limit: int
    ) -> list[Session]:
        """See `SessionStore.list_created`."""
        return await self._readers.run(_list_created, project_id, after or "", limit)

    async def list_due(
        self, now: datetime, limit: int, project_id: ProjectId | None = None
    ) -> list[Session]:
        """See `SessionStore.list_due`."""
        return await self._readers.run(_list_due, to_us(now), limit, project_id)

    async def list_projects_in_need(self, now: datetime) -> list[ProjectId]:
        """See `SessionStore.list_projects_in_need`."""
        rows = await self._readers.run(Database.rows, "list_projects_in_need", (to_us(now),))
        return [ProjectId(row["id"]) for row in rows]

    async def next_due_at(self) -> datetime | None:
        """See `SessionStore.next_due_at`."""
        return from_us_or_none(self._readers.at_once(Database.value, "next_due_at"))

    async def count_unfinished(self, trigger_id: TriggerId) -> int:
        """See `SessionStore.count_unfinished`."""
        return await self._readers.run(Database.value, "count_unfinished", (trigger_id,))

    async def change_session(self, change: SessionChange, log: Sequence[LogRecord]) -> bool:
        """See `SessionStore.change_session`."""
        return await self._writer.run(_change_session, change, log, size_bytes=size_of_log(log))

    def change_session_soon(
        self,
        change: SessionChange,
        log: Sequence[LogRecord],
        on_stored: Callable[[bool | Exception], None],
    ) -> None:
        """See `SessionStore.change_session_soon`."""

        def tell(result: Any, failure: Exception | None) -> None:
            on_stored(result if failure is None else failure)

        self._writer.submit(OnDone(tell), size_of_log(log), _change_session, change, log)

    async def list_attempts(self, session_id: SessionId) -> list[Attempt]:
        """See `SessionStore.list_attempts`."""
        rows = await self._readers.run(Database.rows, "list_attempts", (session_id,))
        return [ATTEMPTS.read(row, session_id=session_id) for row in rows]


def _find_answer(database: Database, session_id: SessionId) -> bytes | None:
    row = database.row("find_answer", (session_id,))
    if row is None or row["answer"] is None:
        return None
    return database.gate.open(row["project_id"], ValueKind.ANSWER, row["answer"])


def _insert_sessions(database: Database, sessions: Sequence[Session]) -> None:
    for session in sessions:
        insert_session(database, session)


def insert_session(
    database: Database,
    session: Session,
    starter: int | None = None,
    weight: int | None = None,
    finds: Finds = finds_nothing,
) -> None:
    """Insert a session; one whose id exists is left as it is.

    `starter` is the project whose session started it, which it burdens with its `weight` until it begins. An input in which
    `finds` sees a secret is sealed.
    """
    given = session.input
    if given is not None:
        given = sealed(database, session.project_id, ValueKind.INPUT, given, finds)
    row = {
        **session_row(session),
        "input": given,
        "project_key": project_key(database, session.project_id),
        "build_key": build_key(database, session.build_id),
        "deployment_key": deployment_key(database, session.deployment_id),
        "trigger_key": trigger_key(database, session.trigger_id),
        "event_key": event_key(database, session.event_id),
        "starter_key": starter,
        "weight": weight,
    }
    cursor = database.execute("insert_session", row)
    if cursor.rowcount > 0:
        database.remember_key("find_session_key", session.id, cursor.lastrowid)


def _change_session(database: Database, change: SessionChange, log: Sequence[LogRecord]) -> bool:
    key = database.find_key("find_session_key", change.session_id)
    if key is None:
        return False
    if database.execute("change_session", _change_values(database, key, change)).rowcount == 0:
        return False
    at = to_us(change.at)
    if change.attempt is not None:
        database.execute("begin_attempt", (key, change.attempt, change.runner, at))
    if change.outcome is not None:
        number = change.expected_attempt if change.attempt is None else change.attempt
        database.execute("end_attempt", (key, number, at, change.outcome.value, change.detail))
    if change.successor is not None:
        insert_session(database, change.successor, finds=change.finds)
    follow_change(database, key, change)
    insert_log(database, log)
    return True


def _change_values(database: Database, key: int, change: SessionChange) -> dict[str, object]:
    answer = change.answer
    if answer is not None:
        project_id = database.value("find_project_of_session", (key,))
        answer = sealed(database, project_id, ValueKind.ANSWER, answer, change.finds)
    return {
        "key": key,
        "expected_attempt": change.expected_attempt,
        "state": change.state.value,
        "is_final": 1 if change.state in FINAL_STATES else 0,
        "at": to_us(change.at),
        "attempt": change.attempt,
        "wake_at": to_us_or_none(change.wake_at),
        "deadline_at": to_us_or_none(change.deadline_at),
        **error_row(change.error),
        "stop_reason": change.stop_reason,
        "result": change.result,
        "answer": answer,
    }


def _list_sessions(database: Database, which: SessionFilter) -> list[Session]:
    rows = _page_of_sessions(database, which)
    return [session_of(row) for row in rows]


def _page_of_sessions(database: Database, which: SessionFilter) -> list[Row]:
    """The page by the narrowest index; the wider conditions are checked row by row."""
    page = (which.before or ABOVE_EVERY_ID, which.state, which.limit)
    deployment = _key_or_missing(database, "find_deployment_key", which.deployment_id)
    trigger = _key_or_missing(database, "find_trigger_key", which.trigger_id)
    if which.event_id is not None:
        event = _key_or_missing(database, "find_event_key", which.event_id)
        return database.rows("list_sessions_of_event", (*page, event, deployment, trigger))
    if trigger is not None:
        return _merged_states(database, which, "list_sessions_of_trigger", (trigger, deployment))
    if deployment is not None:
        return _merged_states(database, which, "list_sessions_of_deployment", (deployment,))
    if which.project_id is not None:
        project = _key_or_missing(database, "find_project_key", which.project_id)
        return _merged_states(database, which, "list_sessions_of_project", (project,))
    if which.state is not None and which.state not in FINAL_STATES:
        return database.rows("list_sessions_in_state", page)
    return database.rows("list_sessions", page)


def _merged_states(
    database: Database, which: SessionFilter, statement: str, keys: tuple[int | None, ...]
) -> list[Row]:
    """The newest of every state, together."""
    states = SessionState if which.state is None else (which.state,)
    before = which.before or ABOVE_EVERY_ID
    found = [
        database.rows(statement, (keys[0], state.value, before, which.limit, *keys[1:]))
        for state in states
    ]
    return list(islice(merge(*found, key=itemgetter("id"), reverse=True), which.limit))


def _key_or_missing(database: Database, statement: str, name: str | None) -> int | None:
    """The number behind an id, -1 if there is none; None when no id is asked for."""
    if name is None:
        return None
    key: int | None = database.value(statement, (name,))
    return -1 if key is None else key


def _list_created(
    database: Database, project_id: ProjectId, after: str, limit: int
) -> list[Session]:
    project = _key_or_missing(database, "find_project_key", project_id)
    rows = database.rows("list_created_of_project", (project, after, limit))
    return [session_of(row) for row in rows]


def _list_due(
    database: Database, now_us: int, limit: int, project_id: ProjectId | None
) -> list[Session]:
    if project_id is None:
        return [session_of(row) for row in database.rows("list_due", (now_us, limit))]
    project = _key_or_missing(database, "find_project_key", project_id)
    rows = database.rows("list_due_of_project", (project, now_us, limit))
    return [session_of(row) for row in rows]


def _list_unfinished(
    database: Database, states: Sequence[SessionState], after: str, limit: int
) -> list[Session]:
    found = [
        database.rows(
            "list_finished" if state in FINAL_STATES else "list_unfinished", (state, after, limit)
        )
        for state in frozenset(states)
    ]
    return [session_of(row) for row in islice(merge(*found, key=itemgetter("id")), limit)]
