"""The session's clock: the service's time, or the machine's, carried on steadily."""

from __future__ import annotations

import time

_time = time.time  # kept: user code may replace the functions for its own ends
_read = time.clock_gettime
_STEADY = time.CLOCK_BOOTTIME


class SessionClock:
    """Seconds since the epoch as the service counts them; the machine's clock being set changes nothing."""

    __slots__ = ("_base_s",)

    def __init__(self, service_now: float | None = None) -> None:
        self._base_s = (_time() if service_now is None else service_now) - _read(_STEADY)

    def now(self) -> float:
        """The present."""
        return self._base_s + _read(_STEADY)
