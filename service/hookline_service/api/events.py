"""Routes of events."""

from __future__ import annotations

import base64
import json
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
from hookline_service.api.naming import Names, load_names
from hookline_service.api.values import ProjectKey, Time, json_value
from hookline_service.model.events import Event, EventFilter, Recorded
from hookline_service.model.ids import DeploymentId, EventId
from hookline_service.use_cases.deployments import get_project_deployment
from hookline_service.use_cases.events import SentEvent, compose_event
from hookline_service.use_cases.projects import get_project
from hookline_service.use_cases.triggers import find_trigger_id, get_trigger
from hookline_triggers.webhook import event_data

TriggerKey = Annotated[str, Field(min_length=1, max_length=200)]
EventType = Annotated[str, Field(max_length=200)]


class EventsQuery(PageQuery):
    """Which events; `trigger` is a name or an id."""

    project: ProjectKey | None = None
    trigger: TriggerKey | None = None
    deployment: Annotated[str, Field(max_length=64)] | None = None
    type: EventType | None = None


class SendBody(Shape):
    """An event as if the trigger's source had sent it; see `docs/http-api.md` for a webhook's data and body."""

    project: ProjectKey
    trigger: TriggerKey
    type: EventType | None = None
    data: Any = None  # any JSON
    body: Any = None  # text, or any JSON


class RedispatchBody(Shape):
    """The deployment to dispatch to, instead of the active one."""

    deployment: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class EventAnswer(Answer):
    """An event without its data."""

    id: str
    project: str
    trigger: str | None
    source: str
    type: str
    delivery_id: str | None
    created_at: Time
    redispatch_of: str | None


class EventDetail(EventAnswer):
    """An event with its data, as user code sees it; bytes are in base64."""

    data: Any  # JSON of any shape


class EventPage(Answer):
    """Events, newest first."""

    items: list[EventAnswer]
    next: str | None


class DispatchAnswer(Answer):
    """What was recorded; `duplicate`: the event was known, and nothing started."""

    event: str
    sessions: list[str]
    duplicate: bool


def dispatch_answer(recorded: Recorded) -> DispatchAnswer:
    """What was recorded, for people."""
    return DispatchAnswer(
        event=recorded.event_id,
        sessions=list(recorded.session_ids),
        duplicate=not recorded.is_new,
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
    return EventDetail(**_fields(event, names), data=_data(event))


async def send_event(call: Call[NoQuery, SendBody]) -> DispatchAnswer:
    """Record an event as if its source had sent it."""
    services, body = call.services, call.body
    project = await get_project(services.store, body.project)
    trigger = await get_trigger(services.store, project, body.trigger)
    sent = SentEvent(type=body.type, data=body.data, body=body.body)
    event = compose_event(trigger, sent, services.clock.now())
    return dispatch_answer(await services.dispatcher.dispatch(trigger, event))


async def redispatch_event(call: Call[NoQuery, RedispatchBody]) -> DispatchAnswer:
    """Record a copy of an event, and what it starts now."""
    services, wanted = call.services, call.body.deployment
    event = await services.store.get_event(EventId(call.path["event"]))
    deployment = None
    if wanted:
        project = await services.store.get_project(event.project_id)
        deployment = await get_project_deployment(services.store, project, wanted)
    return dispatch_answer(await services.dispatcher.redispatch(event, deployment))


def _fields(event: Event, names: Names) -> dict[str, Any]:
    return {
        "id": event.id,
        "project": names.project(event.project_id),
        "trigger": names.trigger(event.trigger_id),
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
    # A provider may send half of a surrogate pair, which has no place in UTF-8.
    text = json.dumps(full, default=_encoded, ensure_ascii=False)
    return json_value(text.encode("utf-8", "replace"))


def _encoded(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


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
        method="POST",
        path="/events",
        summary="Record an event as if the trigger's source had sent it",
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
