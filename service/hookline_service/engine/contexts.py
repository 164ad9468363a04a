"""What an attempt needs to know besides its session: supplied by the service, asked for by the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hookline_service.engine.admission import Limit
from hookline_service.engine.exports import Exports
from hookline_service.engine.masking import NO_MASK, Mask
from hookline_service.engine.vault import NO_GUARD, ValueGuard
from hookline_service.model.ids import BuildId, ProjectId
from hookline_service.model.sessions import Session
from hookline_triggers.definitions import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """Facts of a session's project, build and trigger.

    `is_sync`: whoever sent the session's event waits for an answer. `variables` hold revealed secrets: never log them. `mask` covers these in what the session shows, `guard` seals
    what it records of them.
    """

    project_name: str
    process: str
    variables: Mapping[str, str]
    limits: tuple[Limit, ...]
    timeout_s: float | None
    retries: RetryPolicy
    is_sync: bool = False
    mask: Mask = NO_MASK
    guard: ValueGuard = NO_GUARD


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildMaterial:
    """What a runner host needs to run a build it does not hold."""

    archive: bytes
    python: str
    requirements: str
    process: str


class LaunchSpecs(Protocol):
    """Where the engine gets its facts."""

    def find_context(self, session: Session) -> LaunchSpec | None:
        """The context if it is at hand, without reading the store."""
        ...

    async def get_context(self, session: Session) -> LaunchSpec:
        """The context as it is now, read from the store where needed."""
        ...

    async def get_material(self, build_id: BuildId) -> BuildMaterial:
        """The build; raises `BuildNotFoundError`."""
        ...

    async def get_exports(self, build_id: BuildId) -> Exports:
        """What the build lets other projects start; raises `BuildNotFoundError`."""
        ...

    def forget(self, project_id: ProjectId) -> None:
        """Variables, triggers or deployments of the project changed."""
        ...
