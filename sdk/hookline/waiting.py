"""Letting time pass."""

from __future__ import annotations

import time
from datetime import timedelta


def sleep(duration: float | timedelta, /) -> None:
    """Wait for that many seconds, or that timedelta.

    In a durable session this is a durable timer: the session costs nothing while it waits, and a crash or a
    restart of the machine does not lengthen the wait.

    Raises:
        ValueError: the duration is negative.

    Example:
        `hookline.sleep(timedelta(days=3))`
    """
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    time.sleep(seconds)  # noqa: TID251 - this is the plain form, outside a durable session
