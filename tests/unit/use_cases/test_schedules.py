from __future__ import annotations

from datetime import timedelta

import pytest

from hookline_service.model.errors import TriggerNotFoundError
from hookline_service.use_cases import schedules
from hookline_service.use_cases.schedules import BackfillInvalidError
from tests.builders.service import NOW, ServiceInMemory, a_service

KEY = "hello/nightly"


async def _deployed() -> ServiceInMemory:
    service = a_service()
    await service.deploy()
    return service


async def test_a_paused_schedule_says_why():
    service = await _deployed()

    await schedules.pause_schedule(service.store, service.services.schedule_lock, KEY, "holiday")

    found = await schedules.get_schedule(service.store, KEY)
    assert (found.schedule.paused, found.schedule.pause_reason) == (True, "holiday")


async def test_what_was_missed_while_paused_stays_missed():
    service = await _deployed()
    lock = service.services.schedule_lock
    await schedules.pause_schedule(service.store, lock, KEY, "")
    service.clock.at += timedelta(days=7)

    found = await schedules.resume_schedule(service.store, lock, service.clock, KEY)

    assert not found.schedule.paused
    assert found.schedule.next_fire_at is not None
    assert found.schedule.next_fire_at > service.clock.at


async def test_resuming_what_is_not_paused_changes_nothing():
    service = await _deployed()
    before = await schedules.get_schedule(service.store, KEY)
    service.clock.at += timedelta(days=7)

    after = await schedules.resume_schedule(
        service.store, service.services.schedule_lock, service.clock, KEY
    )

    assert after == before


async def test_a_schedule_is_found_by_its_triggers_id_too():
    service = await _deployed()
    by_name = await schedules.get_schedule(service.store, KEY)

    assert await schedules.get_schedule(service.store, by_name.trigger.id) == by_name


@pytest.mark.parametrize("key", ["hello/incoming", "hello/nope", "trg_nope"])
async def test_what_is_no_schedule_is_not_found(key):
    service = await _deployed()

    with pytest.raises(TriggerNotFoundError):
        await schedules.get_schedule(service.store, key)


async def test_a_backfill_fires_once_for_each_time_of_the_stretch_ends_included():
    service = await _deployed()
    end = NOW.replace(hour=3)

    recorded = await schedules.backfill_schedule(
        service.store,
        service.services.dispatcher.dispatch,
        service.clock,
        KEY,
        start=end - timedelta(days=2),
        end=end,
    )

    sessions = [await service.store.get_session(each.session_ids[0]) for each in recorded]
    times = [session.scheduled_for for session in sessions]
    assert times == [end - timedelta(days=2), end - timedelta(days=1), end]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (NOW, NOW - timedelta(days=1)),
        (NOW, NOW + timedelta(days=1)),
        (NOW - timedelta(days=2000), NOW),
    ],
)
async def test_a_stretch_that_makes_no_sense_is_refused_before_anything_fires(start, end):
    service = await _deployed()

    with pytest.raises(BackfillInvalidError):
        await schedules.backfill_schedule(
            service.store,
            service.services.dispatcher.dispatch,
            service.clock,
            KEY,
            start=start,
            end=end,
        )

    assert service.engine.started == []


def test_a_preview_tells_the_meaning_and_the_next_times():
    found = schedules.preview("@every 15m", "UTC", NOW, 2)

    assert "15m" in found.description
    assert found.times == (NOW + timedelta(minutes=15), NOW + timedelta(minutes=30))


def test_a_preview_tells_of_doubts_and_clock_changes():
    found = schedules.preview("30 2 ? * 2 *", "Europe/Prague", NOW, 1)

    assert "name the days: `mon`" in found.doubts[0]
    assert schedules.preview("30 2 * * *", "Europe/Prague", NOW, 1).clock_changes
