"""Time zones by IANA name, and what happens to local times when a zone changes its clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from hookline_triggers.errors import TimezoneUnknownError
from hookline_triggers.zone_names import ZoneGuess, guess_zone

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@lru_cache(maxsize=1)
def list_zone_names() -> frozenset[str]:
    """Every name that `get_zone` accepts."""
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def get_zone(name: str) -> ZoneInfo:
    """The zone of that name.

    Raises:
        TimezoneUnknownError: no such zone; carries the names that look like it.
    """
    if name not in list_zone_names():
        guess = _guess(name)
        raise TimezoneUnknownError(name, guess.names, guess.note)
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """One jump of a zone's clock: at the instant `at`, local `before` becomes local `after`.

    `before > after`: local times in between exist twice. `before < after`: they do not exist.
    """

    at: datetime
    before: datetime
    after: datetime


def instant_of(zone: ZoneInfo, local: datetime, *, fold: int = 0) -> datetime:
    """The instant of a naive local time; `fold` 1 is the second of a time that exists twice."""
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def clock_change_over(zone: ZoneInfo, local: datetime) -> ClockChange | None:
    """The clock change by which a naive local time exists twice or not at all, if there is one."""
    first = local.replace(tzinfo=zone, fold=0).utcoffset() or timedelta()
    second = local.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
    if first == second:
        return None
    bounds = sorted((local - first, local - second))
    at = _change_between(zone, bounds[0].replace(tzinfo=UTC), bounds[1].replace(tzinfo=UTC))
    naive = at.replace(tzinfo=None)
    return ClockChange(at=at, before=naive + first, after=naive + second)


def list_clock_changes(zone: ZoneInfo, start: datetime, end: datetime) -> list[ClockChange]:
    """The clock changes after `start` up to `end`, oldest first; two within one day count as one."""
    found: list[ClockChange] = []
    low = start.astimezone(UTC)
    while low < end:
        high = min(low + _DAY, end.astimezone(UTC))
        first, second = low.astimezone(zone).utcoffset(), high.astimezone(zone).utcoffset()
        if first is not None and second is not None and first != second:
            at = _change_between(zone, low, high)
            naive = at.replace(tzinfo=None)
            found.append(ClockChange(at=at, before=naive + first, after=naive + second))
        low = high
    return found


def _change_between(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The instant in `(low, high]` from which the offset is that of `high`, to the second."""
    target = high.astimezone(zone).utcoffset()
    low = low.replace(microsecond=0)
    span_s = int((high - low) / _SECOND)
    near, far = 0, span_s
    while far - near > 1:
        middle = (near + far) // 2
        if (low + middle * _SECOND).astimezone(zone).utcoffset() == target:
            far = middle
        else:
            near = middle
    return low + far * _SECOND


@lru_cache(maxsize=256)
def _guess(name: str) -> ZoneGuess:
    return guess_zone(name, list_zone_names())
