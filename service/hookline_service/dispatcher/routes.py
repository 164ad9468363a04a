"""The triggers in force, at hand for every event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import anyio

from hookline_service.model.ids import DeploymentId, ProjectId, TriggerId
from hookline_service.model.projects import Deployment, Project, Trigger
from hookline_service.storage.protocols import Store
from hookline_triggers.definitions import TriggerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A trigger in force with the deployment and project it belongs to."""

    trigger: Trigger
    deployment: Deployment
    project: Project


class RouteTable:
    """Routes by slug, by trigger id and by connection. After `expire` the next look-up reads them anew."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_slug: dict[str, Route] = {}
        self._by_id: dict[TriggerId, Route] = {}
        self._by_connection: dict[tuple[ProjectId, str], list[Route]] = {}
        self._is_current = False
        self._lock = anyio.Lock()
        self._version = 0

    def expire(self) -> None:
        """Triggers or deployments changed in the store."""
        self._is_current = False
        self._version += 1

    async def find_by_slug(self, slug: str) -> Route | None:
        """The route of a webhook; None when there is none in force."""
        if not self._is_current:
            await self._load()
        return self._by_slug.get(slug)

    async def find_by_id(self, trigger_id: TriggerId) -> Route | None:
        """The route of a trigger; None when it is not in force."""
        if not self._is_current:
            await self._load()
        return self._by_id.get(trigger_id)

    async def list_by_connection(self, project_id: ProjectId, connection: str) -> list[Route]:
        """The routes of all triggers in force of this connection, by name."""
        if not self._is_current:
            await self._load()
        return self._by_connection.get((project_id, connection), [])

    async def _load(self) -> None:
        async with self._lock:
            if self._is_current:
                return
            version = self._version
            projects = {project.id: project for project in await self._store.list_projects()}
            deployments: dict[DeploymentId, Deployment] = {}
            by_id: dict[TriggerId, Route] = {}
            for trigger in await self._store.list_triggers(None):
                if trigger.deployment_id not in deployments:
                    deployment = await self._store.get_deployment(trigger.deployment_id)
                    deployments[trigger.deployment_id] = deployment
                project = projects.get(trigger.project_id)
                if project is not None:
                    deployment = deployments[trigger.deployment_id]
                    by_id[trigger.id] = Route(
                        trigger=trigger, deployment=deployment, project=project
                    )
            self._by_id = by_id
            self._by_slug = {
                route.trigger.slug: route for route in by_id.values() if route.trigger.slug
            }
            self._by_connection = _by_connection(by_id.values())
            self._is_current = version == self._version


def _by_connection(routes: Iterable[Route]) -> dict[tuple[ProjectId, str], list[Route]]:
    found: dict[tuple[ProjectId, str], list[Route]] = {}
    for route in sorted(routes, key=lambda route: route.trigger.definition.name):
        definition = route.trigger.definition
        if definition.kind is TriggerKind.CONNECTION:
            key = (route.trigger.project_id, definition.connection)
            found.setdefault(key, []).append(route)
    return found
