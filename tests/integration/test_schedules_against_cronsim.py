"""Fires compared with cronsim (the rules of Debian cron) for every IANA zone, 2015-2035.

Most zones change their clocks alike, year after year: each kind of change is compared where it comes first and last.

One deliberate difference: to reach the next matching minute or hour of a periodic expression, cronsim steps
whole hours of real time, so where a clock jumps by half an hour or by several it passes over times that the clock
does show (07:00 UTC in Caracas on 2016-05-01 is 03:00 local, and `0 * * * *` matches it). We fire there. Each such
fire is checked on its own, and they are few. Day jumps over the date line are outside of these years.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from hookline_triggers.cron import ScheduleExpression, parse_schedule
from hookline_triggers.zones import list_zone_names

FIRST = datetime(2015, 1, 1, tzinfo=UTC)
LAST = datetime(2036, 1, 1, tzinfo=UTC)
SECOND, DAY, WEEK = timedelta(seconds=1), timedelta(days=1), timedelta(days=7)
BEFORE, AFTER = timedelta(hours=14), timedelta(hours=26)
FIXED = (
    "30 2 * * *",
    "0 0 * * *",
    "0 1 * * *",
    "0 3 * * *",
    "15,45 1-3 * * *",
    "0 0-4/2 * * *",
    "5 0,23 * * *",
    "59 23 * * *",
    "0 2 * * sun",
    "30 1 1-7 * *",
    "30 0 * 3,10 *",
)
PERIODIC = (
    "*/20 * * * *",
    "0 * * * *",
    "7-59/26 * * * *",
    "15 */2 * * *",
    "*/30 1-3 * * *",
    "10 * * * sun,mon",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    compared: int
    only_ours: int


@dataclass(frozen=True, slots=True)
class Kind:
    """What of a clock change can matter to an expression."""

    at: time
    jump: timedelta
    weekday: int
    month: int
    is_in_first_week: bool


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fires_around_every_kind_of_clock_change_equal_those_of_cronsim() -> None:
    kinds = changes_by_kind()

    outcomes = [
        compare(expression, zone, change - BEFORE, change + AFTER)
        for changes in kinds.values()
        for zone, change in {changes[0], changes[-1]}
        for expression in FIXED + PERIODIC
    ]

    assert len(kinds) > 100
    assert sum(outcome.compared for outcome in outcomes) > 40_000
    assert sum(outcome.only_ours for outcome in outcomes) < 100


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fires_at_random_times_in_every_zone_equal_those_of_cronsim() -> None:
    chance = random.Random(20150101)  # noqa: S311  # a seed, no secret
    seconds = int((LAST - FIRST).total_seconds())

    outcomes = [
        compare(expression, zone, start, start + DAY)
        for zone in sorted(list_zone_names())
        for expression in chance.sample(FIXED + PERIODIC, 4)
        for start in [FIRST + timedelta(seconds=chance.randrange(seconds))]
    ]

    assert sum(outcome.compared for outcome in outcomes) > 15_000


def test_zones_with_one_clock_are_compared_once_and_all_names_are_covered() -> None:
    groups = zones_by_clock()

    names = [name for group in groups.values() for name in group]

    assert len(names) == len(list_zone_names())
    assert len(groups) > 80
    assert sum(len(clock_changes(zone)) for zone in groups) > 1500


def compare(expression: str, zone: str, start: datetime, end: datetime) -> Outcome:
    oracle = CronSim(expression, start.astimezone(ZoneInfo(zone)))
    in_utc = (fire.astimezone(UTC) for fire in oracle)

    expected = list(takewhile(lambda fire: fire <= end, in_utc))
    found = list(parse(expression, zone).iter_between(start, end))

    if found == expected:
        return Outcome(len(expected), 0)
    only_ours = set(found) - set(expected)
    case = f"{expression} in {zone} from {start}: found {found}, cronsim {expected}"
    assert expression in PERIODIC, case
    assert sorted({*expected, *only_ours}) == found, case
    assert all(shows_match(expression, zone, fire) for fire in only_ours), case
    return Outcome(len(expected), len(only_ours))


def shows_match(expression: str, zone: str, fire: datetime) -> bool:
    local = fire.astimezone(ZoneInfo(zone))
    rule = CronSim(expression, local)
    return (
        local.minute in rule.minutes
        and local.hour in rule.hours
        and local.month in rule.months
        and rule.match_day(local.date())
    )


@lru_cache(maxsize=2000)
def parse(expression: str, zone: str) -> ScheduleExpression:
    return parse_schedule(expression, zone)


def changes_by_kind() -> dict[Kind, list[tuple[str, datetime]]]:
    """Every clock change of every zone."""
    kinds: dict[Kind, list[tuple[str, datetime]]] = defaultdict(list)
    for zone in zones_by_clock():
        for change in clock_changes(zone):
            kinds[kind_of(zone, change)].append((zone, change))
    return kinds


def kind_of(zone: str, change: datetime) -> Kind:
    last = (change - SECOND).astimezone(ZoneInfo(zone))
    first = change.astimezone(ZoneInfo(zone))
    local = last.replace(tzinfo=None) + SECOND
    return Kind(
        at=local.time(),
        jump=first.replace(tzinfo=None) - local,
        weekday=local.weekday(),
        month=local.month,
        is_in_first_week=local.day <= 7,
    )


@lru_cache(maxsize=1)
def zones_by_clock() -> dict[str, list[str]]:
    """Names with the very same offsets and changes in these years, under the first of them."""
    groups: dict[object, list[str]] = defaultdict(list)
    for name in sorted(list_zone_names()):
        offset = FIRST.astimezone(ZoneInfo(name)).utcoffset()
        groups[offset, clock_changes(name), offsets_after(name)].append(name)
    return {names[0]: names for names in groups.values()}


def offsets_after(name: str) -> tuple[timedelta | None, ...]:
    return tuple(change.astimezone(ZoneInfo(name)).utcoffset() for change in clock_changes(name))


@lru_cache(maxsize=1000)
def clock_changes(name: str) -> tuple[datetime, ...]:
    """All of them: no zone changes its clock twice within a week."""
    zone = ZoneInfo(name)
    weeks = [FIRST + WEEK * n for n in range((LAST - FIRST) // WEEK + 1)]
    offsets = [week.astimezone(zone).utcoffset() for week in weeks]
    return tuple(
        bisected(zone, low, low + WEEK)
        for low, here, there in zip(weeks, offsets, offsets[1:], strict=False)
        if here != there
    )


def bisected(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    new = high.astimezone(zone).utcoffset()
    while high - low > SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (low, middle) if middle.astimezone(zone).utcoffset() == new else (middle, high)
    return high
