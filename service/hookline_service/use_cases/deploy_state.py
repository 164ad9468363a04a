"""What there is of a project before a deploy."""

from __future__ import annotations

from dataclasses import dataclass, field

from hookline_service.manifest.encoding import manifest_from_json
from hookline_service.manifest.plan import PresentState, PresentVariable
from hookline_service.manifest.values import Manifest
from hookline_service.model.ids import BuildId, ProjectId, TriggerId
from hookline_service.model.projects import (
    Project,
    Schedule,
    StoredVariable,
    Trigger,
)
from hookline_service.model.secret import Secret
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.deployments import list_former
from hookline_service.use_cases.releases import Identity
from hookline_service.use_cases.secrets import SecretBox
from hookline_service.use_cases.variables import open_variable


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectState:
    """A project as it stands; all empty when there is none of the name."""

    project: Project | None = None
    present: PresentState = field(default_factory=PresentState)
    identities: tuple[Identity, ...] = ()
    former_schedules: dict[TriggerId, tuple[Trigger, Schedule]] = field(
        default_factory=dict[TriggerId, tuple[Trigger, Schedule]]
    )
    has_build: bool = False

    @property
    def set_variables(self) -> frozenset[tuple[str, str]]:
        """(scope, name) of the variables that have a value."""
        return frozenset((one.scope, one.name) for one in self.present.variables if one.text)


async def read_state(store: Store, box: SecretBox, name: str, build_id: BuildId) -> ProjectState:
    """The project of this name as it stands, and whether it has the build already.

    Raises:
        SecretKeyMissingError, SecretDamagedError: a stored secret cannot be opened.
    """
    has_build = await store.find_build(build_id) is not None
    project = await store.find_project(name)
    if project is None:
        return ProjectState(has_build=has_build)
    variables = await store.list_variables(project.id)
    triggers = await store.list_triggers(project.id)
    return ProjectState(
        project=project,
        present=PresentState(
            display_name=project.display_name,
            variables=tuple(_opened(box, variable) for variable in variables),
            connections=tuple(await store.list_connections(project.id)),
            triggers=tuple(trigger.definition for trigger in triggers),
            former=await _former_manifest(store, project.id),
        ),
        identities=tuple(await store.list_trigger_identities(project.id)),
        former_schedules=await list_former(store, project.id),
        has_build=has_build,
    )


async def _former_manifest(store: Store, project_id: ProjectId) -> Manifest | None:
    deployment = await store.find_active_deployment(project_id)
    if deployment is None:
        latest = await store.list_deployments(project_id, 1)
        if not latest:
            return None
        deployment = latest[0]
    build = await store.find_build(deployment.build_id)
    return manifest_from_json(build.manifest) if build else None


def _opened(box: SecretBox, variable: StoredVariable) -> PresentVariable:
    plain = open_variable(box, variable)
    return PresentVariable(
        scope=variable.scope,
        name=variable.name,
        value=Secret(plain) if variable.is_secret else plain,
        is_secret=variable.is_secret,
        description=variable.description,
    )
