"""Events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from hookline_service.model.calls import Deliveries
from hookline_service.model.events import Arrival, Event, EventFilter, Recorded
from hookline_service.model.ids import EventId, ProjectId
from hookline_service.model.projects import Schedule
from hookline_service.model.sessions import Session


class EventStore(Protocol):
    """Events, recorded once."""

    async def record_event(
        self,
        event: Event,
        sessions: Sequence[Session],
        schedule: Schedule | None = None,
        deliveries: Deliveries = (),
    ) -> Recorded:
        """Record the event, its sessions, the schedule's step and its deliveries to subscriptions in one transaction.

        A delivery waits in its subscription until it is taken, and the event stays so long; one to a subscription that
        has ended, or is of another project, is left out. A waiting session that waits for the subscription becomes due at
        the event's time.

        If the id or `(source, delivery_id)` was recorded before, nothing is written and the earlier event is named with its
        sessions. Of the schedule only `next_fire_at`, `last_fire_at` and `buffered` are written, never `paused`.
        """
        ...

    async def get_event(self, event_id: EventId) -> Event:
        """The event; raises `EventNotFoundError`."""
        ...

    async def list_events(self, which: EventFilter) -> list[Event]:
        """Events, newest first, without what they carry: `data` is `{}` and `body` None, for a page of them could be large."""
        ...

    async def list_arrivals(
        self, project_id: ProjectId, source: str, since: datetime, limit: int
    ) -> list[Arrival]:
        """The newest events of the source since that time, newest first, `limit` at most.

        Of a source that is no trigger they are looked for among the newest `20 * limit` events of the project.
        """
        ...
