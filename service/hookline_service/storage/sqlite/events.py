"""Events, recorded once, with the sessions they start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hookline.errors import InternalError
from hookline_service.model.calls import Deliveries
from hookline_service.model.errors import EventNotFoundError
from hookline_service.model.events import Arrival, Event, EventFilter, Recorded, trigger_source
from hookline_service.model.ids import EventId, ProjectId, first_event_id
from hookline_service.model.projects import Schedule
from hookline_service.model.sessions import Session
from hookline_service.storage.sqlite.connection import Database, Row
from hookline_service.storage.sqlite.records import to_us
from hookline_service.storage.sqlite.rows import EVENTS
from hookline_service.storage.sqlite.sessions import insert_session
from hookline_service.storage.sqlite.tables import (
    ABOVE_EVERY_ID,
    Tables,
    project_key,
    trigger_key,
)
from hookline_service.storage.sqlite.triggers import step_schedule
from hookline_service.storage.sqlite.waiting import deliver

_LOOKED_THROUGH = 20  # events of a project for each one of a source


class EventTables(Tables):
    """See `EventStore`."""

    async def record_event(
        self,
        event: Event,
        sessions: Sequence[Session],
        schedule: Schedule | None = None,
        deliveries: Deliveries = (),
    ) -> Recorded:
        """See `EventStore.record_event`."""
        self._writer.admit()
        size_bytes = len(event.data) + len(event.body or b"")
        return await self._writer.run(
            record_event, event, sessions, schedule, deliveries, size_bytes=size_bytes
        )

    async def get_event(self, event_id: EventId) -> Event:
        """See `EventStore.get_event`."""
        row = self._readers.at_once(Database.row, "find_event", (event_id,))
        if row is None:
            raise EventNotFoundError(event_id)
        return EVENTS.read(row)

    async def list_events(self, which: EventFilter) -> list[Event]:
        """See `EventStore.list_events`."""
        rows = await self._readers.run(_list_events, which)
        return [EVENTS.read(row) for row in rows]

    async def list_arrivals(
        self, project_id: ProjectId, source: str, since: datetime, limit: int
    ) -> list[Arrival]:
        """See `EventStore.list_arrivals`."""
        return await self._readers.run(_list_arrivals, project_id, source, since, limit)


def record_event(
    database: Database,
    event: Event,
    sessions: Sequence[Session],
    schedule: Schedule | None,
    deliveries: Deliveries,
) -> Recorded:
    """Record an event and what it starts; see `EventStore.record_event`."""
    project = project_key(database, event.project_id)
    trigger = trigger_key(database, event.trigger_id)
    source = None if event.source == trigger_source(event.trigger_id or "") else event.source
    row = {
        **EVENTS.write(event),
        "project_key": project,
        "trigger_key": trigger,
        "source": source,
        "started": len(sessions),
    }
    cursor = database.execute("insert_event", row)
    if cursor.rowcount == 0:
        return _recorded_before(database, event, trigger, source)
    key = cursor.lastrowid
    if key is None:
        raise InternalError("a new row has no number")
    database.remember_key("find_event_key", event.id, key)
    for session in sessions:
        insert_session(database, session)
    if schedule is not None:
        step_schedule(database, schedule)
    return Recorded(
        is_new=True,
        event_id=event.id,
        session_ids=tuple(session.id for session in sessions),
        woken=deliver(database, key, project, deliveries, to_us(event.created_at)),
    )


def _recorded_before(
    database: Database, event: Event, trigger: int | None, source: str | None
) -> Recorded:
    if event.delivery_id is None:
        found = None
    elif source is None:
        found = database.row("find_delivery_of_trigger", (trigger, event.delivery_id))
    else:
        found = database.row("find_delivery_of_source", (source, event.delivery_id))
    if found is None:
        found = database.row("find_event_key", (event.id,))
    if found is None:
        raise InternalError("an event was neither new nor recorded before")
    rows = database.rows("list_session_ids_of_event", (found["key"],))
    return Recorded(
        is_new=False, event_id=found["id"], session_ids=tuple(row["id"] for row in rows)
    )


def _list_events(database: Database, which: EventFilter) -> list[Row]:
    page = (which.before or ABOVE_EVERY_ID, which.type, which.limit)
    if which.deployment_id is not None:
        deployment = database.row("find_deployment", (which.deployment_id,))
        if deployment is None:
            return []
        rows = database.rows(
            "list_events_of_deployment", (*page, deployment["project_key"], deployment["key"])
        )
    elif which.trigger_id is not None:
        trigger: int | None = database.value("find_trigger_key", (which.trigger_id,))
        rows = database.rows("list_events_of_trigger", (*page, trigger))
    elif which.project_id is not None:
        project: int | None = database.value("find_project_key", (which.project_id,))
        rows = database.rows("list_events_of_project", (*page, project))
    else:
        rows = database.rows("list_events", page)
    return rows


def _list_arrivals(
    database: Database, project_id: ProjectId, source: str, since: datetime, limit: int
) -> list[Arrival]:
    first = first_event_id(since)
    kind, _, trigger_id = source.partition(":")
    if kind == "trigger":
        trigger: int | None = database.value("find_trigger_key", (trigger_id,))
        rows = database.rows("list_arrivals_of_trigger", (trigger, first, limit))
    else:
        project: int | None = database.value("find_project_key", (project_id,))
        page = (project, first, limit, _LOOKED_THROUGH * limit, source)
        rows = database.rows("list_arrivals_of_source", page)
    return [Arrival(id=row["id"], type=row["type"]) for row in rows]
