"""Routes of events."""

from __future__ import annotations

import base64
from typing import Annotated, Any, cast

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
from hookline_service.api.names import Names, load_names
from hookline_service.api.values import GivenJson, GivenTime, ProjectKey, Time, json_value
from hookline_service.model.events import Event, EventFilter, Recorded
from hookline_service.model.ids import DeploymentId, EventId
from hookline_service.model.plain_values import plain_json
from hookline_service.model.projects import Trigger
from hookline_service.model.sessions import SessionFilter
from hookline_service.use_cases.deployments import get_project_deployment
from hookline_service.use_cases.event_sources import WantedSource, find_source
from hookline_service.use_cases.events import SentEvent, compose_connection_event, compose_event
from hookline_service.use_cases.projects import get_project
from hookline_service.use_cases.redispatch import count_events, redispatch_events
from hookline_service.use_cases.triggers import find_trigger_id
from hookline_triggers.webhook import event_data, with_files_as

TriggerKey = Annotated[str, Field(min_length=1, max_length=200)]
EventType = Annotated[str, Field(max_length=200)]


class EventsQuery(PageQuery):
    """Which events; `trigger` is a name or an id."""

    project: ProjectKey | None = None
    trigger: TriggerKey | None = None
    deployment: Annotated[str, Field(max_length=64)] | None = None
    type: EventType | None = None


class SendBody(Shape):
    """An event as if its source had sent it; see `docs/http-api.md` for a webhook's data and body.

    One of: a trigger, a connection (then all its triggers get it), or the name of either as `source`.
    """

    project: ProjectKey
    trigger: TriggerKey | None = None
    connection: TriggerKey | None = None
    source: TriggerKey | None = None
    type: EventType | None = None
    data: GivenJson = None
    body: GivenJson = None  # a text is sent as it is


class RedispatchBody(Shape):
    """The deployment to dispatch to, instead of the active one."""

    deployment: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class RedispatchManyBody(Shape):
    """Which recorded events to dispatch once more: the newest `limit`; copies are left out. `dry_run` only counts them."""

    project: ProjectKey
    trigger: TriggerKey | None = None
    type: EventType | None = None
    since: GivenTime | None = None
    deployment: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    dry_run: bool = False


class RedispatchedAnswer(Answer):
    """How many events were dispatched again, and what they did. `skipped`: their trigger is gone. `cut`: there are more."""

    events: int
    sessions: int
    woken: int
    skipped: int
    cut: bool


class OutcomeAnswer(Answer):
    """What a session answered; a value as JSON."""

    session: str
    at: Time
    value: Any  # JSON of any shape


class OutcomePage(Answer):
    """Outcomes in the order they were recorded."""

    items: list[OutcomeAnswer]
    next: str | None = None


class EventAnswer(Answer):
    """An event without its data."""

    id: str
    project: str
    trigger: str | None
    connection: str | None
    source: str
    type: str
    delivery_id: str | None
    created_at: Time
    redispatch_of: str | None


class EventDetail(EventAnswer):
    """An event with its data, as user code sees it; bytes are in base64.

    `reason` says why it started no session, judged by the triggers in force now; null when it started one.
    """

    data: Any  # JSON of any shape
    reason: str | None


class EventPage(Answer):
    """Events, newest first."""

    items: list[EventAnswer]
    next: str | None


class DispatchAnswer(Answer):
    """What was recorded; `duplicate`: the event was known, and nothing started.

    `woken` are sessions with a subscription that got it, `reason` why no session was started.
    """

    event: str
    sessions: list[str]
    woken: list[str]
    duplicate: bool
    reason: str | None = None


def dispatch_answer(recorded: Recorded, reason: str | None = None) -> DispatchAnswer:
    """What was recorded, for people."""
    return DispatchAnswer(
        event=recorded.event_id,
        sessions=list(recorded.session_ids),
        woken=list(recorded.woken),
        duplicate=not recorded.is_new,
        reason=reason,
    )


async def list_events(call: Call[EventsQuery, NoBody]) -> EventPage:
    """Events, newest first."""
    store, query = call.services.store, call.query
    project = await get_project(store, query.project) if query.project else None
    which = EventFilter(
        project_id=project.id if project else None,
        trigger_id=await find_trigger_id(store, query.trigger, project) if query.trigger else None,
        deployment_id=DeploymentId(query.deployment) if query.deployment else None,
        type=query.type,
        before=EventId(query.before) if query.before else None,
        limit=query.limit + 1,
    )
    found = await store.list_events(which)
    page = found[: query.limit]
    names = await load_names(store, (event.project_id for event in page))
    return EventPage(
        items=[EventAnswer(**_fields(event, names)) for event in page],
        next=page[-1].id if len(found) > len(page) else None,
    )


async def show_event(call: Call[NoQuery, NoBody]) -> EventDetail:
    """One event with its data."""
    event = await call.services.store.get_event(EventId(call.path["event"]))
    names = await load_names(call.services.store, [event.project_id])
    started = await call.services.store.list_sessions(SessionFilter(event_id=event.id, limit=1))
    reason = None if started else await _reason(call, event)
    return EventDetail(**_fields(event, names), data=_data(event), reason=reason)


