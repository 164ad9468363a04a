"""Switching deployments: activate (also an older one), deactivate, test, delete."""

from __future__ import annotations

import logging

import anyio

from hookline_service.clock import Clock
from hookline_service.manifest.encoding import manifest_from_json
from hookline_service.model.errors import DeploymentNotFoundError, NoActiveDeploymentError
from hookline_service.model.ids import DeploymentId, ProjectId, TriggerId
from hookline_service.model.projects import (
    Deployment,
    DeploymentState,
    Project,
    Schedule,
    Trigger,
)
from hookline_service.storage.protocols import DeploymentStore, Store, TriggerStore
from hookline_service.use_cases.builds import get_build
from hookline_service.use_cases.releases import (
    declared_connections,
    set_schedules,
    triggers_of_manifest,
)

logger = logging.getLogger(__name__)


async def get_active_deployment(store: DeploymentStore, project: Project) -> Deployment:
    """The deployment whose triggers are in force.

    Raises:
        NoActiveDeploymentError: the project has none.
    """
    deployment = await store.find_active_deployment(project.id)
    if deployment is None:
        raise NoActiveDeploymentError(project.name)
    return deployment


async def get_project_deployment(
    store: DeploymentStore, project: Project, deployment_id: str
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
    store: Store, lock: anyio.Lock, clock: Clock, deployment_id: DeploymentId
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
        triggers = triggers_of_manifest(
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
    store: TriggerStore, project_id: ProjectId
) -> dict[TriggerId, tuple[Trigger, Schedule]]:
    """The schedules in force with their triggers, by trigger."""
    triggers = {trigger.id: trigger for trigger in await store.list_triggers(project_id)}
    return {
        row.trigger_id: (triggers[row.trigger_id], row)
        for row in await store.list_schedules(project_id)
        if row.trigger_id in triggers
    }
