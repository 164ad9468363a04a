"""All time comes from here, so that tests turn it by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol


class Clock(Protocol):
    """A source of the present."""

    def now(self) -> datetime:
        """The present time, aware, in UTC."""
        ...


def steady_s() -> float:
    """Seconds since the machine started, those asleep included: they pass evenly, whatever the clock is set to."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.fromtimestamp(time.time(), UTC)


_SLIP_S: Final = 1.0
_MOST_HELD_S: Final = 26 * 3600.0
_CAUGHT_UP: Final = 0.1


class HeldClock:
    """A clock that does not go back when the machine's is set back: what was to last 8 seconds lasts no hour.

    It then goes nine tenths as fast as time does, until the machine's clock has caught up. It follows when that is set
    ahead, and when it is set back by more than a day: then the time before was wrong. It starts with the machine's clock.
    """

    __slots__ = ("_ahead_s", "_last", "_steady_s", "_wall")

    def __init__(self, wall: Clock, steady_s: Callable[[], float]) -> None:
        self._wall = wall
        self._steady_s = steady_s
        self._last: tuple[float, float] | None = None  # of the machine, and the steady one
        self._ahead_s = 0.0

    def now(self) -> datetime:
        """See `Clock.now`."""
        wall = self._wall.now()
        ahead_s = self._advance(wall.timestamp())
        return wall + timedelta(seconds=ahead_s) if ahead_s else wall

    def differing_now(self) -> float | None:
        """The present as seconds since the epoch, if the machine's clock shows another; else None."""
        now = self.now()
        return now.timestamp() if self._ahead_s else None

    def _advance(self, wall_s: float) -> float:
        steady_s = self._steady_s()
        last, self._last = self._last, (wall_s, steady_s)
        if last is None:
            return 0.0
        passed_s = steady_s - last[1]
        gained_s = (wall_s - last[0]) - passed_s
        if gained_s < -_SLIP_S:
            self._ahead_s = self._ahead_s - gained_s if -gained_s <= _MOST_HELD_S else 0.0
        elif gained_s > _SLIP_S:
            self._ahead_s = max(0.0, self._ahead_s - gained_s)
        if self._ahead_s:
            self._ahead_s = max(0.0, self._ahead_s - _CAUGHT_UP * passed_s)
        return self._ahead_s
