"""The part of a store in memory that knows projects, deployments and triggers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hookline.errors import InternalError
from hookline_service.model.errors import (
    BuildInUseError,
    BuildNotFoundError,
    DeploymentBusyError,
    DeploymentNotFoundError,
    ProjectNotFoundError,
)
from hookline_service.model.ids import (
    BuildId,
    DeploymentId,
    ProjectId,
    TriggerId,
)
from hookline_service.model.projects import (
    Build,
    Connection,
    Deployment,
    DeploymentState,
    Project,
    Release,
    Schedule,
    StoredVariable,
    Trigger,
)
from hookline_service.model.sealing import ValueKey
from hookline_service.model.sessions import (
    SessionFilter,
    SessionState,
)
from hookline_service.storage.errors import ProjectNameTakenError
from hookline_triggers.definitions import TriggerKind
from tests.fakes.memory_rules import (
    drop,
    newest,
)
from tests.fakes.memory_tables import MemoryTables


class MemoryProjects(MemoryTables):
    """See `ProjectStore` and `ScheduleStore`."""

    async def find_project(self, name: str) -> Project | None:
        return next((each for each in self._projects.values() if each.name == name), None)

    async def get_project(self, project_id: ProjectId) -> Project:
        if project_id not in self._projects:
            raise ProjectNotFoundError(project_id)
        return self._projects[project_id]

    async def list_projects(self) -> list[Project]:
        return sorted(self._projects.values(), key=lambda each: each.name)

    async def add_project(self, project: Project) -> None:
        self._may_write()
        if await self.find_project(project.name) is not None:
            raise ProjectNameTakenError(project.name)
        self._projects[project.id] = project

    async def delete_project(self, project_id: ProjectId) -> None:
        self._may_write()
        for session in self._matching(SessionFilter(project_id=project_id)):
            self._remove(session)
        drop(self._events, [e.id for e in self._events.values() if e.project_id == project_id])
        drop(self._variables, [key for key in self._variables if key[0] == project_id])
        drop(self._connections, [key for key in self._connections if key[0] == project_id])
        self._retire_triggers(project_id)
        gone = [each.id for each in self._triggers.values() if each.project_id == project_id]
        drop(self._triggers, gone)
        owned = [d.id for d in self._deployments.values() if d.project_id == project_id]
        drop(self._deployments, owned)
        builds = [b.id for b, _ in self._builds.values() if b.project_id == project_id]
        drop(self._builds, [build_id for build_id in builds if not self._is_used(build_id)])
        drop(self._projects, [project_id])

    async def list_variables(self, project_id: ProjectId) -> list[StoredVariable]:
        found = [each for each in self._variables.values() if each.project_id == project_id]
        return sorted(found, key=lambda each: (each.scope, each.name))

    async def set_variables(self, variables: Sequence[StoredVariable]) -> None:
        self._may_write()
        for each in variables:
            await self.get_project(each.project_id)
        for each in variables:
            self._variables[each.project_id, each.scope, each.name] = each

    async def list_value_keys(self) -> list[ValueKey]:
        return list(self.value_keys)

    async def add_value_key(self, box: bytes) -> None:
        self._may_write()
        self.value_keys.append(ValueKey(id=len(self.value_keys) + 1, box=box))

    async def replace_value_key(self, former: ValueKey, box: bytes) -> bool:
        self._may_write()
        if former not in self.value_keys:
            return False
        self.value_keys[self.value_keys.index(former)] = ValueKey(id=former.id, box=box)
        return True

    async def replace_values(self, replaced: Sequence[tuple[StoredVariable, bytes]]) -> int:
        self._may_write()
        count = 0
        for former, value in replaced:
            key = (former.project_id, former.scope, former.name)
            present = self._variables.get(key)
            if present is not None and present.value == former.value:
                self._variables[key] = replace(present, value=value)
                count += 1
        return count

    async def delete_variable(self, project_id: ProjectId, scope: str, name: str) -> bool:
        self._may_write()
        return self._variables.pop((project_id, scope, name), None) is not None

    async def list_connections(self, project_id: ProjectId) -> list[Connection]:
        found = [each for each in self._connections.values() if each.project_id == project_id]
        return sorted(found, key=lambda each: each.name)

    # Deployments

    async def apply_release(self, release: Release) -> None:
        self._may_write()
        project, deployment = release.project, release.deployment
        for each in release.triggers:
            if each.deployment_id not in {*self._deployments, deployment.id}:
                raise DeploymentNotFoundError(each.deployment_id)
        named = await self.find_project(project.name)
        if named is not None and named.id != project.id:
            raise ProjectNameTakenError(project.name)
        old = self._projects.get(project.id, project)
        self._projects[project.id] = replace(project, created_at=old.created_at)
        self._builds.setdefault(release.build.id, (release.build, release.archive))
        idle = replace(deployment, state=DeploymentState.INACTIVE)
        self._deployments.setdefault(deployment.id, idle)
        at = deployment.activated_at or deployment.created_at
        await self.activate_deployment(
            deployment.id, release.triggers, release.schedules, release.connections, at
        )
        await self.set_variables(release.variables_set)
        for scope, name in release.variables_deleted:
            await self.delete_variable(project.id, scope, name)

    async def activate_deployment(
        self,
        deployment_id: DeploymentId,
        triggers: Sequence[Trigger],
        schedules: Sequence[Schedule],
        connections: Sequence[Connection],
        at: datetime,
    ) -> Deployment:
        self._may_write()
        deployment = await self.get_deployment(deployment_id)
        for each in triggers:
            await self.get_deployment(each.deployment_id)
        former = await self.find_active_deployment(deployment.project_id)
        if former is not None and former.id != deployment_id:
            self._deployments[former.id] = replace(former, state=self._idle_state(former.id))
        if deployment.state is not DeploymentState.ACTIVE:
            deployment = replace(deployment, state=DeploymentState.ACTIVE, activated_at=at)
        self._deployments[deployment_id] = deployment
        self._retire_triggers(deployment.project_id)
        for each in triggers:
            old = self._triggers.get(each.id, each)
            self._triggers[each.id] = replace(each, slug=each.slug or old.slug)
            self._in_force.add(each.id)
        timed = {each.trigger_id for each in schedules}
        drop(self._schedules, [each.id for each in triggers if each.id not in timed])
        for each in schedules:
            kept = self._schedules.get(each.trigger_id)
            if kept is not None:  # it was paused when it went out of force
                last = each.last_fire_at or kept.last_fire_at
                reason = kept.pause_reason
                each = replace(each, paused=True, pause_reason=reason, last_fire_at=last)  # noqa: PLW2901
            await self.save_schedule(each)
        project_id = deployment.project_id
        drop(self._connections, [key for key in self._connections if key[0] == project_id])
        self._connections.update({(project_id, each.name): each for each in connections})
        return deployment

    async def set_deployment_state(
        self, deployment_id: DeploymentId, state: DeploymentState
    ) -> Deployment:
        self._may_write()
        deployment = await self.get_deployment(deployment_id)
        if state is DeploymentState.ACTIVE:
            raise InternalError("a deployment is made active by activate_deployment")
        if deployment.state is DeploymentState.ACTIVE:
            self._retire_triggers(deployment.project_id)
        if state is DeploymentState.INACTIVE:
            state = self._idle_state(deployment_id)
        self._deployments[deployment_id] = replace(deployment, state=state)
        return self._deployments[deployment_id]

    async def settle_draining(self) -> list[DeploymentId]:
        self._may_write()
        return sorted(each for each in self._deployments if self._settle(each))

    def _settle(self, deployment_id: DeploymentId) -> bool:
        """Whether the deployment has become inactive, as it drained and no session of it is unfinished."""
        deployment = self._deployments[deployment_id]
        if deployment.state is not DeploymentState.DRAINING:
            return False
        self._deployments[deployment_id] = replace(
            deployment, state=self._idle_state(deployment_id)
        )
        return self._deployments[deployment_id].state is DeploymentState.INACTIVE

    async def get_deployment(self, deployment_id: DeploymentId) -> Deployment:
        if deployment_id not in self._deployments:
            raise DeploymentNotFoundError(deployment_id)
        return self._deployments[deployment_id]

    async def find_active_deployment(self, project_id: ProjectId) -> Deployment | None:
        found = await self.list_deployments(project_id, limit=len(self._deployments))
        return next((each for each in found if each.state is DeploymentState.ACTIVE), None)

    async def list_deployments(
        self, project_id: ProjectId | None, limit: int, before: DeploymentId | None = None
    ) -> list[Deployment]:
        found = [
            each
            for each in self._deployments.values()
            if project_id in (None, each.project_id) and (before is None or each.id < before)
        ]
        return newest(found, limit)

    async def delete_deployment(self, deployment_id: DeploymentId) -> None:
        self._may_write()
        deployment = await self.get_deployment(deployment_id)
        if deployment.state is not DeploymentState.INACTIVE:
            raise DeploymentBusyError(deployment_id, deployment.state)
        for session in self._matching(SessionFilter(deployment_id=deployment_id)):
            self._remove(session)
        del self._deployments[deployment_id]

    async def count_sessions(self, deployment_id: DeploymentId) -> dict[SessionState, int]:
        counts = dict.fromkeys(SessionState, 0)
        for session in self._matching(SessionFilter(deployment_id=deployment_id)):
            counts[session.state] += 1
        return counts

    async def find_build(self, build_id: BuildId) -> Build | None:
        return self._builds[build_id][0] if build_id in self._builds else None

    async def get_archive(self, build_id: BuildId) -> bytes:
        if build_id not in self._builds:
            raise BuildNotFoundError(build_id)
        return self._builds[build_id][1]

    async def list_builds(self, project_id: ProjectId | None, limit: int) -> list[Build]:
        found = [b for b, _ in self._builds.values() if project_id in (None, b.project_id)]
        return sorted(found, key=lambda each: each.created_at, reverse=True)[:limit]

    async def list_needed_builds(self, builds: Sequence[BuildId]) -> list[BuildId]:
        named = {each.build_id for each in self._sessions.values()}
        live = (d for d in self._deployments.values() if d.state is not DeploymentState.INACTIVE)
        needed = named | {each.build_id for each in live}
        return [each for each in builds if each in self._builds and each in needed]

    async def delete_build(self, build_id: BuildId) -> None:
        self._may_write()
        if build_id not in self._builds:
            raise BuildNotFoundError(build_id)
        if self._is_used(build_id):
            raise BuildInUseError(build_id)
        del self._builds[build_id]

    # Triggers and schedules

    async def find_trigger_by_slug(self, slug: str) -> Trigger | None:
        found = await self.list_triggers(None)
        return next((each for each in found if each.slug == slug), None)

    async def find_trigger(self, trigger_id: TriggerId) -> Trigger | None:
        if trigger_id not in self._in_force:
            return None
        trigger = self._triggers[trigger_id]
        is_webhook = trigger.definition.kind is TriggerKind.WEBHOOK
        return trigger if is_webhook else replace(trigger, slug=None)

    async def list_triggers(self, project_id: ProjectId | None) -> list[Trigger]:
        found = [await self.find_trigger(trigger_id) for trigger_id in self._in_force]
        chosen = [each for each in found if each and project_id in (None, each.project_id)]
        return sorted(chosen, key=lambda each: (each.project_id, each.definition.name, each.id))

    async def list_trigger_identities(
        self, project_id: ProjectId
    ) -> list[tuple[TriggerId, str, str | None]]:
        found = [each for each in self._triggers.values() if each.project_id == project_id]
        found.sort(key=lambda each: (each.definition.name, each.id))
        return [(each.id, each.definition.name, each.slug) for each in found]

    async def list_schedules(self, project_id: ProjectId | None = None) -> list[Schedule]:
        found = [
            each
            for each in self._schedules.values()
            if each.trigger_id in self._in_force and project_id in (None, each.project_id)
        ]
        return sorted(found, key=lambda each: each.trigger_id)

    async def save_schedule(self, schedule: Schedule) -> None:
        self._may_write()
        if schedule.trigger_id in self._in_force:
            self._schedules[schedule.trigger_id] = schedule
