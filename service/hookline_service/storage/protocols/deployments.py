"""Deployments, and the builds they run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from hookline_service.model.ids import BuildId, DeploymentId, ProjectId
from hookline_service.model.projects import (
    Build,
    Connection,
    Deployment,
    DeploymentState,
    Release,
    Schedule,
    Trigger,
)
from hookline_service.model.sessions import SessionState


class DeploymentStore(Protocol):
    """Deployments: at most one active for each project."""

    async def apply_release(self, release: Release) -> None:
        """Write everything a deploy decided and activate its deployment, as one transaction.

        The project is inserted or updated; the build is kept if its id exists; the deployment becomes the one active
        deployment of the project (see `activate_deployment`); triggers, schedules and connections of the project are
        replaced by the given ones (a trigger keeps its row by id, and a slug it once had); variables are set and
        deleted. Raises `ProjectNameTakenError` when another project has the name.
        """
        ...

    async def activate_deployment(
        self,
        deployment_id: DeploymentId,
        triggers: Sequence[Trigger],
        schedules: Sequence[Schedule],
        connections: Sequence[Connection],
        at: datetime,
    ) -> Deployment:
        """Make this deployment the active one of its project, with these and no other triggers and connections, as one transaction.

        A schedule that was paused when it went out of force is paused still.
        A formerly active one becomes draining if it has sessions that are not final, else inactive.
        Idempotent. Raises `DeploymentNotFoundError`.
        """
        ...

    async def set_deployment_state(
        self, deployment_id: DeploymentId, state: DeploymentState
    ) -> Deployment:
        """Put the deployment in a state that is not active; INACTIVE becomes DRAINING while sessions run.

        Its triggers go when it was the active one. Raises `DeploymentNotFoundError`.
        """
        ...

    async def settle_draining(self) -> list[DeploymentId]:
        """Make draining deployments without unfinished sessions inactive; returns those changed."""
        ...

    async def get_deployment(self, deployment_id: DeploymentId) -> Deployment:
        """The deployment; raises `DeploymentNotFoundError`."""
        ...

    async def find_active_deployment(self, project_id: ProjectId) -> Deployment | None:
        """The one active deployment of the project."""
        ...

    async def list_deployments(
        self, project_id: ProjectId | None, limit: int, before: DeploymentId | None = None
    ) -> list[Deployment]:
        """Deployments, newest first."""
        ...

    async def count_sessions(self, deployment_id: DeploymentId) -> dict[SessionState, int]:
        """How many sessions of the deployment are in each state; every state is named."""
        ...

    async def delete_deployment(self, deployment_id: DeploymentId) -> None:
        """Delete an inactive deployment and its sessions; raises `DeploymentBusyError` in any other state.

        Raises `DeploymentNotFoundError`.
        """
        ...

    async def list_connections(self, project_id: ProjectId) -> list[Connection]:
        """Connections of the project, by name."""
        ...


class BuildStore(Protocol):
    """Builds: what was deployed, unchanged for as long as a deployment or session needs it."""

    async def find_build(self, build_id: BuildId) -> Build | None:
        """The build."""
        ...

    async def get_archive(self, build_id: BuildId) -> bytes:
        """The build's files as an uncompressed tar; raises `BuildNotFoundError`."""
        ...

    async def list_builds(self, project_id: ProjectId | None, limit: int) -> list[Build]:
        """Builds, newest first."""
        ...

    async def list_needed_builds(self, builds: Sequence[BuildId]) -> list[BuildId]:
        """Those of these builds that a session names, or a deployment that is not inactive."""
        ...

    async def delete_build(self, build_id: BuildId) -> None:
        """Delete a build that no deployment and no session names; raises `BuildInUseError`, `BuildNotFoundError`."""
        ...
