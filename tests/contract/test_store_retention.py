from __future__ import annotations

from datetime import datetime

import pytest

from hookline_service.model.errors import EventNotFoundError, SessionNotFoundError
from hookline_service.model.events import Event
from hookline_service.model.projects import Release
from hookline_service.model.sessions import Session, SessionFilter, SessionState
from hookline_service.storage.protocols import Store
from tests.builders.events import an_event
from tests.builders.moments import after
from tests.builders.projects import a_definition, a_release
from tests.builders.sessions import a_record, a_session, an_entry


@pytest.fixture
async def release(store: Store) -> Release:
    release = a_release(definitions=[a_definition()])
    await store.apply_release(release)
    return release


def ended(release: Release, at: datetime, event: Event | None = None) -> Session:
    return a_session(release, event, state=SessionState.COMPLETED, ended_at=at)


async def test_sessions_that_ended_before_go_with_their_journal_and_event(
    store: Store, release: Release
) -> None:
    event = an_event(release.triggers[0], delivery_id="d1")
    session = ended(release, after(10), event)
    await store.record_event(event, [session])
    await store.append([an_entry(session.id, 1)], [a_record(session.id, 2)])

    count = await store.delete_finished_before(after(11), 10)

    assert count == 1
    assert await store.last_seq(session.id) == 0
    with pytest.raises(SessionNotFoundError):
        await store.get_session(session.id)
    with pytest.raises(EventNotFoundError):
        await store.get_event(event.id)


async def test_younger_and_unfinished_sessions_stay(store: Store, release: Release) -> None:
    young = ended(release, after(10))
    waiting = a_session(release, state=SessionState.WAITING)
    await store.add_sessions([young, waiting])

    count = await store.delete_finished_before(after(10), 10)

    assert count == 0
    assert await store.list_sessions(SessionFilter()) == [waiting, young]


async def test_an_event_stays_while_one_of_its_sessions_does(
    store: Store, release: Release
) -> None:
    event = an_event(release.triggers[0])
    await store.record_event(
        event, [ended(release, after(1), event), ended(release, after(100), event)]
    )

    count = await store.delete_finished_before(after(50), 10)

    assert count == 1
    assert await store.get_event(event.id) == event


async def test_old_events_that_started_nothing_go(store: Store, release: Release) -> None:
    old = an_event(release.triggers[0], created_at=after(1))
    young = an_event(release.triggers[0], created_at=after(100))
    await store.record_event(old, [])
    await store.record_event(young, [])

    count = await store.delete_finished_before(after(50), 10)

    assert count == 1
    assert await store.get_event(young.id) == young
    with pytest.raises(EventNotFoundError):
        await store.get_event(old.id)


async def test_the_oldest_go_first_up_to_the_limit(store: Store, release: Release) -> None:
    sessions = [ended(release, after(seconds)) for seconds in (3, 1, 2)]
    await store.add_sessions(sessions)

    first = await store.delete_finished_before(after(50), 2)
    left = await store.list_sessions(SessionFilter())
    second = await store.delete_finished_before(after(50), 2)

    assert (first, second) == (2, 1)
    assert left == [sessions[0]]


async def test_many_are_deleted_in_one_call(store: Store, release: Release) -> None:
    await store.add_sessions([ended(release, after(index)) for index in range(450)])

    count = await store.delete_finished_before(after(1000), 420)

    assert count == 420
    assert len(await store.list_sessions(SessionFilter(limit=100))) == 30
