"""Builds, deployments and the one transaction of a deploy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hookline.errors import InternalError
from hookline_runner import fast_json
from hookline_service.model.errors import (
    BuildInUseError,
    BuildNotFoundError,
    DeploymentNotFoundError,
)
from hookline_service.model.ids import BuildId, DeploymentId, ProjectId
from hookline_service.model.projects import (
    Build,
    Connection,
    Deployment,
    DeploymentState,
    Project,
    Release,
    Schedule,
    Trigger,
)
from hookline_service.model.sessions import SessionState
from hookline_service.storage.errors import ProjectNameTakenError
from hookline_service.storage.sqlite.connection import Database, Row
from hookline_service.storage.sqlite.projects import delete_variable, save_variables
from hookline_service.storage.sqlite.records import to_us
from hookline_service.storage.sqlite.rows import BUILDS, CONNECTIONS, DEPLOYMENTS, PROJECTS
from hookline_service.storage.sqlite.tables import (
    ABOVE_EVERY_ID,
    Tables,
    build_key,
    project_key,
)
from hookline_service.storage.sqlite.triggers import replace_triggers, retire_triggers


class DeploymentTables(Tables):
    """See `ProjectStore`."""

    async def apply_release(self, release: Release) -> None:
        """See `DeploymentStore.apply_release`."""
        self._writer.admit()
        await self._writer.run(_apply_release, release, size_bytes=len(release.archive))

    async def activate_deployment(
        self,
        deployment_id: DeploymentId,
        triggers: Sequence[Trigger],
        schedules: Sequence[Schedule],
        connections: Sequence[Connection],
        at: datetime,
    ) -> Deployment:
        """See `DeploymentStore.activate_deployment`."""
        return await self._writer.run(
            _activate, deployment_id, triggers, schedules, connections, at
        )

    async def add_project(self, project: Project) -> None:
        """See `ProjectStore.add_project`."""
        self._writer.admit()
        await self._writer.run(save_project, project)

    async def set_deployment_state(
        self, deployment_id: DeploymentId, state: DeploymentState
    ) -> Deployment:
        """See `DeploymentStore.set_deployment_state`."""
        return await self._writer.run(_set_state, deployment_id, state)

    async def settle_draining(self) -> list[DeploymentId]:
        """See `DeploymentStore.settle_draining`."""
        rows = await self._writer.run(Database.rows, "settle_draining")
        return sorted(row["id"] for row in rows)

    async def get_deployment(self, deployment_id: DeploymentId) -> Deployment:
        """See `DeploymentStore.get_deployment`."""
        row = self._readers.at_once(Database.row, "find_deployment", (deployment_id,))
        if row is None:
            raise DeploymentNotFoundError(deployment_id)
        return DEPLOYMENTS.read(row)

    async def find_active_deployment(self, project_id: ProjectId) -> Deployment | None:
        """See `DeploymentStore.find_active_deployment`."""
        row = self._readers.at_once(Database.row, "find_active_deployment", (project_id,))
        return None if row is None else DEPLOYMENTS.read(row)

    async def list_deployments(
        self, project_id: ProjectId | None, limit: int, before: DeploymentId | None = None
    ) -> list[Deployment]:
        """See `DeploymentStore.list_deployments`."""
        rows = await self._readers.run(_list_deployments, project_id, limit, before)
        return [DEPLOYMENTS.read(row) for row in rows]

    async def count_sessions(self, deployment_id: DeploymentId) -> dict[SessionState, int]:
        """See `DeploymentStore.count_sessions`."""
        rows = await self._readers.run(_count_sessions, deployment_id)
        counts = dict.fromkeys(SessionState, 0)
        counts.update({SessionState(state): count for state, count in rows})
        return counts

    async def find_build(self, build_id: BuildId) -> Build | None:
        """See `BuildStore.find_build`."""
        row = self._readers.at_once(Database.row, "find_build", (build_id,))
        return None if row is None else BUILDS.read(row)

    async def get_archive(self, build_id: BuildId) -> bytes:
        """See `BuildStore.get_archive`."""
        row = await self._readers.run(Database.row, "find_archive", (build_id,))
        if row is None:
            raise BuildNotFoundError(build_id)
        return row["content"]

    async def list_builds(self, project_id: ProjectId | None, limit: int) -> list[Build]:
        """See `BuildStore.list_builds`."""
        rows = await self._readers.run(_list_builds, project_id, limit)
        return [BUILDS.read(row) for row in rows]

    async def list_needed_builds(self, builds: Sequence[BuildId]) -> list[BuildId]:
        """See `BuildStore.list_needed_builds`."""
        ids = fast_json.write(list(builds)).decode()
        rows = await self._readers.run(Database.rows, "list_needed_builds", (ids,))
        return [row["id"] for row in rows]

    async def delete_build(self, build_id: BuildId) -> None:
        """See `BuildStore.delete_build`."""
        await self._writer.run(_delete_build, build_id)


def _apply_release(database: Database, release: Release) -> None:
    project = release.project
    save_project(database, project)
    key = project_key(database, project.id)
    _save_build(database, key, release)
    deployment = release.deployment
    row = {
        **DEPLOYMENTS.write(deployment),
        "project_key": key,
        "build_key": build_key(database, deployment.build_id),
        "state": DeploymentState.INACTIVE.value,
    }
    database.execute("insert_deployment", row)
    at = deployment.activated_at or deployment.created_at
    _activate(database, deployment.id, release.triggers, release.schedules, release.connections, at)
    save_variables(database, release.variables_set)
    for scope, name in release.variables_deleted:
        delete_variable(database, project.id, scope, name)


def save_project(database: Database, project: Project) -> None:
    """Insert or update a project; raises `ProjectNameTakenError`."""
    named = database.row("find_project_by_name", (project.name,))
    if named is not None and named["id"] != project.id:
        raise ProjectNameTakenError(project.name)
    database.execute("save_project", PROJECTS.write(project))


def _save_build(database: Database, project: int, release: Release) -> None:
    build = release.build
    database.execute("insert_build", {**BUILDS.write(build), "project_key": project})
    database.execute("insert_archive", (build_key(database, build.id), release.archive))


def _replace_connections(
    database: Database, project: int, connections: Sequence[Connection]
) -> None:
    database.execute("clear_connections", (project,))
    for connection in connections:
        row = {**CONNECTIONS.write(connection), "project_key": project}
        database.execute("insert_connection", row)


def _activate(
    database: Database,
    deployment_id: DeploymentId,
    triggers: Sequence[Trigger],
    schedules: Sequence[Schedule],
    connections: Sequence[Connection],
    at: datetime,
) -> Deployment:
    row = find_deployment_row(database, deployment_id)
    key: int = row["key"]
    project: int = row["project_key"]
    database.execute("retire_active_deployment", (project, key))
    database.execute("activate_deployment", (to_us(at), key))
    replace_triggers(database, project, triggers, schedules)
    _replace_connections(database, project, connections)
    return DEPLOYMENTS.read(find_deployment_row(database, deployment_id))


def _set_state(
    database: Database, deployment_id: DeploymentId, state: DeploymentState
) -> Deployment:
    before = find_deployment_row(database, deployment_id)
    if state is DeploymentState.ACTIVE:
        raise InternalError("a deployment is made active by activate_deployment")
    if before["state"] == DeploymentState.ACTIVE:
        retire_triggers(database, before["project_key"])
    database.execute("set_deployment_state", (state, before["key"]))
    return DEPLOYMENTS.read(find_deployment_row(database, deployment_id))


def find_deployment_row(database: Database, deployment_id: DeploymentId) -> Row:
    """The row of a deployment; raises `DeploymentNotFoundError`."""
    row = database.row("find_deployment", (deployment_id,))
    if row is None:
        raise DeploymentNotFoundError(deployment_id)
    return row


def _list_deployments(
    database: Database, project_id: ProjectId | None, limit: int, before: DeploymentId | None
) -> list[Row]:
    below = before or ABOVE_EVERY_ID
    if project_id is None:
        return database.rows("list_deployments", (below, limit))
    key: int | None = database.value("find_project_key", (project_id,))
    return database.rows("list_deployments_of_project", (key, below, limit))


def _count_sessions(database: Database, deployment_id: DeploymentId) -> list[Row]:
    key: int | None = database.value("find_deployment_key", (deployment_id,))
    return database.rows("count_sessions_by_state", (key,))


def _list_builds(database: Database, project_id: ProjectId | None, limit: int) -> list[Row]:
    if project_id is None:
        return database.rows("list_builds", (limit,))
    key: int | None = database.value("find_project_key", (project_id,))
    return database.rows("list_builds_of_project", (key, limit))


def _delete_build(database: Database, build_id: BuildId) -> None:
    key: int | None = database.value("find_build_key", (build_id,))
    if key is None:
        raise BuildNotFoundError(build_id)
    if database.value("is_build_used", (key,)):
        raise BuildInUseError(build_id)
    database.execute("delete_build", (build_id,))
    database.forget_keys()
