"""The session's clock: the service's time, carried on by this machine's."""

from __future__ import annotations

import time

_time = time.time  # kept: user code may replace the function for its own ends
_monotonic = time.monotonic


class SessionClock:
    """Seconds since the epoch as the service counts them."""

    __slots__ = ("_offset_s",)

    def __init__(self, service_now: float | None = None) -> None:
        self._offset_s = 0.0 if service_now is None else service_now - _time()

    def now(self) -> float:
        """The present."""
        return _time() + self._offset_s
