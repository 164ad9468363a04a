"""What attempts need to know, as a test says."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio.lowlevel

from hookline.errors import HooklineError
from hookline_service.engine.admission import Limit
from hookline_service.engine.contexts import BuildMaterial, LaunchSpec
from hookline_service.engine.exports import Exports
from hookline_service.engine.masking import NO_MASK, Mask
from hookline_service.model.errors import BuildNotFoundError
from hookline_service.model.ids import BuildId, ProjectId
from hookline_service.model.sessions import Session
from hookline_triggers.definitions import RetryPolicy


@dataclass
class FakeStartContexts:
    """See `LaunchSpecs`. `at_hand` false: every look-up has to be awaited, as after a deploy."""

    timeout_s: float | None = None
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    limits: tuple[Limit, ...] = ()
    limit_of_project: int | None = None
    failure: HooklineError | None = None
    at_hand: bool = True
    is_open: anyio.Event | None = None
    is_sync: bool = False
    mask: Mask = NO_MASK
    exports: dict[BuildId, Exports] = field(default_factory=dict["BuildId", "Exports"])

    def find_context(self, session: Session) -> LaunchSpec | None:
        return self._context(session) if self.at_hand else None

    async def get_context(self, session: Session) -> LaunchSpec:
        await anyio.lowlevel.checkpoint()
        if self.is_open is not None:
            await self.is_open.wait()
        if self.failure is not None:
            raise self.failure
        return self._context(session)

    async def get_material(self, build_id: BuildId) -> BuildMaterial:
        raise BuildNotFoundError(build_id)

    async def get_exports(self, build_id: BuildId) -> Exports:
        await anyio.lowlevel.checkpoint()
        return self.exports.get(build_id, {})

    def forget(self, project_id: ProjectId) -> None:
        pass

    def _context(self, session: Session) -> LaunchSpec:
        limits = self.limits
        if self.limit_of_project is not None:
            limits += (Limit(f"project:{session.project_id}", self.limit_of_project),)
        return LaunchSpec(
            project_name="project",
            process="fork",
            variables={"NAME": "value"},
            limits=limits,
            timeout_s=self.timeout_s,
            retries=self.retries,
            is_sync=self.is_sync,
            mask=self.mask,
        )
