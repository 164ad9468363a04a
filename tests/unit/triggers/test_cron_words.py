"""The words of a schedule say when it fires: read back by a reader of their own, they give the same times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, example, given, settings, strategies as st

from hookline_triggers.cron import parse_schedule
from hookline_triggers.definitions import DstPolicy
from hookline_triggers.errors import ScheduleInvalidError

_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("*/15 * * * *", "every 15 minutes, UTC"),
        ("* * * * *", "every minute, UTC"),
        ("0 9 * * mon-fri", "at 09:00 on Monday to Friday, UTC"),
        ("0 9,18 * * *", "at 09:00 and 18:00 every day, UTC"),
        ("0 0 1 1 *", "at 00:00 on day 1 of the month in January, UTC"),
        ("0 0 1-7 * mon", "at 00:00 on days 1-7 of the month if it is Monday, UTC"),
        ("0 0 * * sat,0", "at 00:00 on Saturday and Sunday, UTC"),
        ("0 0 * 6-8 *", "at 00:00 every day in June to August, UTC"),
        ("0 0 1 1 * 2030", "at 00:00 on day 1 of the month in January in year 2030, UTC"),
        ("*/10 * * * * * *", "every 10 seconds, UTC"),
        ("30 0 12 * * * *", "at 12:00:30 every day, UTC"),
        ("@every 90m", "every 1h30m, counted from 1970-01-01 UTC"),
        ("@every 1.000001s", "every 1.000001s, counted from 1970-01-01 UTC"),
        ("@every 3650d", "every 3650d, counted from 1970-01-01 UTC"),
        ("0 * * * *", "every hour, UTC"),
        ("30 * * * *", "at minute 30 of every hour, UTC"),
        ("TZ=Europe/Prague @daily", "at 00:00 every day, Prague time (Europe/Prague)"),
        ("TZ=America/New_York @daily", "at 00:00 every day, New York time (America/New_York)"),
        ("TZ=Etc/GMT-1 @daily", "at 00:00 every day, Etc/GMT-1 (UTC+01:00)"),
        ("TZ=Etc/GMT+5 @daily", "at 00:00 every day, Etc/GMT+5 (UTC-05:00)"),
        ("*/5 9-17 * * *", "every 5 minutes from 09:00 to 17:55, UTC"),
        ("0 */2 * * *", "every 2 hours from 00:00 to 22:00, UTC"),
        ("5,20 * * * *", "at minutes 5 and 20 of every hour, UTC"),
    ],
)
def test_a_schedule_says_in_words_what_it_does(expression: str, words: str) -> None:
    assert parse_schedule(expression).describe() == words


def _column(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).filter(lambda p: p[0] < p[1]).map(lambda p: f"{p[0]}-{p[1]}")
    step = st.tuples(st.just("*") | span, st.integers(1, high - low + 1)).map(
        lambda p: f"{p[0]}/{p[1]}"
    )
    several = st.lists(number.map(str) | span, min_size=1, max_size=3).map(",".join)
    return st.just("*") | several | step


_FIVE = st.tuples(_column(0, 59), _column(0, 23), _column(1, 31), _column(1, 12), _column(0, 6))
_SEVEN = st.tuples(_column(0, 59), _FIVE.map(" ".join), st.just("*") | _column(2026, 2031))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(expression=_FIVE.map(" ".join) | _SEVEN.map(" ".join))
@example(expression="0 9-17/2 * * *")
@example(expression="7 1,3,5 * * *")
@example(expression="*/15 9,11 * * *")
@example(expression="0,1 0-4 * * fri-sun")
@example(expression="5 * * * * * *")
@example(expression="* 1-5 * * * * *")
@example(expression="*/30 * 2-4 * * * *")
def test_the_words_name_the_times_at_which_it_fires(expression: str) -> None:
    try:
        schedule = parse_schedule(expression)
    except ScheduleInvalidError:
        assume(False)
    first = schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC))
    assume(first is not None)
    start = first - timedelta(minutes=20)
    is_by_second = len(expression.split()) > 5
    unit = timedelta(seconds=1) if is_by_second else timedelta(minutes=1)
    end = start + (timedelta(minutes=65) if is_by_second else timedelta(hours=25))

    told = _read(schedule.describe())

    moments = [start + unit * n for n in range(1, int((end - start) / unit) + 1)]
    fires = list(schedule.iter_between(start, end, DstPolicy.ONCE))
    assert [moment for moment in moments if _fits(moment, told)] == fires


def _fits(moment: datetime, told: dict[str, set[int]]) -> bool:
    shown = {
        "second": moment.second,
        "minute": moment.minute,
        "hour": moment.hour,
        "day": moment.day,
        "month": moment.month,
        "weekday": moment.weekday(),
        "year": moment.year,
    }
    clock = moment.hour * 3600 + moment.minute * 60 + moment.second
    is_listed = "clock" not in told or clock in told["clock"]
    return is_listed and all(value in told[key] for key, value in shown.items() if key in told)


def _read(words: str) -> dict[str, set[int]]:
    """What an English reader takes the words to mean: the allowed values by unit; a unit left out is free."""
    rest, told = words.removesuffix(", UTC"), dict[str, set[int]]()
    found = re.search(r" in years? ([\d, and-]+)$", rest)
    if found:
        told["year"], rest = _numbers(found[1]), rest[: found.start()]
    for unit, names, first in (("month", _MONTHS, 1), ("weekday", _DAYS, 0)):
        name = "|".join(names)
        found = re.search(rf" (?:in|on|if it is) ((?:(?:{name})(?: to |, | and )?)+)$", rest)
        if found:
            told[unit] = {names.index(one) + first for one in _named(found[1], names)}
            rest = rest[: found.start()]
    found = re.search(r" on days? ([\d, and-]+) of the month$", rest)
    if found:
        told["day"], rest = _numbers(found[1]), rest[: found.start()]
    return {**told, **_read_time(rest.removesuffix(" every day"))}


def _read_time(text: str) -> dict[str, set[int]]:
    if re.match(r"at \d\d:", text):
        return {"clock": {_clock(one) for one in re.findall(r"[\d:]{5,8}", text)}}
    bounded = re.fullmatch(r"every (\d+ )?(hour|minute)s? from (\S+) to (\S+)", text)
    if bounded:
        size = 3600 if bounded[2] == "hour" else 60
        step = int(bounded[1] or 1) * size
        return {"clock": set(range(_clock(bounded[3]), _clock(bounded[4]) + 1, step))}
    told: dict[str, set[int]] = {}
    for part in text.removeprefix("at ").split(" of "):
        found = re.fullmatch(r"(second|minute|hour)s? ([\d, and-]+)", part)
        rhythm = re.fullmatch(r"every (\d+) (second|minute|hour)s", part)
        if found:
            told[found[1]] = _numbers(found[2])
        elif rhythm:
            told[rhythm[2]] = set(range(0, 24 if rhythm[2] == "hour" else 60, int(rhythm[1])))
        else:
            assert part in {"every second", "every minute", "every hour"}, part
    if "second" not in text:
        told["second"] = {0}
    if text == "every hour":
        told["minute"] = {0}
    return told


def _clock(text: str) -> int:
    hours, minutes, seconds = [*map(int, text.split(":")), 0][:3]
    return hours * 3600 + minutes * 60 + seconds


def _numbers(text: str) -> set[int]:
    found: set[int] = set()
    for item in re.split(r", | and ", text):
        first, _, last = item.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _named(text: str, names: list[str]) -> list[str]:
    found: list[str] = []
    for item in re.split(r", | and ", text):
        first, _, last = item.partition(" to ")
        found += names[names.index(first) : names.index(last or first) + 1]
    return found


@pytest.mark.parametrize(
    ("expression", "policy", "told"),
    [
        ("30 2 * * *", DstPolicy.ONCE, ["03:00 to 02:00: what is due in between fires the first time only", "02:00 to 03:00: what is due in between fires at 03:00"]),
        ("30 2 * * *", DstPolicy.BOTH, ["03:00 to 02:00: what is due in between fires both times", "02:00 to 03:00: what is due in between fires at 03:00"]),
        ("30 2 * * *", DstPolicy.SKIP, ["03:00 to 02:00: what is due in between fires the first time only", "02:00 to 03:00: what is due in between does not fire"]),
        ("*/15 2 * * *", DstPolicy.ONCE, ["03:00 to 02:00: what is due in between fires both times", "02:00 to 03:00: what is due in between does not fire"]),
        ("0 2 * * *", DstPolicy.SKIP, ["03:00 to 02:00: what is due in between fires the first time only", "02:00 to 03:00: what is due in between does not fire"]),
        ("30 2 * * mon", DstPolicy.ONCE, []),
        ("0 3 * * *", DstPolicy.ONCE, []),
        ("*/15 * * * *", DstPolicy.ONCE, []),
        ("@every 15m", DstPolicy.ONCE, []),
    ],
)  # fmt: skip
def test_what_a_clock_change_does_to_it_is_told_when_it_touches_it(
    expression: str, policy: DstPolicy, told: list[str]
) -> None:
    schedule = parse_schedule(expression, "Europe/Prague")

    found = schedule.describe_clock_changes(datetime(2026, 7, 1, tzinfo=UTC), policy)

    assert [one.split(" from ", 1)[1] for one in found] == told
    assert [one[:13] for one in found] == ["on 2026-10-25", "on 2027-03-28"][: len(found)]


def test_a_zone_without_clock_changes_has_nothing_to_tell() -> None:
    schedule = parse_schedule("30 2 * * *", "Asia/Tokyo")

    assert schedule.describe_clock_changes(datetime(2026, 7, 1, tzinfo=UTC)) == ()
