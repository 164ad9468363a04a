"""What happened, recorded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from hookline_service.model.ids import (
    DeploymentId,
    EventId,
    ProjectId,
    SessionId,
    TriggerId,
    new_event_id,
)
from hookline_service.model.projects import Connection, Trigger

TICK = "tick"
"""The type of a schedule's events."""

Woken: TypeAlias = Mapping[SessionId, tuple[str, ...]]
"""Sessions for which something came, and the topics under which it did: `sub:<subscription>`, `sig:<name>`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One recorded event.

    `source` names where it came from: `trigger:trg_…`, `connection:<name>`. `delivery_id` is unique per source when set.
    `data` is JSON text (UTF-8). For a webhook it is the request without its body, and `body` holds the
    raw bytes; the full shape that user code sees is `hookline_triggers.webhook.event_data(data, body)`.
    `redispatch_of` names the event this one is a copy of.
    """

    id: EventId
    project_id: ProjectId
    trigger_id: TriggerId | None
    source: str
    type: str
    data: bytes
    body: bytes | None
    delivery_id: str | None
    created_at: datetime
    redispatch_of: EventId | None = None


def trigger_source(trigger_id: str) -> str:
    """The source of what a trigger gets."""
    return f"trigger:{trigger_id}"


def connection_source(name: str) -> str:
    """The source of what a connection delivers."""
    return f"connection:{name}"


def connection_of_source(source: str) -> str | None:
    """The name of the connection that delivers this; None for another source."""
    kind, _, name = source.partition(":")
    return name if kind == "connection" else None


def event_of_trigger(
    trigger: Trigger,
    at: datetime,
    *,
    type: str,  # noqa: A002 - the name of the field
    data: bytes = b"{}",
    body: bytes | None = None,
    delivery_id: str | None = None,
) -> Event:
    """A new event that a trigger got at this time."""
    return Event(
        id=new_event_id(at),
        project_id=trigger.project_id,
        trigger_id=trigger.id,
        source=trigger_source(trigger.id),
        type=type,
        data=data,
        body=body,
        delivery_id=delivery_id,
        created_at=at,
    )


def event_of_connection(
    connection: Connection,
    at: datetime,
    *,
    type: str,  # noqa: A002 - the name of the field
    data: bytes,
) -> Event:
    """A new event that a connection delivered at this time."""
    return Event(
        id=new_event_id(at),
        project_id=connection.project_id,
        trigger_id=None,
        source=connection_source(connection.name),
        type=type,
        data=data,
        body=None,
        delivery_id=None,
        created_at=at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """That an event came, and of which type."""

    id: EventId
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the store says about an event given to it: new, or seen before and then under which id.

    `woken` are the sessions with a subscription that got the event, and which subscriptions.
    """

    is_new: bool
    event_id: EventId
    session_ids: tuple[SessionId, ...] = ()
    woken: Woken = field(default_factory=dict[SessionId, tuple[str, ...]])


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events a listing shows; None means any. `before` is an exclusive upper id for paging."""

    project_id: ProjectId | None = None
    trigger_id: TriggerId | None = None
    deployment_id: DeploymentId | None = None
    type: str | None = None
    before: EventId | None = None
    limit: int = 50
