"""Projects, variables, connections."""

from __future__ import annotations

from collections.abc import Sequence

from hookline_service.model.errors import ProjectNotFoundError
from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import Connection, Project, StoredVariable
from hookline_service.storage.sqlite.connection import Database
from hookline_service.storage.sqlite.rows import CONNECTIONS, PROJECTS, VARIABLES
from hookline_service.storage.sqlite.tables import Tables, project_key


class ProjectTables(Tables):
    """See `ProjectStore`."""

    async def find_project(self, name: str) -> Project | None:
        """See `ProjectStore.find_project`."""
        row = self._readers.at_once(Database.row, "find_project_by_name", (name,))
        return None if row is None else PROJECTS.read(row)

    async def get_project(self, project_id: ProjectId) -> Project:
        """See `ProjectStore.get_project`."""
        row = self._readers.at_once(Database.row, "find_project", (project_id,))
        if row is None:
            raise ProjectNotFoundError(project_id)
        return PROJECTS.read(row)

    async def list_projects(self) -> list[Project]:
        """See `ProjectStore.list_projects`."""
        rows = await self._readers.run(Database.rows, "list_projects")
        return [PROJECTS.read(row) for row in rows]

    async def list_variables(self, project_id: ProjectId) -> list[StoredVariable]:
        """See `VariableStore.list_variables`."""
        rows = self._readers.at_once(Database.rows, "list_variables", (project_id,))
        return [VARIABLES.read(row, project_id=project_id) for row in rows]

    async def set_variables(self, variables: Sequence[StoredVariable]) -> None:
        """See `VariableStore.set_variables`."""
        self._writer.admit()
        await self._writer.run(save_variables, variables)

    async def replace_values(self, replaced: Sequence[tuple[StoredVariable, bytes]]) -> int:
        """See `VariableStore.replace_values`."""
        return await self._writer.run(replace_values, replaced)

    async def delete_variable(self, project_id: ProjectId, scope: str, name: str) -> bool:
        """See `VariableStore.delete_variable`."""
        return await self._writer.run(delete_variable, project_id, scope, name)

    async def list_connections(self, project_id: ProjectId) -> list[Connection]:
        """See `DeploymentStore.list_connections`."""
        rows = self._readers.at_once(Database.rows, "list_connections", (project_id,))
        return [CONNECTIONS.read(row, project_id=project_id) for row in rows]


def save_variables(database: Database, variables: Sequence[StoredVariable]) -> None:
    """Insert or replace variables."""
    database.forget_finders()
    for variable in variables:
        key = project_key(database, variable.project_id)
        database.execute("save_variable", {**VARIABLES.write(variable), "project_key": key})


def replace_values(database: Database, replaced: Sequence[tuple[StoredVariable, bytes]]) -> int:
    """Change values that are still as given; how many were."""
    database.forget_finders()
    count = 0
    for former, value in replaced:
        key = database.find_key("find_project_key", former.project_id)
        row = (value, key, former.scope, former.name, former.value)
        count += database.execute("replace_value", row).rowcount
    return count


def delete_variable(database: Database, project_id: ProjectId, scope: str, name: str) -> bool:
    """Delete one variable; false if there was none."""
    database.forget_finders()
    key = database.find_key("find_project_key", project_id)
    return database.execute("delete_variable", (key, scope, name)).rowcount > 0
