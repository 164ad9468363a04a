"""Routes of schedules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from hookline_service.api.endpoints import (
    Answer,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    NoQuery,
    PageQuery,
    Shape,
)
from hookline_service.api.events import DispatchAnswer, dispatch_answer
from hookline_service.api.names import load_names
from hookline_service.api.values import GivenTime, ProjectKey, Time
from hookline_service.use_cases import schedules
from hookline_service.use_cases.projects import get_project
from hookline_service.use_cases.schedules import ScheduleWithTrigger
from hookline_triggers.cron import parse_schedule

_UPCOMING = 5


class SchedulesQuery(PageQuery):
    """Which schedules."""

    project: ProjectKey | None = None


class PauseBody(Shape):
    """Why a schedule is paused."""

    reason: Annotated[str, Field(max_length=1000)] = ""


class BackfillBody(Shape):
    """The stretch of time to make up for; both ends count."""

    start: GivenTime
    end: GivenTime


class TimesQuery(Shape):
    """An expression to look ahead with; `from` is now if it is left out."""

    expression: Annotated[str, Field(min_length=1, max_length=1000)]
    timezone: Annotated[str, Field(min_length=1, max_length=100)] = "UTC"
    count: Annotated[int, Field(ge=1, le=schedules.MAX_TIMES)] = 10
    from_: Annotated[GivenTime | None, Field(alias="from")] = None


class ScheduleAnswer(Answer):
    """A schedule; `id` is its trigger's, `upcoming` are nominal times without jitter."""

    id: str
    project: str
    name: str
    expression: str
    timezone: str
    description: str
    overlap: str
    next_fire_at: Time | None
    last_fire_at: Time | None
    paused: bool
    pause_reason: str
    buffered: list[Time]
    upcoming: list[Time]


class SchedulePage(Answer):
    """Schedules in force, by project and name."""

    items: list[ScheduleAnswer]
    next: str | None = None


class TimesAnswer(Answer):
    """What an expression means, and when it fires.

    `clock_changes` say what those of the coming year do to it, `warnings` what it would mean elsewhere.
    """

    expression: str
    timezone: str
    description: str
    clock_changes: list[str]
    warnings: list[str]
    times: list[Time]


class BackfillAnswer(Answer):
    """What a backfill started, oldest first."""

    items: list[DispatchAnswer]
    next: str | None = None


async def list_schedules(call: Call[SchedulesQuery, NoBody]) -> SchedulePage:
    """Schedules in force."""
    store = call.services.store
    key = call.query.project
    project_id = (await get_project(store, key)).id if key else None
    found = await schedules.list_schedules(store, project_id)
    return SchedulePage(items=[await _answer(call, each) for each in found])


async def show_schedule(call: Call[NoQuery, NoBody]) -> ScheduleAnswer:
    """One schedule."""
    return await _answer(call, await schedules.get_schedule(call.services.store, _key(call)))


async def pause_schedule(call: Call[NoQuery, PauseBody]) -> ScheduleAnswer:
    """Pause one schedule."""
    services = call.services
    found = await schedules.pause_schedule(
        services.store, services.schedule_lock, _key(call), call.body.reason
    )
    services.on_schedules_changed()
    return await _answer(call, found)


async def resume_schedule(call: Call[NoQuery, NoBody]) -> ScheduleAnswer:
    """Resume one schedule."""
    services = call.services
    found = await schedules.resume_schedule(
        services.store, services.schedule_lock, services.clock, _key(call)
    )
    services.on_schedules_changed()
    return await _answer(call, found)


async def fire_schedule(call: Call[NoQuery, NoBody]) -> DispatchAnswer:
    """Fire one schedule now."""
    services = call.services
    recorded = await schedules.fire_schedule(
        services.store, services.dispatcher.dispatch, services.clock, _key(call)
    )
    return dispatch_answer(recorded)