async def list_event_outcomes(call: Call[NoQuery, NoBody]) -> OutcomePage:
    """What sessions answered to the event."""
    store = call.services.store
    event = await store.get_event(EventId(call.path["event"]))
    outcomes = await store.list_outcomes(event.id)
    return OutcomePage(
        items=[
            OutcomeAnswer(
                session=each.session_id, at=each.at, value=json_value(plain_json(each.value))
            )
            for each in outcomes
        ]
    )


async def send_event(call: Call[NoQuery, SendBody]) -> DispatchAnswer:
    """Record an event as if its source had sent it."""
    services, body = call.services, call.body
    project = await get_project(services.store, body.project)
    wanted = WantedSource(trigger=body.trigger, connection=body.connection, either=body.source)
    source = await find_source(services.store, project, wanted)
    sent = SentEvent(type=body.type, data=body.data, body=body.body)
    if isinstance(source, Trigger):
        event = compose_event(source, sent, services.clock.now())
        recorded = await services.dispatcher.dispatch(source, event)
    else:
        event = compose_connection_event(source, sent, services.clock.now())
        recorded = await services.dispatcher.dispatch_to_connection(event, source.name)
    reason = None if recorded.session_ids else await _reason(call, event)
    return dispatch_answer(recorded, reason)


async def redispatch_event(call: Call[NoQuery, RedispatchBody]) -> DispatchAnswer:
    """Record a copy of an event, and what it starts now."""
    services, wanted = call.services, call.body.deployment
    event = await services.store.get_event(EventId(call.path["event"]))
    deployment = None
    if wanted:
        project = await services.store.get_project(event.project_id)
        deployment = await get_project_deployment(services.store, project, wanted)
    return dispatch_answer(await services.dispatcher.redispatch(event, deployment))


async def redispatch_many(call: Call[NoQuery, RedispatchManyBody]) -> RedispatchedAnswer:
    """Record copies of many events, and what they start now."""
    services, body = call.services, call.body
    store = services.store
    project = await get_project(store, body.project)
    deployment = None
    if body.deployment:
        deployment = await get_project_deployment(store, project, body.deployment)
    which = EventFilter(
        project_id=project.id,
        trigger_id=await find_trigger_id(store, body.trigger, project) if body.trigger else None,
        type=body.type,
        limit=body.limit,
    )
    if body.dry_run:
        counts = await count_events(store, which, since=body.since)
    else:
        counts = await redispatch_events(
            store, services.dispatcher.redispatch, which, since=body.since, deployment=deployment
        )
    return RedispatchedAnswer(
        events=counts.events,
        sessions=counts.sessions,
        woken=counts.woken,
        skipped=counts.skipped,
        cut=counts.is_cut,
    )


async def _reason(call: Call[Any, Any], event: Event) -> str:
    reason = await call.services.dispatcher.explain(event)
    return reason or "the triggers that are active now would start a session; redispatch it"


def _connection_of(event: Event) -> str | None:
    kind, _, name = event.source.partition(":")
    return name if kind == "connection" else None


def _fields(event: Event, names: Names) -> dict[str, Any]:
    return {
        "id": event.id,
        "project": names.project(event.project_id),
        "trigger": names.trigger(event.trigger_id),
        "connection": _connection_of(event),
        "source": event.source,
        "type": event.type,
        "delivery_id": event.delivery_id,
        "created_at": event.created_at,
        "redispatch_of": event.redispatch_of,
    }


def _data(event: Event) -> Any:
    data: object = json_value(event.data)
    if event.body is None or not isinstance(data, dict):
        return data
    full = event_data(cast("dict[str, Any]", data), event.body)
    full["body"]["bytes"] = _in_base64(event.body) if event.body else None
    return with_files_as(full, _in_base64)


def _in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/events",
        summary="Events without their data, newest first",
        handle=list_events,
        query=EventsQuery,
        body=NoBody,
        answer=EventPage,
    ),
    Endpoint(
        method="GET",
        path="/events/{event}",
        summary="One event with its data",
        handle=show_event,
        query=NoQuery,
        body=NoBody,
        answer=EventDetail,
    ),
    Endpoint(
        method="GET",
        path="/events/{event}/outcomes",
        summary="What sessions answered to the event, in order",
        handle=list_event_outcomes,
        query=NoQuery,
        body=NoBody,
        answer=OutcomePage,
    ),
    Endpoint(
        method="POST",
        path="/events/redispatch",
        summary="Record copies of many events, the oldest first, and start what they start now",
        handle=redispatch_many,
        query=NoQuery,
        body=RedispatchManyBody,
        answer=RedispatchedAnswer,
        status=202,
    ),
    Endpoint(
        method="POST",
        path="/events",
        summary="Record an event as if a trigger's source or a connection had sent it",
        handle=send_event,
        query=NoQuery,
        body=SendBody,
        answer=DispatchAnswer,
        status=202,
    ),
    Endpoint(
        method="POST",
        path="/events/{event}/redispatch",
        summary="Record a copy of the event, and start what it starts now",
        handle=redispatch_event,
        query=NoQuery,
        body=RedispatchBody,
        answer=DispatchAnswer,
        status=202,
    ),
)
