"""From an event to its sessions: match, record, start, wake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import anyio

from hookline.errors import RateLimitedError
from hookline_runner import fast_json
from hookline_service.clock import Clock
from hookline_service.dispatcher.answers import OutcomeBroker, OutcomeStream
from hookline_service.dispatcher.judging import InlineJudge, Judge
from hookline_service.dispatcher.plans import (
    EventFacts,
    joined_reasons,
    passes_filter,
    rejection_reason,
    session_for,
)
from hookline_service.dispatcher.routes import Route, RouteTable
from hookline_service.dispatcher.subscriptions import SubscriptionTable
from hookline_service.engine.listener import SessionEnd
from hookline_service.engine.protocol import Engine
from hookline_service.model.errors import NoActiveDeploymentError, TriggerNotFoundError
from hookline_service.model.events import (
    Event,
    Recorded,
    connection_of_source,
    connection_source,
    event_of_trigger,
    trigger_source,
)
from hookline_service.model.ids import (
    SubscriptionId,
    new_event_id,
)
from hookline_service.model.projects import Deployment, Project, Schedule, Trigger
from hookline_service.model.sessions import FINAL_STATES, Session, new_session
from hookline_service.storage.protocols import Store
from hookline_triggers.webhook import delivery_id

_MOST_LOOKED_AT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A recorded request to a webhook. `answers` is where its answer comes, if the caller waits for one.

    It must be closed.
    """

    recorded: Recorded
    answers: OutcomeStream | None = None


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What an event does: sessions that it starts, subscriptions that get it, and why triggers do not take it."""

    event: Event
    sessions: list[Session] = field(default_factory=list[Session])
    deliveries: list[SubscriptionId] = field(default_factory=list[SubscriptionId])
    schedule: Schedule | None = None
    reasons: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


class Dispatcher:
    """Records events with what they start and whom they are for; what is recorded is handed to the engine."""

    def __init__(  # noqa: PLR0913 - a list of parts, named once in `app`
        self,
        *,
        store: Store,
        engine: Engine,
        routes: RouteTable,
        clock: Clock,
        queue_limit_bytes: int,
        subscriptions: SubscriptionTable | None = None,
        answers: OutcomeBroker | None = None,
        judge: Judge | None = None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._routes = routes
        self._clock = clock
        self._queue_limit_bytes = queue_limit_bytes
        self._pending_bytes = 0  # of events that are being recorded
        self._subscriptions = SubscriptionTable() if subscriptions is None else subscriptions
        self._answers = OutcomeBroker() if answers is None else answers
        self._judge = InlineJudge() if judge is None else judge

    async def has_webhook(self, slug: str) -> bool:
        """True if a trigger in force has this slug."""
        return await self._routes.find_by_slug(slug) is not None

    async def accept_webhook(
        self,
        slug: str,
        meta: dict[str, Any],  # Any: the JSON of a request, see hookline_triggers.webhook
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
    ) -> Accepted | None:
        """Record a request to a webhook; None when no trigger in force has this slug.

        Raises:
            RateLimitedError: the store cannot keep up.
        """
        route = await self._routes.find_by_slug(slug)
        if route is None:
            return None
        if self._pending_bytes > self._queue_limit_bytes:
            raise RateLimitedError("too many events at once; try again in a second")
        trigger = route.trigger
        dedupe = trigger.definition.dedupe
        event = event_of_trigger(
            trigger,
            self._clock.now(),
            type=str(meta["method"]).lower(),
            data=fast_json.write(meta),
            body=body,
            delivery_id=delivery_id(dedupe, headers, body) if dedupe else None,
        )
        plan = await self._plan([route], event, event.source)
        if trigger.definition.is_sync:
            return await self._record_and_listen(plan)
        return Accepted(recorded=await self._record(plan))

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
        route = await self._routes.find_by_id(trigger.id)
        if route is None and deployment is None:
            raise TriggerNotFoundError(trigger.definition.name)
        plan = _Plan(event=event, schedule=schedule)
        chosen = deployment or (route.deployment if route else None)
        if chosen is not None:
            await self._add_session(plan, trigger, chosen, EventFacts(event), scheduled_for)
        await self._add_deliveries(plan, [trigger], event.source, EventFacts(event))
        return await self._record(plan)

    async def dispatch_to_connection(
        self, event: Event, connection: str, deployment: Deployment | None = None
    ) -> Recorded:
        """Record an event of a connection of the project, with the sessions of all its triggers that take it."""
        routes = await self._routes.list_by_connection(event.project_id, connection)
        source = connection_source(connection)
        return await self._record(await self._plan(routes, event, source, deployment))

    async def redispatch(self, event: Event, deployment: Deployment | None) -> Recorded:
        """Record a copy of the event and start what it would start now. Raises `TriggerNotFoundError`."""
        now = self._clock.now()
        copy = replace(
            event, id=new_event_id(now), delivery_id=None, created_at=now, redispatch_of=event.id
        )
        connection = connection_of_source(event.source)
        if event.trigger_id is None and connection is not None:
            return await self.dispatch_to_connection(copy, connection, deployment)
        route = None
        if event.trigger_id is not None:
            route = await self._routes.find_by_id(event.trigger_id)
        if route is None:
            raise TriggerNotFoundError(event.trigger_id or event.source)
        return await self._record(await self._plan([route], copy, copy.source, deployment))

    async def explain(self, event: Event) -> str:
        """Why the event would start nothing by the triggers in force now; "" when it would start something."""
        if event.trigger_id is None:
            connection = connection_of_source(event.source) or event.source
            routes = await self._routes.list_by_connection(event.project_id, connection)
            if not routes:
                return f"no active trigger belongs to connection {connection!r}"
        else:
            route = await self._routes.find_by_id(event.trigger_id)
            if route is None:
                return "its trigger is no longer active"
            routes = [route]
        plan = await self._plan(routes, event, event.source)
        return "" if plan.sessions else joined_reasons(plan.reasons)

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
        session = new_session(deployment, entry_point, now, is_durable=durable, input=input)
        with anyio.CancelScope(shield=True):
            await self._store.add_sessions([session])
            await self._engine.start(session, None)
        return session

    # -- planning ----------------------------------------------------------------------------

    async def _plan(
        self,
        routes: Sequence[Route],
        event: Event,
        source: str,
        deployment: Deployment | None = None,
    ) -> _Plan:
        plan, facts = _Plan(event=event), EventFacts(event)
        for route in routes:
            chosen = deployment or route.deployment
            await self._add_session(plan, route.trigger, chosen, facts, None)
        await self._add_deliveries(plan, [route.trigger for route in routes], source, facts)
        return plan

    async def _add_deliveries(
        self, plan: _Plan, triggers: Sequence[Trigger], source: str, facts: EventFacts
    ) -> None:
        """Subscriptions to the source, and to each trigger whose filter (not its type) takes the event."""
        if not self._subscriptions:
            return
        project_id = plan.event.project_id
        wanted = [
            trigger_source(trigger.id)
            for trigger in triggers
            if await passes_filter(trigger.definition, facts, self._judge)
        ]
        if connection_of_source(source) is not None:
            wanted.append(source)
        for each in wanted:
            plan.deliveries += await self._subscriptions.find(project_id, each, facts, self._judge)

    async def _add_session(
        self,
        plan: _Plan,
        trigger: Trigger,
        deployment: Deployment,
        facts: EventFacts,
        scheduled_for: datetime | None,
    ) -> None:
        reason = await rejection_reason(trigger.definition, deployment, facts, self._judge)
        if reason:
            plan.reasons.append((trigger.definition.name, reason))
        else:
            plan.sessions.append(session_for(trigger, deployment, plan.event, scheduled_for))

    # -- recording ---------------------------------------------------------------------------

    async def _record(self, plan: _Plan, answers: OutcomeStream | None = None) -> Recorded:
        # A caller who goes away must not leave a recorded session that nobody started; the store bounds the wait.
        with anyio.CancelScope(shield=True):
            recorded = await self._record_and_start(plan, answers)
        return recorded  # noqa: RET504 # pyright: ignore[reportPossiblyUnboundVariable] - a scope nobody cancels

    async def _record_and_start(self, plan: _Plan, answers: OutcomeStream | None) -> Recorded:
        size_bytes = len(plan.event.data) + len(plan.event.body or b"")
        self._pending_bytes += size_bytes
        try:
            recorded = await self._store.record_event(
                plan.event, plan.sessions, plan.schedule, plan.deliveries
            )
        finally:
            self._pending_bytes -= size_bytes
        if recorded.is_new:
            if answers is not None and not plan.sessions:
                answers.expect(recorded.woken)
            for session in plan.sessions:
                await self._engine.start(session, plan.event)
            self._engine.wake(recorded.woken)
        return recorded

    async def _record_and_listen(self, plan: _Plan) -> Accepted:
        """Record an event whose sender waits: whoever answers it is heard from before it is recorded on."""
        answers = self._answers.open(plan.event.id)
        try:
            answers.expect(session.id for session in plan.sessions)
            recorded = await self._record(plan, answers)
            if not recorded.is_new:
                answers.close()
                answers = self._answers.open(recorded.event_id)
                answers.expect(recorded.session_ids)
                answers.catch_up(await self._store.list_outcomes(recorded.event_id))
            if not recorded.is_new or not plan.sessions:
                await self._tell_ends(answers)
        except BaseException:
            answers.close()
            raise
        return Accepted(recorded=recorded, answers=answers)

    async def _tell_ends(self, answers: OutcomeStream) -> None:
        """Sessions that may have ended before somebody listened."""
        for session_id in sorted(answers.sessions)[:_MOST_LOOKED_AT]:
            session = await self._store.get_session(session_id)
            if session.state in FINAL_STATES:
                answer = await self._store.find_answer(session_id)
                answers.take_end(SessionEnd(session=session, answer=answer))
