from __future__ import annotations

from datetime import datetime, timedelta

from hookline_service.use_cases.retention import ClockWatch, delete_expired, delete_expired_values
from tests.builders.service import NOW
from tests.fakes.fake_engine import HandClock


class _Sessions:
    def __init__(self, count: int) -> None:
        self.count = count
        self.before: list[datetime] = []

    async def delete_finished_before(self, before: datetime, limit: int) -> int:
        self.before.append(before)
        deleted = min(self.count, limit)
        self.count -= deleted
        return deleted


async def test_everything_expired_goes_in_small_steps():
    sessions = _Sessions(450)

    deleted = await delete_expired(sessions, HandClock(NOW), 30)

    assert (deleted, sessions.count) == (450, 0)
    assert len(sessions.before) > 1
    assert set(sessions.before) == {NOW - timedelta(days=30)}


async def test_zero_days_keep_everything():
    sessions = _Sessions(5)

    assert await delete_expired(sessions, HandClock(NOW), 0) == 0
    assert sessions.before == []


class _Values:
    def __init__(self, count: int) -> None:
        self.count = count
        self.times: list[datetime] = []

    async def delete_expired_values(self, now: datetime, limit: int) -> int:
        self.times.append(now)
        deleted = min(self.count, limit)
        self.count -= deleted
        return deleted


async def test_expired_values_go_in_small_steps():
    values = _Values(450)

    deleted = await delete_expired_values(values, HandClock(NOW))

    assert (deleted, values.count) == (450, 0)
    assert len(values.times) > 1
    assert set(values.times) == {NOW}


class Times:
    """A clock that can be wrong, and the time that passes in truth."""

    def __init__(self) -> None:
        self.clock = HandClock(NOW)
        self.passed_s = 1000.0
        self.watch = ClockWatch(self.clock, lambda: self.passed_s)

    def after(self, seconds: float, *, jump_s: float = 0.0) -> bool:
        self.passed_s += seconds
        self.clock.at += timedelta(seconds=seconds + jump_s)
        return self.watch.is_trusted()


def test_a_clock_that_goes_as_time_does_is_trusted():
    times = Times()

    assert [times.after(300), times.after(86_400 * 30), times.after(300, jump_s=60)] == [True] * 3


def test_a_clock_that_jumped_ahead_is_not_trusted_for_a_day():
    times = Times()
    times.after(300)

    assert not times.after(300, jump_s=86_400)
    assert not times.after(86_000)
    assert times.after(400)


def test_a_clock_that_is_set_back_is_trusted_again():
    times = Times()
    times.after(300)

    assert not times.after(300, jump_s=86_400)
    assert times.after(300, jump_s=-86_400)
