"""What attempts need to know of their project, read from the store once and kept until it changes."""

from __future__ import annotations

from dataclasses import dataclass

from hookline_service.engine.admission import Limit
from hookline_service.engine.contexts import BuildMaterial, LaunchSpec
from hookline_service.engine.exports import Exports
from hookline_service.engine.masking import Mask, mask_of
from hookline_service.engine.vault import ValueGuard
from hookline_service.manifest.encoding import manifest_from_json
from hookline_service.manifest.exports import entry_point_of
from hookline_service.manifest.values import Manifest
from hookline_service.model.errors import BuildNotFoundError
from hookline_service.model.ids import BuildId, DeploymentId, ProjectId, TriggerId
from hookline_service.model.sessions import Session
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.journal_values import JournalCipher
from hookline_service.use_cases.secrets import SecretBox
from hookline_service.use_cases.start_variables import variables_for
from hookline_service.use_cases.variables import open_variable
from hookline_triggers.definitions import RetryPolicy, TriggerDefinition

_NO_RETRIES = RetryPolicy()
_EXPORTS_KEPT = 1_000  # of builds, which never change


@dataclass(frozen=True, slots=True)
class _Key:
    """What a context depends on."""

    project_id: ProjectId
    build_id: BuildId
    trigger_id: TriggerId | None
    deployment_id: DeploymentId | None


class LaunchSpecReader:
    """See `LaunchSpecs`."""

    def __init__(self, store: Store, box: SecretBox, base_url: str) -> None:
        self._store = store
        self._box = box
        self._base_url = base_url
        self._contexts: dict[_Key, LaunchSpec] = {}
        self._generation = 0
        self._exports: dict[BuildId, Exports] = {}

    def find_context(self, session: Session) -> LaunchSpec | None:
        """See `LaunchSpecs.find_context`."""
        return self._contexts.get(_key_of(session))

    async def get_context(self, session: Session) -> LaunchSpec:
        """See `LaunchSpecs.get_context`."""
        key = _key_of(session)
        if (known := self._contexts.get(key)) is not None:
            return known
        generation = self._generation
        project = await self._store.get_project(session.project_id)
        manifest = await self._manifest(session.build_id)
        triggers = await self._store.list_triggers(project.id)
        name = next((t.definition.name for t in triggers if t.id == session.trigger_id), None)
        definition = _definition(manifest, name)
        mask = await self._mask(project.id)
        context = LaunchSpec(
            project_name=project.name,
            process=manifest.process,
            variables=await variables_for(self._store, self._box, project.id, self._base_url),
            limits=_limits(session, manifest, definition),
            timeout_s=definition.timeout_s if definition else None,
            retries=definition.retries if definition else _NO_RETRIES,
            is_sync=definition is not None and definition.is_sync,
            mask=mask,
            guard=ValueGuard(mask, JournalCipher(self._box, project.id)),
        )
        if generation == self._generation:
            self._contexts[key] = context
        return context

    async def get_material(self, build_id: BuildId) -> BuildMaterial:
        """See `LaunchSpecs.get_material`."""
        manifest = await self._manifest(build_id)
        return BuildMaterial(
            archive=await self._store.get_archive(build_id),
            python=manifest.python,
            requirements=manifest.requirements_text,
            process=manifest.process,
        )

    async def get_exports(self, build_id: BuildId) -> Exports:
        """See `LaunchSpecs.get_exports`."""
        known = self._exports.get(build_id)
        if known is None:
            manifest = await self._manifest(build_id)
            known = {
                entry_point_of(one): None if one.callers is None else frozenset(one.callers)
                for one in manifest.exports
            }
            if len(self._exports) >= _EXPORTS_KEPT:
                self._exports.clear()
            self._exports[build_id] = known
        return known

    def forget(self, project_id: ProjectId) -> None:
        """See `LaunchSpecs.forget`."""
        self._generation += 1
        for key in [key for key in self._contexts if key.project_id == project_id]:
            del self._contexts[key]

    async def _mask(self, project_id: ProjectId) -> Mask:
        variables = await self._store.list_variables(project_id)
        secrets = (open_variable(self._box, each) for each in variables if each.is_secret)
        return mask_of(frozenset(secrets))

    async def _manifest(self, build_id: BuildId) -> Manifest:
        build = await self._store.find_build(build_id)
        if build is None:
            raise BuildNotFoundError(build_id)
        return manifest_from_json(build.manifest)


def _key_of(session: Session) -> _Key:
    return _Key(session.project_id, session.build_id, session.trigger_id, session.deployment_id)


def _definition(manifest: Manifest, name: str | None) -> TriggerDefinition | None:
    return next((trigger for trigger in manifest.triggers if trigger.name == name), None)


def _limits(
    session: Session, manifest: Manifest, definition: TriggerDefinition | None
) -> tuple[Limit, ...]:
    limits: list[Limit] = []
    if definition is not None and definition.concurrency is not None:
        limits.append(Limit(f"trigger:{session.trigger_id}", definition.concurrency))
    if manifest.concurrency is not None:
        limits.append(Limit(f"project:{session.project_id}", manifest.concurrency))
    return tuple(limits)
