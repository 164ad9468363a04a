"""The runner host's wall clock; the rest of the host takes it as an argument."""

from __future__ import annotations

import time


def now_s() -> float:
    """Seconds since the Unix epoch, UTC."""
    return time.time()
