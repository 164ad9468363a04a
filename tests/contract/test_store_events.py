from __future__ import annotations

from dataclasses import replace

import pytest

from hookline_service.model.errors import (
    BuildNotFoundError,
    EventNotFoundError,
    ProjectNotFoundError,
    SessionNotFoundError,
    TriggerNotFoundError,
)
from hookline_service.model.events import Arrival, EventFilter, Recorded
from hookline_service.model.ids import BuildId, TriggerId
from hookline_service.model.projects import DeploymentState, Release
from hookline_service.storage.protocols import Store
from hookline_triggers.definitions import TriggerKind
from tests.builders.events import an_event
from tests.builders.moments import after
from tests.builders.projects import a_definition, a_project, a_release
from tests.builders.sessions import a_session


@pytest.fixture
async def release(store: Store) -> Release:
    release = a_release(
        definitions=[
            a_definition(),
            a_definition(),
            a_definition(kind=TriggerKind.SCHEDULE, schedule="* * * * *"),
        ]
    )
    await store.apply_release(release)
    return release


async def test_a_recorded_event_comes_back_as_it_was(store: Store, release: Release) -> None:
    event = an_event(release.triggers[0], body=b"\x00\xff", delivery_id="d1")

    recorded = await store.record_event(event, [])

    assert recorded == Recorded(is_new=True, event_id=event.id)
    assert await store.get_event(event.id) == event


async def test_a_manual_event_needs_no_trigger(store: Store, release: Release) -> None:
    event = an_event(release, body=None)

    await store.record_event(event, [])

    assert await store.get_event(event.id) == event


async def test_an_event_is_recorded_with_its_sessions(store: Store, release: Release) -> None:
    event = an_event(release.triggers[0])
    sessions = [a_session(release, event), a_session(release, event)]

    recorded = await store.record_event(event, sessions)

    assert recorded.session_ids == tuple(session.id for session in sessions)
    assert [await store.get_session(session.id) for session in sessions] == sessions


async def test_a_redelivered_event_starts_nothing(store: Store, release: Release) -> None:
    event = an_event(release.triggers[0], delivery_id="d1")
    sessions = [a_session(release, event), a_session(release, event)]
    await store.record_event(event, sessions)
    again = an_event(release.triggers[0], delivery_id="d1")
    repeated = a_session(release, again)

    recorded = await store.record_event(again, [repeated])

    ids = tuple(session.id for session in sessions)
    assert recorded == Recorded(is_new=False, event_id=event.id, session_ids=ids)
    with pytest.raises(EventNotFoundError):
        await store.get_event(again.id)
    with pytest.raises(SessionNotFoundError):
        await store.get_session(repeated.id)


async def test_the_delivery_of_one_trigger_is_not_that_of_another(
    store: Store, release: Release
) -> None:
    first = an_event(release.triggers[0], delivery_id="d1")
    second = an_event(release.triggers[1], delivery_id="d1")
    third = an_event(release, source="poller", delivery_id="d1")

    recorded = [await store.record_event(event, []) for event in (first, second, third)]

    assert [each.is_new for each in recorded] == [True, True, True]


async def test_a_delivery_of_another_source_is_recorded_once(
    store: Store, release: Release
) -> None:
    first = an_event(release, source="poller", delivery_id="d1")
    second = an_event(release, source="poller", delivery_id="d1")
    await store.record_event(first, [])

    recorded = await store.record_event(second, [])

    assert recorded == Recorded(is_new=False, event_id=first.id)


async def test_events_without_a_delivery_id_are_all_new(store: Store, release: Release) -> None:
    events = [an_event(release.triggers[0]) for _ in range(3)]

    recorded = [await store.record_event(event, []) for event in events]

    assert [each.is_new for each in recorded] == [True, True, True]


async def test_recording_the_same_event_again_is_harmless(store: Store, release: Release) -> None:
    event = an_event(release.triggers[0])
    session = a_session(release, event)
    await store.record_event(event, [session])

    recorded = await store.record_event(event, [session])

    assert recorded == Recorded(is_new=False, event_id=event.id, session_ids=(session.id,))


async def test_an_event_whose_session_is_refused_is_not_recorded(
    store: Store, release: Release
) -> None:
    event = an_event(release.triggers[0], delivery_id="d1")
    good = a_session(release, event)
    bad = a_session(release, event, build_id=BuildId("bld_nowhere"))

    with pytest.raises(BuildNotFoundError):
        await store.record_event(event, [good, bad])

    with pytest.raises(EventNotFoundError):
        await store.get_event(event.id)
    assert (await store.record_event(event, [good])).is_new


async def test_an_event_of_a_missing_project_is_refused(store: Store) -> None:
    event = an_event(a_release(a_project()))

    with pytest.raises(ProjectNotFoundError):
        await store.record_event(event, [])


