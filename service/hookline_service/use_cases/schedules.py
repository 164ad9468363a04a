"""What people do with schedules: pause, resume, fire by hand, make up for a stretch of time, look ahead."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

import anyio

from hookline.errors import InvalidError
from hookline_service.clock import Clock
from hookline_service.model.errors import TriggerNotFoundError
from hookline_service.model.events import TICK, Event, Recorded, event_of_trigger
from hookline_service.model.ids import ProjectId, TriggerId
from hookline_service.model.likeness import nearest
from hookline_service.model.projects import Schedule, Trigger
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.projects import get_project
from hookline_triggers.cron import parse_schedule
from hookline_triggers.definitions import DstPolicy, TriggerDefinition

MAX_BACKFILL = 1000
MAX_TIMES = 1000
_INSTANT = timedelta(microseconds=1)


class BackfillInvalidError(InvalidError):
    """The time range cannot be backfilled."""

    code = "schedule.backfill_invalid"


class Dispatch(Protocol):
    """The dispatcher's way in."""

    async def __call__(
        self, trigger: Trigger, event: Event, *, scheduled_for: datetime | None = None
    ) -> Recorded:
        """Record the event with the sessions that it starts."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleWithTrigger:
    """A schedule with its trigger."""

    trigger: Trigger
    schedule: Schedule


async def list_schedules(store: Store, project_id: ProjectId | None) -> list[ScheduleWithTrigger]:
    """Schedules in force, by project and name."""
    triggers = await store.list_triggers(project_id)
    rows = {row.trigger_id: row for row in await store.list_schedules(project_id)}
    return [
        ScheduleWithTrigger(trigger=trigger, schedule=rows[trigger.id])
        for trigger in triggers
        if trigger.id in rows
    ]


async def get_schedule(store: Store, key: str) -> ScheduleWithTrigger:
    """The schedule of this trigger id, or of `PROJECT/NAME`.

    Raises:
        ProjectNotFoundError: there is no such project.
        TriggerNotFoundError: there is no such schedule in force.
    """
    project_key, slash, name = key.partition("/")
    if slash:
        project = await get_project(store, project_key)
        schedules = await list_schedules(store, project.id)
        for found in schedules:
            if found.trigger.definition.name == name:
                return found
        near = nearest(name, (each.trigger.definition.name for each in schedules))
        raise TriggerNotFoundError(key, near and f"{project_key}/{near}")
    trigger = await store.find_trigger(TriggerId(key))
    for found in await list_schedules(store, trigger.project_id) if trigger else ():
        if found.trigger.id == key:
            return found
    raise TriggerNotFoundError(key)


def next_times(definition: TriggerDefinition, after: datetime, count: int) -> list[datetime]:
    """The next nominal fires after a time, without jitter."""
    expression = parse_schedule(definition.schedule, definition.timezone)
    return _times(expression.next_after, after, count, definition.policies.dst)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an expression means, in words; what clock changes do to it; what to doubt of it; when it fires next."""

    description: str
    clock_changes: tuple[str, ...]
    doubts: tuple[str, ...]
    times: tuple[datetime, ...]


def preview(expression: str, timezone: str, after: datetime, count: int) -> Preview:
    """What an expression means, and its next fires.

    Raises:
        ScheduleInvalidError, TimezoneUnknownError: it has no meaning.
    """
    parsed = parse_schedule(expression, timezone)
    return Preview(
        description=parsed.describe(),
        clock_changes=parsed.describe_clock_changes(after),
        doubts=tuple(f"{one.problem}; {one.hint}" for one in parsed.doubts),
        times=tuple(_times(parsed.next_after, after, count, DstPolicy.ONCE)),
    )


def _times(
    next_after: Callable[[datetime, DstPolicy], datetime | None],
    after: datetime,
    count: int,
    dst: DstPolicy,
) -> list[datetime]:
    times: list[datetime] = []
    at = next_after(after, dst)
    while at is not None and len(times) < count:
        times.append(at)
        at = next_after(at, dst)
    return times


async def pause_schedule(
    store: Store, lock: anyio.Lock, key: str, reason: str
) -> ScheduleWithTrigger:
    """Let the schedule fire no more until it is resumed; a paused one gets the new reason.

    Raises:
        TriggerNotFoundError, ProjectNotFoundError: there is none.
    """
    async with lock:
        found = await get_schedule(store, key)
        paused = dataclasses.replace(found.schedule, paused=True, pause_reason=reason)
        await store.save_schedule(paused)
    return dataclasses.replace(found, schedule=paused)


async def resume_schedule(
    store: Store, lock: anyio.Lock, clock: Clock, key: str
) -> ScheduleWithTrigger:
    """Let the schedule fire again from now on; what it missed while paused stays missed.

    Raises:
        TriggerNotFoundError, ProjectNotFoundError: there is none.
    """
    async with lock:
        found = await get_schedule(store, key)
        if not found.schedule.paused:
            return found
        following = next_times(found.trigger.definition, clock.now(), 1)
        resumed = dataclasses.replace(
            found.schedule,
            paused=False,
            pause_reason="",
            next_fire_at=following[0] if following else None,
        )
        await store.save_schedule(resumed)
    return dataclasses.replace(found, schedule=resumed)


async def fire_schedule(store: Store, dispatch: Dispatch, clock: Clock, key: str) -> Recorded:
    """Fire once now, whatever the overlap policy says, also when paused.

    Raises:
        TriggerNotFoundError, ProjectNotFoundError: there is none.
    """
    found = await get_schedule(store, key)
    now = clock.now()
    return await dispatch(
        found.trigger, event_of_trigger(found.trigger, now, type=TICK), scheduled_for=now
    )


async def backfill_schedule(
    store: Store,
    dispatch: Dispatch,
    clock: Clock,
    key: str,
    *,
    start: datetime,
    end: datetime,
) -> list[Recorded]:
    """Fire for each nominal time from `start` to `end`, both included, oldest first; also for those fired before.

    Raises:
        TriggerNotFoundError, ProjectNotFoundError: there is none.
        BackfillInvalidError: the stretch is empty, reaches into the future, or holds too many fires.
    """
    found = await get_schedule(store, key)
    if end < start:
        raise BackfillInvalidError("the end of a backfill must not be before its start")
    if end > clock.now():
        raise BackfillInvalidError("a backfill must not reach into the future")
    definition = found.trigger.definition
    expression = parse_schedule(definition.schedule, definition.timezone)
    just_before = start - _INSTANT
    fires = expression.iter_between(just_before, end, definition.policies.dst)
    times = list(islice(fires, MAX_BACKFILL + 1))
    if len(times) > MAX_BACKFILL:
        raise BackfillInvalidError(
            f"a backfill may have up to {MAX_BACKFILL} fires; take a shorter stretch"
        )
    return [
        await dispatch(
            found.trigger,
            event_of_trigger(found.trigger, clock.now(), type=TICK),
            scheduled_for=at,
        )
        for at in times
    ]
