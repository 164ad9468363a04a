"""Letting time pass."""

from __future__ import annotations

from hookline.arguments import Duration, seconds_of
from hookline.awaiting import awaited_form
from hookline.host import current


def sleep(duration: Duration, /) -> None:
    """Wait for that many seconds, or that timedelta.

    In a durable session this is a durable timer: the session costs nothing while it waits, and a crash or a
    restart of the machine does not lengthen the wait. `await sleep(…)` lets the other tasks of an `async` handler go on,
    as `hookline.aio.sleep` does.

    Raises:
        ValueError: the duration is negative.
        TypeError: it is neither a number nor a timedelta.

    Example:
        >>> sleep(0.001)
    """
    form = awaited_form(sleep)
    if form is not None:
        return form(duration)
    return current().sleep(length_of_sleep(duration))


def length_of_sleep(duration: object) -> float:
    """The seconds that `sleep` means. Raises as `sleep`."""
    seconds = seconds_of(duration, "sleep length")
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    return seconds