async def test_an_event_of_an_unknown_trigger_is_refused(store: Store, release: Release) -> None:
    event = an_event(release, trigger_id=TriggerId("trg_nowhere"))

    with pytest.raises(TriggerNotFoundError):
        await store.record_event(event, [])


async def test_a_fire_moves_its_schedule_on(store: Store, release: Release) -> None:
    trigger, schedule = release.triggers[2], release.schedules[0]
    event = an_event(trigger)
    moved = replace(
        schedule, next_fire_at=after(60), last_fire_at=after(0), buffered=(after(1), after(2))
    )

    await store.record_event(event, [a_session(release, event)], moved)

    assert await store.list_schedules() == [moved]


async def test_a_fire_does_not_resume_a_schedule_paused_meanwhile(
    store: Store, release: Release
) -> None:
    schedule = release.schedules[0]
    paused = replace(schedule, paused=True, pause_reason="by hand")
    await store.save_schedule(paused)

    await store.record_event(
        an_event(release.triggers[2]), [], replace(schedule, next_fire_at=after(60))
    )

    assert await store.list_schedules() == [replace(paused, next_fire_at=after(60))]


async def test_a_redelivered_fire_leaves_the_schedule_alone(store: Store, release: Release) -> None:
    event = an_event(release.triggers[2], delivery_id="fire-1")
    await store.record_event(event, [])
    again = an_event(release.triggers[2], delivery_id="fire-1")

    await store.record_event(again, [], replace(release.schedules[0], next_fire_at=after(60)))

    assert await store.list_schedules() == list(release.schedules)


async def test_a_fire_of_a_trigger_out_of_force_is_recorded_without_a_schedule(
    store: Store, release: Release
) -> None:
    await store.set_deployment_state(release.deployment.id, DeploymentState.INACTIVE)

    recorded = await store.record_event(an_event(release.triggers[2]), [], release.schedules[0])

    assert recorded.is_new
    assert await store.list_schedules() == []


async def test_events_are_listed_newest_first_in_pages(store: Store, release: Release) -> None:
    events = [an_event(release.triggers[0]) for _ in range(3)]
    for event in events:
        await store.record_event(event, [])

    page = await store.list_events(EventFilter(limit=2))
    rest = await store.list_events(EventFilter(limit=2, before=page[-1].id))

    bare = [replace(each, data=b"{}", body=None) for each in reversed(events)]
    assert [*page, *rest] == bare


async def test_arrivals_are_those_of_a_source_since_a_time_newest_first(
    store: Store, release: Release
) -> None:
    other = a_release()
    await store.apply_release(other)
    ours, theirs = release.triggers[0], release.triggers[1]
    source = "connection:chat"
    early = an_event(ours, type="push")
    talk = an_event(release, source=source, type="message")
    late = an_event(ours, type="ping")
    events = [early, an_event(theirs), talk, late, an_event(other, source=source)]
    for event in events:
        await store.record_event(event, [])
    project_id, of_ours = release.project.id, f"trigger:{ours.id}"

    both = await store.list_arrivals(project_id, of_ours, early.created_at, 9)

    assert both == [Arrival(id=late.id, type="ping"), Arrival(id=early.id, type="push")]
    assert await store.list_arrivals(project_id, of_ours, early.created_at, 1) == both[:1]
    assert await store.list_arrivals(project_id, of_ours, talk.created_at, 9) == both[:1]
    assert await store.list_arrivals(project_id, of_ours, after(3600), 9) == []
    talks = await store.list_arrivals(project_id, source, early.created_at, 9)
    assert talks == [Arrival(id=talk.id, type="message")]


async def test_events_are_filtered(store: Store, release: Release) -> None:
    other = a_release()
    await store.apply_release(other)
    first = an_event(release.triggers[0], type="push")
    second = an_event(release.triggers[1], type="push")
    third = an_event(release.triggers[1], type="ping")
    elsewhere = an_event(other, type="push")
    for event in (second, third, elsewhere):
        await store.record_event(event, [])
    await store.record_event(first, [a_session(release, first), a_session(release, first)])

    async def found(**fields: object) -> list[object]:
        return [each.id for each in await store.list_events(EventFilter(**fields))]  # pyright: ignore[reportArgumentType]

    assert await found(project_id=other.project.id) == [elsewhere.id]
    assert await found(trigger_id=release.triggers[1].id) == [third.id, second.id]
    assert await found(trigger_id=release.triggers[1].id, type="ping") == [third.id]
    assert await found(type="push") == [elsewhere.id, second.id, first.id]
    assert await found(deployment_id=release.deployment.id) == [first.id]
    assert await found(deployment_id=other.deployment.id) == []
    assert await found(deployment_id="dep_nowhere") == []
    assert await found(project_id="prj_nowhere") == []
    assert await found(project_id=release.project.id, type="none") == []
