"""From an event to its sessions: match, record, start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, cast

import anyio
import orjson

from hookline.errors import RateLimitedError
from hookline_service.clock import Clock
from hookline_service.dispatcher.routes import RouteTable
from hookline_service.engine.protocol import Engine
from hookline_service.model.errors import NoActiveDeploymentError, TriggerNotFoundError
from hookline_service.model.events import Event, Recorded
from hookline_service.model.ids import ProjectId, new_event_id, new_session_id
from hookline_service.model.projects import (
    Deployment,
    DeploymentState,
    Project,
    Schedule,
    Trigger,
)
from hookline_service.model.sessions import Session, SessionState
from hookline_triggers.matching import matches
from hookline_triggers.webhook import delivery_id, event_data

_NO_DATA: Mapping[str, Any] = {}  # Any: JSON of any shape


class DispatchStore(Protocol):
    """The part of the store that dispatching uses."""

    async def record_event(
        self, event: Event, sessions: Sequence[Session], schedule: Schedule | None = None
    ) -> Recorded:
        """See `EventStore.record_event`."""
        ...

    async def add_sessions(self, sessions: Sequence[Session]) -> None:
        """See `SessionStore.add_sessions`."""
        ...

    async def find_active_deployment(self, project_id: ProjectId) -> Deployment | None:
        """See `ProjectStore.find_active_deployment`."""
        ...

    def pending_bytes(self) -> int:
        """See `Store.pending_bytes`."""
        ...


class Dispatcher:
    """Records events with the sessions that they start; what is recorded is handed to the engine."""

    def __init__(
        self,
        *,
        store: DispatchStore,
        engine: Engine,
        routes: RouteTable,
        clock: Clock,
        queue_limit_bytes: int,
    ) -> None:
        self._store = store
        self._engine = engine
        self._routes = routes
        self._clock = clock
        self._queue_limit_bytes = queue_limit_bytes

    async def accept_webhook(
        self,
        slug: str,
        meta: dict[str, Any],  # Any: the JSON of a request, see hookline_triggers.webhook
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
    ) -> Recorded | None:
        """Record a request to a webhook; None when no trigger in force has this slug.

        Raises:
            RateLimitedError: the store cannot keep up.
        """
        route = await self._routes.find_by_slug(slug)
        if route is None:
            return None
        if self._store.pending_bytes() > self._queue_limit_bytes:
            raise RateLimitedError("too many events at once; try again in a second")
        trigger = route.trigger
        dedupe = trigger.definition.dedupe
        now = self._clock.now()
        event = Event(
            id=new_event_id(now),
            project_id=trigger.project_id,
            trigger_id=trigger.id,
            source=f"trigger:{trigger.id}",
            type=str(meta["method"]).lower(),
            data=orjson.dumps(meta),
            body=body,
            delivery_id=delivery_id(dedupe, headers, body) if dedupe else None,
            created_at=now,
        )
        return await self._record(trigger, route.deployment, event)

    async def dispatch(
        self,
        trigger: Trigger,
        event: Event,
        *,
        deployment: Deployment | None = None,
        scheduled_for: datetime | None = None,
        schedule: Schedule | None = None,
    ) -> Recorded:
        """Record an event of this trigger, its sessions and the step of its schedule, and start the sessions.

        `deployment` names another than the trigger's own; it starts nothing unless active or testing.
        """
        if deployment is None:
            route = await self._routes.find_by_id(trigger.id)
            if route is None:
                raise TriggerNotFoundError(trigger.definition.name)
            deployment = route.deployment
        return await self._record(
            trigger, deployment, event, scheduled_for=scheduled_for, schedule=schedule
        )

    async def redispatch(self, event: Event, deployment: Deployment | None) -> Recorded:
        """Record a copy of the event and start what it would start now. Raises `TriggerNotFoundError`."""
        now = self._clock.now()
        route = None
        if event.trigger_id is not None:
            route = await self._routes.find_by_id(event.trigger_id)
        if route is None:
            raise TriggerNotFoundError(event.trigger_id or event.source)
        copy = replace(
            event, id=new_event_id(now), delivery_id=None, created_at=now, redispatch_of=event.id
        )
        return await self._record(route.trigger, deployment or route.deployment, copy)

    async def start_manual(
        self,
        project: Project,
        entry_point: str,
        input: bytes | None,  # noqa: A002 - the word of the session's field
        durable: bool,
        deployment: Deployment | None,
    ) -> Session:
        """Start a session without an event.

        Raises:
            NoActiveDeploymentError: the project has none and none was named.
        """
        deployment = deployment or await self._store.find_active_deployment(project.id)
        if deployment is None:
            raise NoActiveDeploymentError(project.name)
        now = self._clock.now()
        session = Session(
            id=new_session_id(now),
            project_id=project.id,
            build_id=deployment.build_id,
            deployment_id=deployment.id,
            trigger_id=None,
            event_id=None,
            entry_point=entry_point,
            state=SessionState.CREATED,
            is_durable=durable,
            created_at=now,
            input=input,
        )
        with anyio.CancelScope(shield=True):
            await self._store.add_sessions([session])
            await self._engine.start(session, None)
        return session

    async def _record(
        self,
        trigger: Trigger,
        deployment: Deployment,
        event: Event,
        *,
        scheduled_for: datetime | None = None,
        schedule: Schedule | None = None,
    ) -> Recorded:
        sessions = sessions_for(trigger, deployment, event, scheduled_for)
        # A caller who goes away must not leave a recorded session that nobody started; the store bounds the wait.
        with anyio.CancelScope(shield=True):
            recorded = await self._record_and_start(event, sessions, schedule)
        return recorded  # noqa: RET504 # pyright: ignore[reportPossiblyUnboundVariable] - a scope nobody cancels

    async def _record_and_start(
        self, event: Event, sessions: list[Session], schedule: Schedule | None
    ) -> Recorded:
        recorded = await self._store.record_event(event, sessions, schedule)
        if recorded.is_new:
            for session in sessions:
                await self._engine.start(session, event)
        return recorded


def sessions_for(
    trigger: Trigger, deployment: Deployment, event: Event, scheduled_for: datetime | None
) -> list[Session]:
    """The sessions that the event starts, not yet recorded: one, or none when nothing matches."""
    definition = trigger.definition
    is_served = deployment.state in (DeploymentState.ACTIVE, DeploymentState.TESTING)
    if not definition.call or not is_served:
        return []
    needs_data = definition.filter not in ("", ".")
    data = matching_data(event) if needs_data else _NO_DATA
    if not matches(definition, event.type, data):
        return []
    return [
        Session(
            id=new_session_id(event.created_at),
            project_id=trigger.project_id,
            build_id=deployment.build_id,
            deployment_id=deployment.id,
            trigger_id=trigger.id,
            event_id=event.id,
            entry_point=definition.call,
            state=SessionState.CREATED,
            is_durable=definition.is_durable,
            created_at=event.created_at,
            scheduled_for=scheduled_for,
        )
    ]


def matching_data(event: Event) -> Mapping[str, Any]:  # Any: JSON of any shape
    """The event's data in the shape that filters see."""
    data = cast("object", orjson.loads(event.data))
    if not isinstance(data, dict):
        return {"value": data}
    known = cast("dict[str, Any]", data)
    return known if event.body is None else event_data(known, event.body)
