"""Deploying a project: check all of it, build it, and make it the one active deployment, or change nothing."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import anyio
import anyio.to_thread

from hookline.errors import InternalError
from hookline_service.clock import Clock
from hookline_service.engine.protocol import Prepared, Preparer
from hookline_service.manifest.check import check_project
from hookline_service.manifest.plan import Action, Plan, plan_release
from hookline_service.manifest.values import has_errors, sort_findings
from hookline_service.model.errors import Finding, ProjectInvalidError
from hookline_service.model.ids import (
    BuildId,
    DeploymentId,
    ProjectId,
    new_deployment_id,
    new_project_id,
)
from hookline_service.model.projects import (
    Build,
    Deployment,
    DeploymentState,
    Project,
    Release,
    StoredVariable,
    Trigger,
)
from hookline_service.settings import Settings
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.deploy_preparing import Preparation, Progress, prepare_source
from hookline_service.use_cases.deploy_source import Source, read_source
from hookline_service.use_cases.deploy_state import ProjectState, read_state
from hookline_service.use_cases.projects import check_project_name
from hookline_service.use_cases.releases import (
    declared_connections,
    set_schedules,
    triggers_of_manifest,
)
from hookline_service.use_cases.secrets import SecretBox, SecretPlace
from hookline_service.use_cases.webhook_urls import webhook_url
from hookline_triggers.cron import parse_schedule
from hookline_triggers.definitions import TriggerDefinition, TriggerKind

logger = logging.getLogger(__name__)

_APPLY_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """What to deploy.

    `archive` is a tar of the project's directory. `manifest_name` None takes the manifest that is there;
    `project` overrides its name.
    """

    archive: bytes
    manifest_name: str | None = None
    project: str | None = None
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedTrigger:
    """A trigger in force; `url` is None when it is no webhook, or a new one in a dry run.

    `description` says in words when a schedule fires, `next_fire_at` the first time of that; for others they are empty.
    """

    name: str
    kind: str
    url: str | None
    description: str = ""
    next_fire_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What a deploy did, or would do."""

    project: str
    build_id: BuildId
    deployment_id: DeploymentId | None
    is_dry_run: bool
    triggers: tuple[DeployedTrigger, ...]
    warnings: tuple[Finding, ...]
    plan: tuple[Action, ...]
    environment: str
    created_build: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """Deploys projects. `lock` guards the rows of schedules, and one deploy's decision against another's."""

    store: Store
    preparer: Preparer
    box: SecretBox
    clock: Clock
    settings: Settings
    lock: anyio.Lock
    on_schedules_changed: Callable[[], None]
    on_project_changed: Callable[[ProjectId], None]

    async def deploy(self, request: DeployRequest, on_progress: Progress) -> Deployed:
        """Check, build and activate; with `is_dry_run` stop before anything is written.

        The active deployment stays as it was unless everything succeeds. Equal input gives the same build.

        Raises:
            ArchiveInvalidError: the archive is no project's.
            ProjectInvalidError: with everything that is wrong with the project.
            ProjectNameInvalidError: the name that takes the place of the manifest's cannot be a new project's.
            RunnerUnavailableError: no runner host is there to build it, and nothing is known to be wrong.
            PreparationLostError: the runner host was lost, or too slow.
        """
        await on_progress("reading the project")
        limit = self.settings.deploy_limit_bytes
        source = await anyio.to_thread.run_sync(read_source, request, limit)
        before = await self._read_state(source)
        if request.project is not None and before.project is None:
            check_project_name(request.project)

        async def is_hopeless(so_far: Preparation) -> bool:
            return has_errors(await _find_all(source, so_far, before))

        preparation = await prepare_source(
            self.preparer, source, is_hopeless, on_progress, is_new=_is_new(source, before)
        )
        await on_progress("checking the project")
        state = await self._read_state(source)
        sound, warnings = await _require_sound(source, preparation, state)
        if request.is_dry_run:
            return self._dry_result(source, sound, state, warnings)
        async with (
            self.lock
        ):  # schedules wait meanwhile, so only what must be one with the write is in here
            return await self._release(source, sound, await self._read_state(source), warnings)

    async def _read_state(self, source: Source) -> ProjectState:
        name = source.manifest.project
        return await read_state(self.store, self.box, name, source.build_id)

    async def _release(
        self,
        source: Source,
        prepared: Prepared,
        state: ProjectState,
        warnings: tuple[Finding, ...],
    ) -> Deployed:
        now = self.clock.now()
        plan = plan_release(state.present, source.planned, source.given)
        release = self._compose(source, prepared, state, plan, now)
        # Once it is written, those who serve triggers must hear of it, even if the caller is gone.
        with anyio.fail_after(_APPLY_DEADLINE_S, shield=True):
            await self.store.apply_release(release)
            self.on_project_changed(release.project.id)
            self.on_schedules_changed()
        facts = {"project": release.project.name, "deployment_id": release.deployment.id}
        logger.info("deployed", extra=facts)
        return Deployed(
            project=release.project.name,
            build_id=release.build.id,
            deployment_id=release.deployment.id,
            is_dry_run=False,
            triggers=self._shown(release.triggers),
            warnings=warnings,
            plan=plan.actions,
            environment=prepared.environment,
            created_build=not state.has_build,
        )

    def _compose(
        self,
        source: Source,
        prepared: Prepared,
        state: ProjectState,
        plan: Plan,
        now: datetime,
    ) -> Release:
        manifest = source.manifest
        project = _project(state.project, source, now)
        deployment = Deployment(
            id=new_deployment_id(now),
            project_id=project.id,
            build_id=source.build_id,
            state=DeploymentState.ACTIVE,
            created_at=now,
            activated_at=now,
        )
        triggers = triggers_of_manifest(
            manifest.triggers,
            state.identities,
            project_id=project.id,
            deployment_id=deployment.id,
            now=now,
        )
        return Release(
            project=project,
            build=Build(
                id=source.build_id,
                project_id=project.id,
                manifest=source.stored_manifest,
                environment=prepared.environment,
                file_count=source.file_count,
                size_bytes=len(source.archive),
                created_at=now,
            ),
            archive=source.archive,
            deployment=deployment,
            triggers=triggers,
            schedules=set_schedules(triggers, state.former_schedules, now),
            connections=declared_connections(manifest, project.id),
            variables_set=self._sealed(plan, project.id, now),
            variables_deleted=plan.variables_deleted,
        )

    def _sealed(
        self, plan: Plan, project_id: ProjectId, now: datetime
    ) -> tuple[StoredVariable, ...]:
        return tuple(
            StoredVariable(
                project_id=project_id,
                scope=change.scope,
                name=change.name,
                value=change.value.encode()
                if isinstance(change.value, str)
                else self.box.seal(
                    SecretPlace(project_id=project_id, scope=change.scope, name=change.name),
                    change.value,
                ),
                is_secret=change.is_secret,
                description=change.description,
                updated_at=now,
            )
            for change in plan.variables_set
        )

    def _dry_result(
        self,
        source: Source,
        prepared: Prepared,
        state: ProjectState,
        warnings: tuple[Finding, ...],
    ) -> Deployed:
        slugs = {name: slug for _, name, slug in state.identities}
        triggers = tuple(
            self._show(one, slugs.get(one.name) or "") for one in source.manifest.triggers
        )
        return Deployed(
            project=source.manifest.project,
            build_id=source.build_id,
            deployment_id=None,
            is_dry_run=True,
            triggers=triggers,
            warnings=warnings,
            plan=plan_release(state.present, source.planned, source.given).actions,
            environment=prepared.environment,
            created_build=not state.has_build,
        )

    def _shown(self, triggers: tuple[Trigger, ...]) -> tuple[DeployedTrigger, ...]:
        return tuple(self._show(one.definition, one.slug or "") for one in triggers)

    def _show(self, definition: TriggerDefinition, slug: str) -> DeployedTrigger:
        url = webhook_url(self.settings.base_url, slug) if slug else None
        if definition.kind is not TriggerKind.SCHEDULE:
            return DeployedTrigger(name=definition.name, kind=definition.kind, url=url)
        schedule = parse_schedule(definition.schedule, definition.timezone)
        return DeployedTrigger(
            name=definition.name,
            kind=definition.kind,
            url=url,
            description=schedule.describe(),
            next_fire_at=schedule.next_after(self.clock.now(), definition.policies.dst),
        )


