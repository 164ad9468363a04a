"""A dispatcher and a ticker over a store, with an engine that only notes what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel

from hookline_service.dispatcher import Dispatcher, RouteTable, ScheduleTicker
from hookline_service.engine.changes import ChangeHub
from hookline_service.model.events import Event, EventFilter
from hookline_service.model.ids import SessionId
from hookline_service.model.projects import Release, Schedule
from hookline_service.model.sessions import Session, SessionState
from hookline_triggers.definitions import SchedulePolicies, TriggerDefinition, TriggerKind
from tests.builders.projects import a_definition, a_release, a_schedule
from tests.fakes.fake_engine import FakeEngine, HandClock

NOON = datetime.fromisoformat("2026-11-21T12:00:00+00:00")


def every_minute(*, schedule: str = "* * * * *", **policies: Any) -> TriggerDefinition:
    """A schedule trigger with these policies."""
    return a_definition(
        kind=TriggerKind.SCHEDULE,
        schedule=schedule,
        policies=SchedulePolicies(**policies),
        call="main.py:tick",
    )


@dataclass
class DispatchRig:
    """What decides what starts, and what it decided."""

    store: Any
    clock: HandClock
    engine: FakeEngine
    routes: RouteTable
    dispatcher: Dispatcher
    ticker: ScheduleTicker

    async def deploy(
        self, *definitions: TriggerDefinition, first: datetime = NOON, **fields: Any
    ) -> Release:
        """A release with these triggers in force; schedules fire first at `first`."""
        release = a_release(definitions=definitions, **fields)
        schedules = tuple(
            a_schedule(each, next_fire_at=first)
            for each in release.triggers
            if each.definition.kind is TriggerKind.SCHEDULE
        )
        release = replace(release, schedules=schedules)
        await self.store.apply_release(release)
        self.routes.expire()
        self.ticker.reload()
        return release

    async def turn(self, seconds: float) -> None:
        """Turn the clock, and let the ticker do what is due."""
        self.clock.at += timedelta(seconds=seconds)
        await self.tick()

    async def tick(self) -> None:
        """Let the ticker do what is due now."""
        async with self.ticker.lock:
            await self.ticker._step()

    async def end(
        self, session_id: SessionId, state: SessionState = SessionState.COMPLETED
    ) -> None:
        """The session ends, and the ticker hears of it."""
        self.ticker.session_ended(await self.engine.finish(session_id, state))
        await self.tick()

    @property
    def started(self) -> list[Session]:
        return [session for session, _ in self.engine.started]

    @property
    def fires(self) -> list[float]:
        """Nominal times of the sessions started, in seconds after noon."""
        times = [each.scheduled_for for each in self.started]
        return [(at - NOON).total_seconds() for at in times if at is not None]

    async def schedule(self) -> Schedule:
        (found,) = await self.store.list_schedules()
        return found

    async def events(self) -> list[Event]:
        found: list[Event] = await self.store.list_events(EventFilter(limit=1000))
        return found

    def restarted(self) -> DispatchRig:
        """What a new process makes of the same store."""
        return a_dispatch_rig(self.store, self.clock)


def a_dispatch_rig(store: Any, clock: HandClock | None = None) -> DispatchRig:
    hand = clock or HandClock(NOON - timedelta(seconds=30))
    engine = FakeEngine(store, hand, ChangeHub())
    routes = RouteTable(store)
    dispatcher = Dispatcher(
        store=store, engine=engine, routes=routes, clock=hand, queue_limit_bytes=1_000_000
    )
    ticker = ScheduleTicker(
        store=store, engine=engine, dispatcher=dispatcher, routes=routes, clock=hand
    )
    return DispatchRig(
        store=store, clock=hand, engine=engine, routes=routes, dispatcher=dispatcher, ticker=ticker
    )


@asynccontextmanager
async def running_ticker(rig: DispatchRig) -> AsyncIterator[anyio.abc.TaskGroup]:
    """The ticker's own loop, until the block ends."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(rig.ticker.run)
        yield tasks
        tasks.cancel_scope.cancel()
