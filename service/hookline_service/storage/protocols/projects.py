"""Projects and what is set for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import Project, StoredVariable


class ProjectStore(Protocol):
    """Projects: each with everything that belongs to it."""

    async def find_project(self, name: str) -> Project | None:
        """The project of this name."""
        ...

    async def get_project(self, project_id: ProjectId) -> Project:
        """The project; raises `ProjectNotFoundError`."""
        ...

    async def list_projects(self) -> list[Project]:
        """All projects, by name."""
        ...

    async def add_project(self, project: Project) -> None:
        """Insert a project of which nothing is deployed. Raises `ProjectNameTakenError`."""
        ...

    async def delete_project(self, project_id: ProjectId) -> None:
        """Delete a project with everything that belongs to it; nothing happens when it is gone."""
        ...


class VariableStore(Protocol):
    """Variables of projects and of their connections."""

    async def list_variables(self, project_id: ProjectId) -> list[StoredVariable]:
        """Variables of the project and its connections, by scope and name."""
        ...

    async def set_variables(self, variables: Sequence[StoredVariable]) -> None:
        """Insert or replace; all or nothing."""
        ...

    async def replace_values(self, replaced: Sequence[tuple[StoredVariable, bytes]]) -> int:
        """Give variables another value where they still have the one given; all in one transaction.

        Everything else of them stays. Returns how many were as given; the others are left alone.
        """
        ...

    async def delete_variable(self, project_id: ProjectId, scope: str, name: str) -> bool:
        """Delete; false if there was none."""
        ...