def _is_new(source: Source, state: ProjectState) -> bool:
    """Whether its packages are others than those of the active deployment."""
    former = state.present.former
    asked = (source.requirements, source.manifest.python)
    return former is None or (former.requirements_text, former.python) != asked


async def _find_all(
    source: Source, preparation: Preparation, state: ProjectState
) -> tuple[Finding, ...]:
    around = preparation.surroundings(state.set_variables)
    checked = await anyio.to_thread.run_sync(check_project, source.planned, source.files, around)
    failure = [preparation.failure] if preparation.failure is not None else []
    return sort_findings([*source.findings, *checked, *failure])


async def _require_sound(
    source: Source, preparation: Preparation, state: ProjectState
) -> tuple[Prepared, tuple[Finding, ...]]:
    """The build that is ready to run, and the warnings; raises `ProjectInvalidError` when something is wrong."""
    ordered = await _find_all(source, preparation, state)
    if has_errors(ordered):
        raise ProjectInvalidError(ordered)
    if preparation.ready is None:
        raise preparation.unavailable or InternalError("a build is neither ready nor at fault")
    return preparation.ready, ordered


def _project(existing: Project | None, source: Source, now: datetime) -> Project:
    manifest = source.manifest
    if existing is None:
        return Project(
            id=new_project_id(now),
            name=manifest.project,
            display_name=manifest.display_name,
            created_at=now,
            updated_at=now,
        )
    return dataclasses.replace(existing, display_name=manifest.display_name, updated_at=now)
