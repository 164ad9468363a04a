"""What the parts of the embedded engine share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hookline_service.clock import Clock
from hookline_service.engine.changes import ChangeHub
from hookline_service.engine.contexts import LaunchSpecs
from hookline_service.engine.listener import NOBODY, EngineListener
from hookline_service.engine.pool import RunnerPool
from hookline_service.engine.store import EngineStore
from hookline_service.engine.wire import StartLimits
from hookline_service.model.calls import ChildLimits, StoreLimits
from hookline_service.model.sealing import OPEN_GATE, ValueGate


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What the engine can be told; times in seconds.

    `lease_s`: a runner host silent for longer has lost its attempts. `stop_grace_s`: between a polite stop and
    the end of the process tree. `needs_exports`: of a project that exports nothing, others can start nothing.
    """

    limits: StartLimits
    store_limits: StoreLimits
    stop_grace_s: float
    lease_s: float
    heartbeat_s: float
    needs_exports: bool = True
    child_limits: ChildLimits = field(default_factory=ChildLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDeps:
    """Everything around the engine; built once by `app`. `listener` is told what sessions do.

    `gate` opens inputs of sessions. `start_time` says what sessions are told of the present, in seconds since the epoch; None: their machine knows.
    """

    store: EngineStore
    pool: RunnerPool
    contexts: LaunchSpecs
    changes: ChangeHub
    clock: Clock
    settings: EngineSettings
    listener: EngineListener = NOBODY
    start_time: Callable[[], float | None] = lambda: None
    gate: ValueGate = OPEN_GATE