async def backfill_schedule(call: Call[NoQuery, BackfillBody]) -> BackfillAnswer:
    """Fire one schedule for each time of a stretch."""
    services = call.services
    recorded = await schedules.backfill_schedule(
        services.store,
        services.dispatcher.dispatch,
        services.clock,
        _key(call),
        start=call.body.start,
        end=call.body.end,
    )
    return BackfillAnswer(items=[dispatch_answer(each) for each in recorded])


async def list_schedule_times(call: Call[TimesQuery, NoBody]) -> TimesAnswer:
    """When an expression fires."""
    query = call.query
    after = query.from_ or call.services.clock.now()
    found = schedules.preview(query.expression, query.timezone, after, query.count)
    return TimesAnswer(
        expression=query.expression,
        timezone=query.timezone,
        description=found.description,
        clock_changes=list(found.clock_changes),
        warnings=list(found.doubts),
        times=list(found.times),
    )


def _key(call: Call[Any, Any]) -> str:
    if "name" in call.path:
        return f"{call.path['project']}/{call.path['name']}"
    return call.path["schedule"]


async def _answer(call: Call[Any, Any], found: ScheduleWithTrigger) -> ScheduleAnswer:
    trigger, schedule = found.trigger, found.schedule
    written = trigger.definition
    names = await load_names(call.services.store, [trigger.project_id])
    expression = parse_schedule(written.schedule, written.timezone)
    return ScheduleAnswer(
        id=trigger.id,
        project=names.project(trigger.project_id),
        name=written.name,
        expression=written.schedule,
        timezone=expression.timezone,
        description=expression.describe(),
        overlap=written.policies.overlap,
        next_fire_at=schedule.next_fire_at,
        last_fire_at=schedule.last_fire_at,
        paused=schedule.paused,
        pause_reason=schedule.pause_reason,
        buffered=list(schedule.buffered),
        upcoming=schedules.next_times(written, call.services.clock.now(), _UPCOMING),
    )


def _both(endpoint: AnyEndpoint) -> Iterator[AnyEndpoint]:
    """The endpoint by the trigger's id, and the same by names of project and trigger."""
    yield endpoint
    path = endpoint.path.replace("{schedule}", "{project}/{name}")
    yield replace(endpoint, path=path, variant="_by_name")


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/schedules",
        summary="Active schedules, by project and name",
        handle=list_schedules,
        query=SchedulesQuery,
        body=NoBody,
        answer=SchedulePage,
    ),
    *_both(
        Endpoint(
            method="GET",
            path="/schedules/{schedule}",
            summary="One schedule",
            handle=show_schedule,
            query=NoQuery,
            body=NoBody,
            answer=ScheduleAnswer,
        )
    ),
    *_both(
        Endpoint(
            method="POST",
            path="/schedules/{schedule}/pause",
            summary="Let the schedule fire no more until it is resumed",
            handle=pause_schedule,
            query=NoQuery,
            body=PauseBody,
            answer=ScheduleAnswer,
        )
    ),
    *_both(
        Endpoint(
            method="POST",
            path="/schedules/{schedule}/resume",
            summary="Let the schedule fire again; what it missed stays missed",
            handle=resume_schedule,
            query=NoQuery,
            body=NoBody,
            answer=ScheduleAnswer,
        )
    ),
    *_both(
        Endpoint(
            method="POST",
            path="/schedules/{schedule}/fire",
            summary="Fire once now",
            handle=fire_schedule,
            query=NoQuery,
            body=NoBody,
            answer=DispatchAnswer,
            status=202,
        )
    ),
    *_both(
        Endpoint(
            method="POST",
            path="/schedules/{schedule}/backfill",
            summary="Fire for each time of a past stretch, oldest first",
            handle=backfill_schedule,
            query=NoQuery,
            body=BackfillBody,
            answer=BackfillAnswer,
            status=202,
        )
    ),
    Endpoint(
        method="GET",
        path="/schedule-times",
        summary="What an expression means, and when it fires next",
        handle=list_schedule_times,
        query=TimesQuery,
        body=NoBody,
        answer=TimesAnswer,
    ),
)
