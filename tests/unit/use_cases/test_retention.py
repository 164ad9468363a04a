from __future__ import annotations

from datetime import datetime, timedelta

from hookline_service.use_cases.retention import delete_expired, delete_expired_values
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
