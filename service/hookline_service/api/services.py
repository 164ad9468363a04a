"""What the API is given by `app`: everything it stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

import anyio

from hookline_service.api.webhook_counts import WebhookCounts
from hookline_service.clock import Clock
from hookline_service.engine.protocol import Engine, Preparer, Runners, SessionChanges, Stacks
from hookline_service.model.calls import Subscription
from hookline_service.model.events import Event, Recorded
from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import Deployment, Project, Trigger
from hookline_service.model.secret import Secret
from hookline_service.model.sessions import Session
from hookline_service.settings import Settings
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.entry_points import EntryPoints
from hookline_service.use_cases.secret_keys import SecretKeys
from hookline_service.use_cases.secrets import SecretBox
from hookline_service.use_cases.trigger_matches import Surveying


class Dispatching(Protocol):
    """What the API asks of the dispatcher."""

    async def dispatch(
        self,
        trigger: Trigger,
        event: Event,
        *,
        deployment: Deployment | None = None,
        scheduled_for: datetime | None = None,
    ) -> Recorded:
        """Record the event with the sessions that it starts."""
        ...

    async def start_manual(
        self,
        project: Project,
        entry_point: str,
        input: bytes | None,  # noqa: A002 (the word of the session's field)
        durable: bool,
        deployment: Deployment | None,
    ) -> Session:
        """Start a session without an event; `input` is JSON text."""
        ...

    async def dispatch_to_connection(
        self, event: Event, connection: str, deployment: Deployment | None = None
    ) -> Recorded:
        """Record an event of a connection with the sessions that it starts."""
        ...

    async def explain(self, event: Event) -> str:
        """Why the event would start nothing by the triggers in force now; "" when it would start something."""
        ...

    async def redispatch(self, event: Event, deployment: Deployment | None) -> Recorded:
        """Record a copy of the event, and the sessions that it starts now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """The parts of a running service.

    `on_project_changed` is told of a project whose variables, triggers or deployments are new, and
    `on_schedules_changed` that rows of schedules are, and `on_subscription` of one that began other than by a call of
    its session; they are called after the write, and must not block.
    `schedule_lock` guards reading, deciding and writing a schedule row, here and in the schedule loop.
    `webhook_counts` and `gauges` add figures to /metrics by name. `is_ready` is true once sessions can run.
    """

    settings: Settings
    clock: Clock
    token: Secret
    box: SecretBox
    keys: SecretKeys
    store: Store
    engine: Engine
    preparer: Preparer
    runners: Runners
    changes: SessionChanges
    stacks: Stacks
    dispatcher: Dispatching
    entry_points: EntryPoints
    surveyor: Surveying
    scratch: Path
    on_schedules_changed: Callable[[], None] = lambda: None
    on_project_changed: Callable[[ProjectId], None] = lambda _: None
    on_subscription: Callable[[Subscription], None] = lambda _: None
    schedule_lock: anyio.Lock = field(default_factory=anyio.Lock)
    write_check: anyio.Lock = field(default_factory=anyio.Lock)
    webhook_counts: WebhookCounts = field(default_factory=WebhookCounts)
    gauges: Callable[[], Mapping[str, float]] = dict
    is_ready: Callable[[], bool] = lambda: True
