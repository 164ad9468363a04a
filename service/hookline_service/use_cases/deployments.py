"""Switching deployments: activate (also an older one), deactivate, test, delete."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import anyio

from hookline_service.clock import Clock
from hookline_service.manifest.encoding import manifest_from_json
from hookline_service.model.errors import DeploymentNotFoundError, NoActiveDeploymentError
from hookline_service.model.ids import BuildId, DeploymentId, ProjectId, TriggerId
from hookline_service.model.projects import (
    Build,
    Connection,
    Deployment,
    DeploymentState,
    Project,
    Schedule,
    Trigger,
)
from hookline_service.use_cases.builds import get_build
from hookline_service.use_cases.releases import (
    Identity,
    declared_connections,
    put_in_force,
    set_schedules,
)

logger = logging.getLogger(__name__)


class DeploymentReads(Protocol):
    """The part of the store that finds deployments."""

    async def find_active_deployment(self, project_id: ProjectId) -> Deployment | None:
        """See `ProjectStore.find_active_deployment`."""
        ...

    async def get_deployment(self, deployment_id: DeploymentId) -> Deployment:
        """See `ProjectStore.get_deployment`."""
        ...


class TriggersInForce(Protocol):
    """The part of the store that knows what is in force in a project."""

    async def list_triggers(self, project_id: ProjectId | None) -> list[Trigger]:
        """See `ProjectStore.list_triggers`."""
        ...

    async def list_schedules(self, project_id: ProjectId | None = None) -> list[Schedule]:
        """See `ScheduleStore.list_schedules`."""
        ...

    async def list_trigger_identities(self, project_id: ProjectId) -> list[Identity]:
        """See `ProjectStore.list_trigger_identities`."""
        ...


class ActivationStore(DeploymentReads, TriggersInForce, Protocol):
    """The part of the store that activation needs."""

    async def find_build(self, build_id: BuildId) -> Build | None:
        """See `ProjectStore.find_build`."""
        ...

    async def activate_deployment(
        self,
        deployment_id: DeploymentId,
        triggers: Sequence[Trigger],
        schedules: Sequence[Schedule],
        connections: Sequence[Connection],
        at: datetime,
    ) -> Deployment:
        """See `ProjectStore.activate_deployment`."""
        ...


async def get_active_deployment(store: DeploymentReads, project: Project) -> Deployment:
    """The deployment whose triggers are in force.

    Raises:
        NoActiveDeploymentError: the project has none.
    """
    deployment = await store.find_active_deployment(project.id)
    if deployment is None:
        raise NoActiveDeploymentError(project.name)
    return deployment


async def get_project_deployment(
    store: DeploymentReads, project: Project, deployment_id: str
) -> Deployment:
    """The deployment, if it is the project's.

    Raises:
        DeploymentNotFoundError: there is none in this project.
    """
    deployment = await store.get_deployment(DeploymentId(deployment_id))
    if deployment.project_id != project.id:
        raise DeploymentNotFoundError(deployment_id)
    return deployment


async def activate_deployment(
    store: ActivationStore, lock: anyio.Lock, clock: Clock, deployment_id: DeploymentId
) -> Deployment:
    """Make this the active deployment of its project, with the triggers and connections of its own manifest.

    Variables are the project's, and stay as they are.

    Idempotent. `lock` guards schedule rows.

    Raises:
        DeploymentNotFoundError: there is none.
        BuildNotFoundError: its build is gone.
    """
    deployment = await store.get_deployment(deployment_id)
    if deployment.state is DeploymentState.ACTIVE:
        return deployment
    build = await get_build(store, deployment.build_id)
    manifest = manifest_from_json(build.manifest)
    async with lock:
        now = clock.now()
        triggers = put_in_force(
            manifest.triggers,
            await store.list_trigger_identities(deployment.project_id),
            project_id=deployment.project_id,
            deployment_id=deployment.id,
            now=now,
        )
        former = await list_former(store, deployment.project_id)
        rows = set_schedules(triggers, former, now)
        connections = declared_connections(manifest, deployment.project_id)
        active = await store.activate_deployment(deployment.id, triggers, rows, connections, now)
    logger.info("deployment activated", extra={"deployment_id": active.id})
    return active


async def list_former(
    store: TriggersInForce, project_id: ProjectId
) -> dict[TriggerId, tuple[Trigger, Schedule]]:
    """The schedules in force with their triggers, by trigger."""
    triggers = {trigger.id: trigger for trigger in await store.list_triggers(project_id)}
    return {
        row.trigger_id: (triggers[row.trigger_id], row)
        for row in await store.list_schedules(project_id)
        if row.trigger_id in triggers
    }
