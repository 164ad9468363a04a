"""Schedules with all their policies: what fires, when, and how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import anyio
import anyio.lowlevel
import pytest

from hookline_service.model.projects import Trigger
from hookline_service.model.sessions import SessionFilter, SessionState
from hookline_service.storage.protocols import Store
from hookline_triggers.definitions import OverlapPolicy
from hookline_triggers.schedules import jitter_for
from tests.builders.dispatching import (
    NOON,
    DispatchRig,
    a_dispatch_rig,
    every_minute,
    running_ticker,
)
from tests.builders.events import an_event
from tests.builders.projects import a_definition
from tests.fakes.refusing_store import RefusingStore


async def test_a_schedule_fires_at_its_times_and_not_before(rig: DispatchRig) -> None:
    await rig.deploy(every_minute())

    await rig.turn(29.9)
    early = list(rig.fires)
    await rig.turn(0.1)
    on_time = list(rig.fires)
    await rig.turn(60)

    assert (early, on_time, rig.fires) == ([], [0], [0, 60])
    schedule = await rig.schedule()
    assert schedule.next_fire_at == NOON + timedelta(minutes=2)
    assert schedule.last_fire_at == NOON + timedelta(minutes=1)


async def test_a_tick_is_an_event_with_its_session(rig: DispatchRig) -> None:
    release = await rig.deploy(every_minute())
    await rig.turn(30)

    (event,) = await rig.events()
    (session,) = rig.started
    assert (event.type, event.trigger_id) == ("tick", release.triggers[0].id)
    assert (session.event_id, session.scheduled_for) == (event.id, NOON)
    assert (session.deployment_id, session.entry_point) == (release.deployment.id, "main.py:tick")


async def test_the_loop_fires_by_itself_when_the_time_comes(rig: DispatchRig) -> None:
    await rig.deploy(every_minute())
    rig.clock.at = NOON

    async with running_ticker(rig):
        with anyio.fail_after(5):
            while not rig.started:
                await anyio.lowlevel.checkpoint()

    assert rig.fires == [0]


async def test_a_paused_schedule_does_not_fire(rig: DispatchRig) -> None:
    await rig.deploy(every_minute())
    await rig.store.save_schedule(replace(await rig.schedule(), paused=True))

    await rig.turn(300)

    assert rig.fires == []


# -- what overlaps -------------------------------------------------------------------------------


async def test_allow_all_starts_every_fire(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(overlap=OverlapPolicy.ALLOW_ALL))

    for _ in range(3):
        await rig.turn(60)

    assert rig.fires == [0, 60, 120]


async def test_skip_drops_fires_while_a_session_runs(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(overlap=OverlapPolicy.SKIP))
    await rig.turn(30)
    await rig.turn(60)
    await rig.turn(60)

    await rig.end(rig.started[0].id)
    await rig.turn(60)

    assert rig.fires == [0, 180]
    assert (await rig.schedule()).buffered == ()


async def test_buffer_one_keeps_the_first_that_came(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(overlap=OverlapPolicy.BUFFER_ONE))
    for _ in range(4):
        await rig.turn(60 if rig.fires else 30)

    await rig.end(rig.started[0].id)
    after_end = list(rig.fires)
    await rig.end(rig.started[1].id)

    assert after_end == [0, 60]
    assert rig.fires == [0, 60]


async def test_buffer_all_runs_them_one_after_the_other(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(overlap=OverlapPolicy.BUFFER_ALL))
    for _ in range(4):
        await rig.turn(60 if rig.fires else 30)
    assert rig.fires == [0]

    for number in range(4):
        await rig.end(rig.started[number].id)

    assert rig.fires == [0, 60, 120, 180]
    assert (await rig.schedule()).buffered == ()


@pytest.mark.parametrize(
    ("policy", "prefix"),
    [(OverlapPolicy.CANCEL_OTHER, ""), (OverlapPolicy.TERMINATE_OTHER, "[forced] ")],
)
async def test_a_later_fire_ends_the_earlier_session_and_takes_over(
    rig: DispatchRig, policy: OverlapPolicy, prefix: str
) -> None:
    await rig.deploy(every_minute(overlap=policy))
    await rig.turn(30)

    await rig.turn(60)
    await rig.tick()

    first = await rig.store.get_session(rig.started[0].id)
    assert first.state is SessionState.STOPPED
    assert first.stop_reason == f"{prefix}a later fire took over"
    assert rig.fires == [0, 60]


async def test_buffered_fires_survive_a_restart(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(overlap=OverlapPolicy.BUFFER_ALL))
    await rig.turn(30)
    await rig.turn(60)
    await rig.turn(60)

    fresh = rig.restarted()
    await fresh.tick()
    while_running = list(fresh.fires)
    await fresh.engine.finish(rig.started[0].id)
    await fresh.tick()
    await fresh.end(fresh.started[0].id)

    assert while_running == []
    assert fresh.fires == [60, 120]


# -- being late ----------------------------------------------------------------------------------


async def test_fires_missed_within_the_window_are_made_up_for(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(catchup_s=120))

    fresh = rig.restarted()
    await fresh.turn(30 + 600)

    assert fresh.fires == [480, 540, 600]


async def test_no_catch_up_fires_only_what_is_due_now(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(catchup_s=0))

    await rig.turn(30 + 600 + 5)

    assert rig.fires == [600]


async def test_fires_out_of_the_window_are_given_up(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(catchup_s=0))

    await rig.turn(30 + 600 + 30)

    assert rig.fires == []
    assert (await rig.schedule()).next_fire_at == NOON + timedelta(seconds=660)


async def test_a_long_time_to_make_up_for_is_made_up_in_full(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(catchup_s=10**6))

    await rig.turn(30 + 60 * 1500)
    await rig.tick()

    assert rig.fires == [60.0 * number for number in range(1501)]


async def test_a_clock_that_goes_back_fires_nothing_twice(rig: DispatchRig) -> None:
    await rig.deploy(every_minute())
    await rig.turn(30)

    await rig.turn(-3600)
    await rig.turn(3600)
    await rig.turn(60)

    assert rig.fires == [0, -60, 60]  # the minute before had not been fired, and came


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_clock_that_was_a_day_ahead_leaves_no_day_without_fires(
    rig: DispatchRig, *, restarts: bool
) -> None:
    await rig.deploy(every_minute())
    await rig.turn(30)

    await rig.turn(86_400)
    await rig.turn(-86_400)
    rig = rig.restarted() if restarts else rig
    await rig.tick()
    before = list(rig.fires)
    for _ in range(3):
        await rig.turn(60)

    assert before == ([] if restarts else [0, 86_340, 86_400])
    assert rig.fires == [*before, 60, 120, 180]


async def test_a_clock_set_back_by_seconds_looks_at_no_fire_again(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(overlap=OverlapPolicy.TERMINATE_OTHER))
    await rig.turn(30)

    await rig.turn(-5)
    await rig.turn(5)

    assert [each.state for each in await rig.store.list_sessions(SessionFilter())] == [
        SessionState.CREATED
    ]
    assert (await rig.schedule()).next_fire_at == NOON + timedelta(minutes=1)


async def test_a_schedule_that_could_not_be_set_back_is_later(store: Store) -> None:
    refusing = RefusingStore(store)
    rig = a_dispatch_rig(refusing)
    await rig.deploy(every_minute())
    await rig.turn(30)
    await rig.turn(86_400)

    refusing.refuse_times("save_schedule", 1)
    await rig.turn(-86_400)
    await rig.tick()
    await rig.turn(60)
    await rig.turn(60)

    assert rig.fires[-2:] == [60, 120]


async def test_jitter_delays_each_fire_by_its_own_stable_time(rig: DispatchRig) -> None:
    release = await rig.deploy(every_minute(jitter_s=30))
    delay = jitter_for(release.triggers[0].id, NOON, 30)
    rig.clock.at = NOON

    await rig.turn(delay.total_seconds() - 0.001)
    early = list(rig.fires)
    await rig.turn(0.002)

    assert early == []
    assert rig.fires == [0]


@pytest.mark.parametrize("attempt", range(10))
async def test_a_fire_late_by_its_jitter_is_on_time(rig: DispatchRig, attempt: int) -> None:
    del attempt  # the trigger's id, and with it the jitter, is another each time
    release = await rig.deploy(every_minute(schedule="0 12 * * *", catchup_s=0, jitter_s=3000))
    delay = jitter_for(release.triggers[0].id, NOON, 3000)
    rig.clock.at = NOON + delay

    await rig.turn(9)

    assert rig.fires == [0]


# -- failing sessions ----------------------------------------------------------------------------


async def test_a_failure_pauses_the_schedule_that_asks_for_it(rig: DispatchRig) -> None:
    await rig.deploy(every_minute(pause_on_failure=True))
    await rig.turn(30)

    await rig.end(rig.started[0].id, SessionState.ERROR)
    await rig.turn(300)

    schedule = await rig.schedule()
    assert schedule.paused
    assert rig.started[0].id in schedule.pause_reason
    assert rig.fires == [0]


@pytest.mark.parametrize("state", [SessionState.COMPLETED, SessionState.STOPPED])
async def test_another_end_does_not_pause_it(rig: DispatchRig, state: SessionState) -> None:
    await rig.deploy(every_minute(pause_on_failure=True))
    await rig.turn(30)

    await rig.end(rig.started[0].id, state)

    assert not (await rig.schedule()).paused


async def test_a_failure_is_not_forgotten_when_the_store_fails(store: Store) -> None:
    rig = a_dispatch_rig(RefusingStore(store))
    await rig.deploy(every_minute(pause_on_failure=True))
    await rig.turn(30)
    rig.store.refuse_times("save_schedule", 1)

    await rig.end(rig.started[0].id, SessionState.ERROR)
    await rig.turn(30)
    await rig.turn(300)

    assert (await rig.schedule()).paused
    assert rig.fires == [0]


# -- what goes wrong -----------------------------------------------------------------------------


async def test_a_fire_recorded_before_a_crash_starts_nothing_new(rig: DispatchRig) -> None:
    release = await rig.deploy(every_minute())
    trigger = release.triggers[0]
    crashed = an_event(trigger, type="tick", body=None, delivery_id=NOON.isoformat())
    await rig.store.record_event(crashed, [])

    await rig.turn(30)

    assert rig.fires == []
    assert (await rig.schedule()).next_fire_at == NOON + timedelta(minutes=1)
    assert len(await rig.events()) == 1


@pytest.mark.parametrize("steps", range(1, 25))
async def test_a_ticker_cut_off_anywhere_fires_exactly_once(rig: DispatchRig, steps: int) -> None:
    await rig.deploy(every_minute())
    rig.clock.at = NOON

    async with running_ticker(rig):
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
    await rig.store.append([], [])
    fresh = rig.restarted()
    await fresh.tick()
    await fresh.turn(60)

    events = await rig.events()
    assert [event.delivery_id for event in reversed(events)] == [
        NOON.isoformat(),
        (NOON + timedelta(minutes=1)).isoformat(),
    ]


async def test_a_fire_that_cannot_be_recorded_is_recorded_later(store: Store) -> None:
    rig = a_dispatch_rig(RefusingStore(store))
    await rig.deploy(every_minute())
    rig.store.refuse_times("record_event", 1)

    await rig.turn(30)
    refused = list(rig.fires)
    await rig.turn(1)

    assert (refused, rig.fires) == ([], [0])


async def test_a_schedule_that_cannot_be_read_stops_no_other(rig: DispatchRig) -> None:
    broken = replace(every_minute(), name="a-broken", timezone="Mars/Olympus")
    fine = replace(every_minute(), name="b-fine")
    release = await rig.deploy(broken, fine)

    await rig.turn(30)

    assert [each.trigger_id for each in rig.started] == [release.triggers[1].id]


async def test_many_schedules_fire_together(rig: DispatchRig) -> None:
    await rig.deploy(*(every_minute() for _ in range(50)))

    await rig.turn(30)

    assert rig.fires == [0.0] * 50


async def test_sessions_of_webhooks_are_no_concern_of_the_ticker(rig: DispatchRig) -> None:
    release = await rig.deploy(a_definition(), every_minute(overlap=OverlapPolicy.SKIP))
    webhook: Trigger = release.triggers[0]
    await rig.dispatcher.dispatch(webhook, an_event(webhook, data=b'{"headers":{}}'))

    await rig.end(rig.started[0].id)
    await rig.turn(30)

    assert rig.fires == [0]
