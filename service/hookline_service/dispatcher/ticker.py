"""Turns schedules into events: waits for the next fire of any of them, and applies their policies."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import anyio
import anyio.abc

from hookline.errors import HooklineError
from hookline_service.clock import Clock
from hookline_service.dispatcher.events import Dispatcher
from hookline_service.dispatcher.routes import Route, RouteTable
from hookline_service.engine.protocol import Engine
from hookline_service.model.errors import log_level_of
from hookline_service.model.events import TICK, event_of_trigger
from hookline_service.model.ids import SessionId
from hookline_service.model.projects import Schedule
from hookline_service.model.sessions import Session, SessionFilter, SessionState
from hookline_service.storage.protocols import Store
from hookline_triggers.cron import parse_schedule
from hookline_triggers.definitions import OverlapPolicy
from hookline_triggers.schedules import (
    ON_TIME_S,
    OverlapAction,
    decide_overlap,
    due_fires,
    jitter_for,
    on_session_end,
)

logger = logging.getLogger(__name__)

_FIRES_AT_ONCE = 1000
_LONGEST_WAIT_S = 60.0
_STOP_PAGE = 500
_RETRY_AFTER = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_SLIP = timedelta(minutes=1)  # clocks are put right by less all the time


class ScheduleTicker:
    """Fires schedules. `lock` guards every read-decide-write of a schedule row, here and in use cases."""

    def __init__(
        self,
        *,
        store: Store,
        engine: Engine,
        dispatcher: Dispatcher,
        routes: RouteTable,
        clock: Clock,
    ) -> None:
        self._store = store
        self._engine = engine
        self._dispatcher = dispatcher
        self._routes = routes
        self._clock = clock
        self._changed = anyio.Event()
        self._ended: list[Session] = []
        self._seen: datetime | None = None  # the latest time that the clock showed
        self.lock = anyio.Lock()

    def reload(self) -> None:
        """Rows of schedules changed."""
        self._changed.set()

    def session_ended(self, session: Session) -> None:
        """A session ended: a fire that waited for it may be due, or its schedule be paused."""
        if session.scheduled_for is not None:
            self._ended.append(session)
            self._changed.set()

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Fire what is due, for ever."""
        task_status.started()
        while True:
            self._changed = anyio.Event()
            try:
                async with self.lock:
                    next_at = await self._step()
            except HooklineError as exc:
                facts = {"error": exc.message}
                logger.log(log_level_of(exc), "schedules not served; trying again", extra=facts)
                next_at = self._clock.now() + _RETRY_AFTER
            wait_s = _LONGEST_WAIT_S
            if next_at is not None:
                wait_s = min(wait_s, max(0.0, (next_at - self._clock.now()).total_seconds()))
            with anyio.move_on_after(wait_s):
                await self._changed.wait()

    async def _step(self) -> datetime | None:
        """Do everything that is due now; the time of the next fire. One that cannot be served holds up no other."""
        next_at: datetime | None = None
        schedules = await self._store.list_schedules()
        now = self._clock.now()
        is_set_back = self._is_set_back(schedules, now)
        ended, self._ended = self._ended, []
        for schedule in schedules:
            ours = [session for session in ended if session.trigger_id == schedule.trigger_id]
            try:
                current = await self._set_back(schedule) if is_set_back else schedule
                fire_at = await self._serve(current, ours)
            except Exception as exc:
                facts = {"trigger_id": schedule.trigger_id}
                level = log_level_of(exc)
                logger.log(level, "schedule not served", exc_info=exc, extra=facts)
                self._ended += ours
                now = self._seen or now  # so that it is set back the next time, if it was to be
                fire_at = self._clock.now() + _RETRY_AFTER
            if fire_at is not None and (next_at is None or fire_at < next_at):
                next_at = fire_at
        self._seen = now
        return next_at

    def _is_set_back(self, schedules: list[Schedule], now: datetime) -> bool:
        """Whether the clock shows a time long before one that it showed, here or before a restart."""
        seen = self._seen or max((one.last_fire_at or now for one in schedules), default=now)
        is_set_back = now < seen - _SLIP
        if is_set_back:
            facts = {"seen": seen.isoformat(), "now": now.isoformat()}
            logger.warning("the clock was set back; schedules follow it", extra=facts)
        return is_set_back

    async def _set_back(self, schedule: Schedule) -> Schedule:
        """Let a schedule fire next when the clock says, which has gone back. What was fired before starts nothing again."""
        route = await self._routes.find_by_id(schedule.trigger_id)
        if route is None:
            return schedule
        definition = route.trigger.definition
        expression = parse_schedule(definition.schedule, definition.timezone)
        next_at = expression.next_after(self._clock.now(), definition.policies.dst)
        changed = replace(schedule, next_fire_at=next_at)
        await self._store.save_schedule(changed)
        return changed

    async def _serve(self, schedule: Schedule, ended: list[Session]) -> datetime | None:
        """Do what is due for one schedule; the time of its next fire."""
        route = await self._routes.find_by_id(schedule.trigger_id)
        if route is None:
            return None
        current = await self._after_ends(schedule, route, ended)
        current = await self._fire_due(current, route)
        return self._fire_at(current, route)

    def _fire_at(self, schedule: Schedule, route: Route) -> datetime | None:
        """When the next fire happens: its nominal time and its jitter."""
        nominal = schedule.next_fire_at
        if schedule.paused or nominal is None:
            return None
        jitter_s = route.trigger.definition.policies.jitter_s
        return nominal + jitter_for(schedule.trigger_id, nominal, jitter_s)

    async def _fire_due(self, schedule: Schedule, route: Route) -> Schedule:
        now = self._clock.now()
        fire_at = self._fire_at(schedule, route)
        if fire_at is None or schedule.next_fire_at is None or fire_at > now:
            return schedule
        definition = route.trigger.definition
        policies = definition.policies
        window_s = max(policies.catchup_s, ON_TIME_S) + policies.jitter_s
        widened_policies = replace(policies, catchup_s=window_s)
        expression = parse_schedule(definition.schedule, definition.timezone)
        last = schedule.next_fire_at - _MICROSECOND
        due = due_fires(expression, widened_policies, last, now, limit=_FIRES_AT_ONCE)
        if due.missed:
            facts = {"trigger": definition.name, "missed": due.missed}
            logger.warning("missed fires were dropped", extra=facts)
        fires = [*due.fires, due.next_fire_at]
        if not due.fires:
            schedule = replace(schedule, next_fire_at=due.next_fire_at)
            await self._store.save_schedule(schedule)
        for fire, following in pairwise(fires):
            schedule = replace(schedule, next_fire_at=fire)
            fire_at = self._fire_at(schedule, route)
            if fire is None or fire_at is None or fire_at > now:
                break
            schedule = replace(schedule, next_fire_at=following, last_fire_at=fire)
            schedule = await self._fire(schedule, route, fire)
        return schedule

    async def _fire(self, schedule: Schedule, route: Route, fire: datetime) -> Schedule:
        policy = route.trigger.definition.policies.overlap
        running = 0
        if policy is not OverlapPolicy.ALLOW_ALL:
            running = await self._store.count_unfinished(schedule.trigger_id)
        decision = decide_overlap(policy, running, schedule.buffered, fire)
        schedule = replace(schedule, buffered=decision.buffered)
        if decision.start is not None:
            await self._start(schedule, route, decision.start)
            return schedule
        if decision.action in (OverlapAction.CANCEL_OTHERS, OverlapAction.TERMINATE_OTHERS):
            force = decision.action is OverlapAction.TERMINATE_OTHERS
            await self._stop_others(schedule, force=force)
        # After the stops: cut off between the two, it fires again.
        await self._store.save_schedule(schedule)
        if decision.action is OverlapAction.SKIP:
            facts = {"trigger": route.trigger.definition.name, "fire": fire.isoformat()}
            logger.info("fire skipped: an earlier session has not ended", extra=facts)
        return schedule

    async def _start(self, schedule: Schedule, route: Route, fire: datetime) -> None:
        """Record the tick with its session and the schedule's step; a fire recorded before starts nothing."""
        event = event_of_trigger(
            route.trigger, self._clock.now(), type=TICK, delivery_id=fire.isoformat()
        )
        recorded = await self._dispatcher.dispatch(
            route.trigger,
            event,
            deployment=route.deployment,
            scheduled_for=fire,
            schedule=schedule,
        )
        if not recorded.is_new:
            await self._store.save_schedule(schedule)

    async def _after_ends(self, schedule: Schedule, route: Route, ended: list[Session]) -> Schedule:
        if not ended and not schedule.buffered:
            return schedule
        policies = route.trigger.definition.policies
        if schedule.paused:
            return schedule
        decision = on_session_end(
            policies.overlap,
            schedule.buffered,
            failed=any(session.state is SessionState.ERROR for session in ended),
            pause_on_failure=policies.pause_on_failure,
            running=await self._store.count_unfinished(schedule.trigger_id),
        )
        if decision.is_paused:
            failed = next(each for each in ended if each.state is SessionState.ERROR)
            reason = f"session {failed.id} ended in error"
            schedule = replace(schedule, paused=True, pause_reason=reason)
            await self._store.save_schedule(schedule)
        elif decision.start is not None:
            schedule = replace(schedule, buffered=decision.buffered)
            await self._start(schedule, route, decision.start)
        return schedule

    async def _stop_others(self, schedule: Schedule, *, force: bool) -> None:
        for state in (SessionState.CREATED, SessionState.RUNNING, SessionState.WAITING):
            which = SessionFilter(trigger_id=schedule.trigger_id, state=state, limit=_STOP_PAGE)
            for session in await self._store.list_sessions(which):
                await self._stop_one(session.id, force=force)

    async def _stop_one(self, session_id: SessionId, *, force: bool) -> None:
        try:
            await self._engine.stop(session_id, reason="a later fire took over", force=force)
        except HooklineError as exc:
            logger.info(
                "session not stopped", extra={"session_id": session_id, "reason": exc.message}
            )
