"""Times of tests: a fixed start, and moments after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
_numbers = count(1)


def after(seconds: float) -> datetime:
    """So many seconds after the start."""
    return START + timedelta(seconds=seconds)


def next_moment() -> datetime:
    """A moment later than any given before, so that ids made of them ascend."""
    return START + timedelta(milliseconds=next(_numbers))


def next_number() -> int:
    """A number not given before."""
    return next(_numbers)
