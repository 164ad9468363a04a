"""Many events at once: what is gone or cannot be recorded stops nothing else, and is told plainly."""

from __future__ import annotations

import pytest

from hookline.errors import UnavailableError
from hookline_service.model.errors import EventNotFoundError
from hookline_service.model.events import Event, EventFilter, Recorded
from hookline_service.model.ids import EventId
from hookline_service.model.projects import Deployment, Release
from hookline_service.use_cases.redispatch import count_events, redispatch_events
from tests.builders.events import an_event
from tests.builders.projects import a_definition, a_release
from tests.fakes.memory_store import MemoryStore


class Forgetful(MemoryStore):
    """A store whose retention takes events between their listing and their reading."""

    gone: EventId | None = None

    async def get_event(self, event_id: EventId) -> Event:
        if event_id == self.gone:
            raise EventNotFoundError(event_id)
        return await super().get_event(event_id)


@pytest.fixture
async def store() -> Forgetful:
    return Forgetful()


async def some_events(store: Forgetful, count: int) -> tuple[Release, list[Event]]:
    release = a_release(definitions=[a_definition()])
    await store.apply_release(release)
    events = [an_event(release.triggers[0]) for _ in range(count)]
    for event in events:
        await store.record_event(event, [])
    return release, events


class Dispatched:
    """Takes events, and refuses those that it is told to."""

    def __init__(self) -> None:
        self.events: list[EventId] = []
        self.refused: EventId | None = None

    async def __call__(self, event: Event, _: Deployment | None) -> Recorded:
        if event.id == self.refused:
            raise UnavailableError("the disk is full")
        self.events.append(event.id)
        return Recorded(is_new=True, event_id=event.id, session_ids=())


async def test_an_event_that_goes_meanwhile_is_left_out(store: Forgetful) -> None:
    release, events = await some_events(store, 45)
    store.gone = events[30].id
    dispatched = Dispatched()

    counts = await redispatch_events(
        store,
        dispatched,
        EventFilter(project_id=release.project.id, limit=45),
        since=None,
        deployment=None,
    )

    assert (counts.events, counts.skipped, counts.is_cut) == (44, 1, False)
    assert dispatched.events == [each.id for each in events if each.id != store.gone]


async def test_what_cannot_be_recorded_ends_it_with_the_reason_itself(store: Forgetful) -> None:
    release, events = await some_events(store, 45)
    dispatched = Dispatched()
    dispatched.refused = events[25].id

    with pytest.raises(UnavailableError, match="the disk is full"):
        await redispatch_events(
            store,
            dispatched,
            EventFilter(project_id=release.project.id, limit=45),
            since=None,
            deployment=None,
        )

    assert set(dispatched.events) == {each.id for each in events[:40]} - {dispatched.refused}


async def test_events_are_counted_without_being_dispatched(store: Forgetful) -> None:
    release, _ = await some_events(store, 5)
    which = EventFilter(project_id=release.project.id, limit=3)

    counts = await count_events(store, which, since=None)

    assert (counts.events, counts.is_cut) == (3, True)
    assert len(await store.list_events(EventFilter())) == 5
