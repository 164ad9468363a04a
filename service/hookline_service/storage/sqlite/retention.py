"""Deleting, in steps so small that no other writer waits long."""

from __future__ import annotations

from datetime import datetime

from hookline_runner import fast_json
from hookline_service.model.errors import (
    DeploymentBusyError,
    SessionBusyError,
    SessionNotFoundError,
)
from hookline_service.model.ids import DeploymentId, ProjectId, SessionId
from hookline_service.model.projects import DeploymentState
from hookline_service.model.sessions import FINAL_STATES, SessionState
from hookline_service.storage.sqlite.connection import Database
from hookline_service.storage.sqlite.deployments import find_deployment_row
from hookline_service.storage.sqlite.records import to_us
from hookline_service.storage.sqlite.tables import Tables
from hookline_service.storage.sqlite.triggers import retire_triggers

_STEP = 100
_ROWS = 2_000  # of journals and logs in one step
_BUILDS = 2  # in one step: each may have many megabytes of files
_FREE_PAGES_KEPT = 2_000
_PAGES_GIVEN_BACK = 500


class RetentionTables(Tables):
    """See `ProjectStore` and `SessionStore`."""

    async def delete_project(self, project_id: ProjectId) -> None:
        """See `ProjectStore.delete_project`."""
        key = await self._writer.run(_hide_project, project_id)
        if key is not None:
            await self._remove_project(key)

    async def finish_removals(self) -> None:
        """Go on with the removal of projects that an end of the service cut off."""
        for row in await self._readers.run(Database.rows, "list_hidden_projects"):
            await self._remove_project(row["key"])

    async def _remove_project(self, key: int) -> None:
        while not await self._writer.run(_remove_sessions_of_project, key):
            pass
        for statement in ("delete_events_of_project", "delete_values_of_project"):
            while await self._writer.run(_remove_some, statement, key, _STEP):
                pass
        await self._writer.run(_remove_uses_of_builds, key)
        while await self._writer.run(_remove_some, "delete_unused_builds", key, _BUILDS):
            pass
        await self._writer.run(_remove_rest_of_project, key)

    async def delete_deployment(self, deployment_id: DeploymentId) -> None:
        """See `DeploymentStore.delete_deployment`."""
        while not await self._writer.run(_remove_deployment, deployment_id):
            pass

    async def delete_session(self, session_id: SessionId) -> None:
        """See `SessionStore.delete_session`."""
        while not await self._writer.run(_delete_session, session_id):
            pass

    async def count_finished_before(self, before: datetime) -> int:
        """See `SessionStore.count_finished_before`."""
        return await self._readers.run(Database.value, "count_ended_before", (to_us(before),))

    async def delete_finished_before(self, before: datetime, limit: int) -> int:
        """See `SessionStore.delete_finished_before`."""
        before_us = to_us(before)
        left, is_done = limit, False
        while left > 0 and not is_done:
            removed, is_done = await self._writer.run(_remove_finished, before_us, min(left, _STEP))
            left -= removed
        count = limit - left + await self._delete_idle_events(before_us, limit)
        await self._writer.run(_give_back_pages)
        return count

    async def _delete_idle_events(self, before_us: int, limit: int) -> int:
        rows = await self._readers.run(Database.rows, "list_idle_events_before", (before_us, limit))
        keys = [row["key"] for row in rows]
        count = 0
        for start in range(0, len(keys), _STEP):
            count += await self._writer.run(_remove_idle_events, keys[start : start + _STEP])
        return count


def _hide_project(database: Database, project_id: ProjectId) -> int | None:
    key = database.find_key("find_project_key", project_id)
    if key is None:
        return None
    retire_triggers(database, key)
    database.execute("stop_deployments", (key,))
    database.execute("clear_variables", (key,))
    database.execute("clear_connections", (key,))
    database.execute("hide_project", (key,))
    database.forget_keys()
    return key


def _remove_uses_of_builds(database: Database, key: int) -> None:
    database.execute("clear_deployments", (key,))
    database.execute("clear_triggers", (key,))
    database.forget_keys()


def _remove_rest_of_project(database: Database, key: int) -> None:
    database.execute("give_builds_away", (key,))
    database.execute("delete_project", (key,))
    database.forget_keys()


def _remove_sessions_of_project(database: Database, key: int) -> bool:
    """Remove some; true when there are no more."""
    return _remove_sessions(database, "list_sessions_to_remove_of_project", (key, _STEP)) == (
        0,
        True,
    )


def _remove_some(database: Database, statement: str, project: int, limit: int) -> int:
    removed = database.execute(statement, (project, limit)).rowcount
    database.forget_keys()
    return removed


def _remove_deployment(database: Database, deployment_id: DeploymentId) -> bool:
    """Remove some sessions, or at last the deployment itself, which is true."""
    row = find_deployment_row(database, deployment_id)
    if row["state"] != DeploymentState.INACTIVE:
        raise DeploymentBusyError(deployment_id, row["state"])
    removed = _remove_sessions(
        database, "list_sessions_to_remove_of_deployment", (row["key"], _STEP)
    )
    if removed != (0, True):
        return False
    database.execute("delete_deployment", (row["key"],))
    database.forget_keys()
    return True


def _delete_session(database: Database, session_id: SessionId) -> bool:
    """Delete a session, or some of it when it is long; true when it is gone."""
    row = database.row("find_session_end", (session_id,))
    if row is None:
        raise SessionNotFoundError(session_id)
    if SessionState(row["state"]) not in FINAL_STATES:
        raise SessionBusyError(session_id, row["state"])
    _, is_all = _remove_sessions(database, "find_session_to_remove", (row["key"],))
    return is_all


def _remove_finished(database: Database, before_us: int, limit: int) -> tuple[int, bool]:
    removed, is_all = _remove_sessions(database, "list_ended_before", (before_us, limit))
    return removed, is_all and removed < limit


def _remove_sessions(
    database: Database, statement: str, parameters: tuple[int, ...]
) -> tuple[int, bool]:
    """Delete the sessions found, and those of their events that nothing else needs, as far as one step goes.

    Returns how many sessions are gone, and whether it is all that were found.
    """
    found = database.rows(statement, parameters)
    rows = found[: _shorten(database, [key for key, _ in found])]
    database.execute_each("delete_session", [(key,) for key, _ in rows])
    events = {event for _, event in rows if event is not None}
    database.execute_each("delete_event_without_sessions", [(event,) for event in events])
    database.execute_each("release_event", [(event,) for event in events])
    database.forget_keys()
    return len(rows), len(rows) == len(found)


def _shorten(database: Database, keys: list[int]) -> int:
    """Take some entries and log records from sessions, one after the other; how many of them have none left."""
    left = _ROWS
    for count, key in enumerate(keys):
        for statement in ("shorten_log", "shorten_journal"):
            left -= database.execute(statement, (key, left)).rowcount
            if left <= 0:
                return count
    return len(keys)


def _remove_idle_events(database: Database, keys: list[int]) -> int:
    removed = database.execute("delete_idle_events", (fast_json.write(keys).decode(),)).rowcount
    database.forget_keys()
    return removed


def _give_back_pages(database: Database) -> None:
    surplus: int = database.value("free_pages") - _FREE_PAGES_KEPT
    for _ in range(min(surplus, _PAGES_GIVEN_BACK)):
        database.rows("give_back_page")
