from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings, strategies as st

from hookline_triggers.cron import ScheduleExpression, parse_schedule
from hookline_triggers.definitions import DstPolicy
from hookline_triggers.errors import ScheduleInvalidError, TimezoneUnknownError


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fires(expression: str, start: str, count: int, zone: str = "UTC") -> list[str]:
    schedule = parse_schedule(expression, zone)
    found: list[str] = []
    at = utc(start)
    for _ in range(count):
        fire = schedule.next_after(at)
        assert fire is not None
        found.append(fire.strftime("%Y-%m-%d %H:%M:%S"))
        at = fire
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/5 * * * *", ["2026-03-01 00:05:00", "2026-03-01 00:10:00"]),
        ("30 9 * * mon-fri", ["2026-03-02 09:30:00", "2026-03-03 09:30:00"]),
        ("0 0 * * 0", ["2026-03-08 00:00:00", "2026-03-15 00:00:00"]),
        ("0 0 * * 7", ["2026-03-08 00:00:00", "2026-03-15 00:00:00"]),
        ("0 0 * * fri-sun", ["2026-03-06 00:00:00", "2026-03-07 00:00:00"]),
        ("0 0 * JAN,dec *", ["2026-12-01 00:00:00", "2026-12-02 00:00:00"]),
        ("0 9 1 1 * 2028", ["2028-01-01 09:00:00"]),
        ("*/20 0 12 * * * *", ["2026-03-01 12:00:00", "2026-03-01 12:00:20"]),
        ("*/1 * * * * * *", ["2026-03-01 00:00:01", "2026-03-01 00:00:02"]),
        ("*/60 * * * *", ["2026-03-01 01:00:00", "2026-03-01 02:00:00"]),
        ("5/20 0 * * *", ["2026-03-01 00:05:00", "2026-03-01 00:25:00"]),
        ("0 0 ? * 1", ["2026-03-02 00:00:00", "2026-03-09 00:00:00"]),
        ("@yearly", ["2027-01-01 00:00:00", "2028-01-01 00:00:00"]),
        ("@annually", ["2027-01-01 00:00:00"]),
        ("@monthly", ["2026-04-01 00:00:00"]),
        ("@weekly", ["2026-03-08 00:00:00"]),
        ("@daily", ["2026-03-02 00:00:00"]),
        ("@midnight", ["2026-03-02 00:00:00"]),
        ("@hourly", ["2026-03-01 01:00:00"]),
        ("0 0 29 2 mon", ["2044-02-29 00:00:00"]),
    ],
)
def test_an_expression_fires_at_the_times_it_names(expression: str, expected: list[str]) -> None:
    assert fires(expression, "2026-03-01 00:00:00", len(expected)) == expected


def test_day_of_month_and_day_of_week_must_both_match() -> None:
    found = fires("0 0 1 * mon", "2026-01-01 00:00:00", 3)

    assert found == ["2026-06-01 00:00:00", "2027-02-01 00:00:00", "2027-03-01 00:00:00"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("@every 15m", "2026-03-01 00:15:00"),
        ("@every 24h", "2026-03-02 00:00:00"),
        ("@every 1h30m", "2026-03-01 01:30:00"),
        ("@every 1s", "2026-03-01 00:00:01"),
        ("@every 1.5s", "2026-03-01 00:00:01.500000"),
        ("TZ=Asia/Tokyo @every 24h", "2026-03-02 00:00:00"),
    ],
)
def test_every_counts_from_the_epoch_whatever_the_zone(expression: str, expected: str) -> None:
    assert parse_schedule(expression).next_after(utc("2026-03-01 00:00:00")) == utc(expected)


def test_next_is_strictly_after_and_ignores_parts_of_a_second() -> None:
    schedule = parse_schedule("0 9 * * *")

    assert schedule.next_after(utc("2026-03-01 09:00:00")) == utc("2026-03-02 09:00:00")
    assert schedule.next_after(utc("2026-03-01 08:59:59.999999")) == utc("2026-03-01 09:00:00")
    assert schedule.next_after(utc("2026-03-01 09:00:00.000001")) == utc("2026-03-02 09:00:00")


@pytest.mark.parametrize("prefix", ["CRON_TZ", "TZ"])
def test_a_zone_in_front_of_the_expression_counts(prefix: str) -> None:
    schedule = parse_schedule(f"{prefix}=Europe/Prague 30 9 * * *")

    assert schedule.timezone == "Europe/Prague"
    assert schedule.next_after(utc("2026-07-01 00:00:00")) == utc("2026-07-01 07:30:00")


def test_two_different_zones_are_refused() -> None:
    with pytest.raises(ScheduleInvalidError) as refused:
        parse_schedule("TZ=Europe/Prague 0 9 * * *", "Asia/Tokyo")

    assert refused.value.field == "timezone"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("europe/prague", "Europe/Prague"),
        ("Prague", "Europe/Prague"),
        ("Europe/Pragu", "Europe/Prague"),
        ("America/New York", "America/New_York"),
        ("New York", "America/New_York"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_names_like_it(name: str, suggestion: str) -> None:
    with pytest.raises(TimezoneUnknownError) as refused:
        parse_schedule("0 9 * * *", name)

    assert suggestion in refused.value.suggestions
    assert suggestion in refused.value.message


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localtime",
        "../etc/passwd",
        "/etc/localtime",
        "America",
        "right/UTC",
        "a\0b",
        "x" * 5000,
    ],
)
def test_a_name_that_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(TimezoneUnknownError):
        parse_schedule("0 9 * * *", name)


SPRING, AUTUMN = "2026-03-29", "2026-10-25"


@pytest.mark.parametrize(
    ("policy", "day", "expected"),
    [
        (DstPolicy.ONCE, SPRING, ["01:00"]),
        (DstPolicy.BOTH, SPRING, ["01:00"]),
        (DstPolicy.SKIP, SPRING, []),
        (DstPolicy.ONCE, AUTUMN, ["00:30"]),
        (DstPolicy.BOTH, AUTUMN, ["00:30", "01:30"]),
        (DstPolicy.SKIP, AUTUMN, ["00:30"]),
    ],
)
def test_a_fixed_time_on_a_clock_change_follows_the_policy(
    policy: DstPolicy, day: str, expected: list[str]
) -> None:
    schedule = parse_schedule("30 2 * * *", "Europe/Prague")
    start = utc(f"{day} 00:00:00")

    found = schedule.iter_between(start, start + timedelta(hours=23), policy)

    assert [fire.strftime("%H:%M") for fire in found] == expected


@pytest.mark.parametrize("policy", list(DstPolicy))
@pytest.mark.parametrize(
    ("expression", "day", "count"),
    [("*/15 * * * *", SPRING, 92), ("*/15 * * * *", AUTUMN, 100), ("*/15 2 * * *", SPRING, 0),
     ("*/15 2 * * *", AUTUMN, 8), ("30 * * * *", SPRING, 23), ("30 * * * *", AUTUMN, 25)],
)  # fmt: skip
def test_a_periodic_schedule_counts_real_time_under_every_policy(
    policy: DstPolicy, expression: str, day: str, count: int
) -> None:
    zone = ZoneInfo("Europe/Prague")
    start = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)
    end = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC)
    schedule = parse_schedule(expression, "Europe/Prague")

    found = list(
        schedule.iter_between(start - timedelta(seconds=1), end - timedelta(seconds=1), policy)
    )

    assert len(found) == count


@pytest.mark.parametrize("policy", list(DstPolicy))
@pytest.mark.parametrize("day", [SPRING, AUTUMN])
@pytest.mark.parametrize("columns", ["30 2 * * * *", "0 30 2 * * * *", "0 30 2 * * * 2026"])
def test_years_and_seconds_change_nothing_about_clock_changes(
    policy: DstPolicy, day: str, columns: str
) -> None:
    start = utc(f"{day} 00:00:00")
    end = start + timedelta(hours=23)

    found = parse_schedule(columns, "Europe/Prague").iter_between(start, end, policy)

    five = parse_schedule("30 2 * * *", "Europe/Prague").iter_between(start, end, policy)
    assert list(found) == list(five)


def test_every_second_of_a_repeated_minute_fires_in_its_first_pass_only() -> None:
    schedule = parse_schedule("* 30 2 * * * *", "Europe/Prague")

    found = list(schedule.iter_between(utc(f"{AUTUMN} 00:00:00"), utc(f"{AUTUMN} 12:00:00")))

    assert found == [utc(f"{AUTUMN} 00:30:00") + timedelta(seconds=n) for n in range(60)]


def test_several_times_in_one_gap_fire_together_once() -> None:
    schedule = parse_schedule("0,20,40 2,3 * * *", "Europe/Prague")

    found = schedule.iter_between(utc(f"{SPRING} 00:00:00"), utc(f"{SPRING} 12:00:00"))

    assert [fire.strftime("%H:%M") for fire in found] == ["01:00", "01:20", "01:40"]


def test_a_day_dropped_at_the_date_line_fires_when_it_would_have_ended() -> None:
    schedule = parse_schedule("0 9 30 12 *", "Pacific/Apia")

    fire = schedule.next_after(utc("2011-12-01 00:00:00"))

    assert fire == utc("2011-12-30 10:00:00")
    assert parse_schedule("0 9 30 12 *", "Pacific/Apia").next_after(
        utc("2011-12-01 00:00:00"), DstPolicy.SKIP
    ) == utc("2012-12-29 19:00:00")


@pytest.mark.timeout(1)
def test_seconds_in_a_dropped_day_are_not_walked_one_by_one() -> None:
    schedule = parse_schedule("* * * 30,31 12 * *", "Pacific/Apia")

    fire = schedule.next_after(utc("2011-12-30 09:59:59"))

    assert fire == utc("2011-12-30 10:00:00")


@pytest.mark.parametrize(
    ("expression", "field", "says"),
    [
        ("60 * * * *", "minute", "0 to 59"),
        ("* 24 * * *", "hour", "0 to 23"),
        ("* * 0 * *", "day of month", "1 to 31"),
        ("* * * 13 *", "month", "1 to 12"),
        ("* * * foo *", "month", "jan"),
        ("* * * * 8", "day of week", "0 to 7"),
        ("* * * * monday", "day of week", "write mon"),
        ("0 0 9 * * 1-5", "year", "seconds first"),
        ("0 30 9 * * 1", "hour", "seconds first"),
        ("0 0 1 * * 1-5", "year", "seconds first"),
        ("59/15 * * * *", "minute", "*/15"),
        ("0 23/2 * * *", "hour", "*/2"),
        ("0 0 * * 1/2", "day of week", "1-6/2"),
        ("30-10 * * * *", "minute", "30-59,0-10"),
        ("* * * nov-feb *", "month", "nov-dec,jan-feb"),
        ("* * * jan-jan *", "month", "write jan"),
        ("*/90 * * * *", "minute", "@every 90m"),
        ("*/0 * * * *", "minute", "above zero"),
        ("R * * * *", "minute", "random"),
        ("H(0-5) * * * *", "minute", "random"),
        ("0 0 L * *", "day of month", "no L"),
        ("0 0 15W * *", "day of month", "1 to 31"),
        ("0 0 * * 5L", "day of week", "0 to 7"),
        ("0 0 * * 5#2", "day of week", "0 to 7"),
        ("1,,2 * * * *", "minute", "empty"),
        ("1//2 * * * *", "minute", "two steps"),
        ("? * * * *", "minute", "0 to 59"),
        ("٣ * * * *", "minute", "0 to 59"),
        ("* * * *", "", "5 (minute"),
        ("* * * * * * * *", "", "5 (minute"),
        ("", "", "empty"),
        ("TZ=UTC", "", "empty"),
        ("@reboot", "@reboot", "by the clock"),
        ("@daily 5", "@daily", "nothing may follow"),
        ("@every", "@every", "@every 15m"),
        ("@every 90", "@every", "units"),
        ("@every 0s", "@every", "1 second"),
        ("@every 10ms", "@every", "1 second"),
        ("@every -5m", "@every", "zero or more"),
        ("@every 5y", "@every", "unit 'y'"),
        ("0 0 30 2 *", "", "never fires"),
        ("0 0 31 4,6,9,11 *", "", "never fires"),
        ("0 0 29 2 * 2027", "", "never fires"),
    ],
)
def test_what_is_unclear_is_refused_naming_the_field_and_the_cure(
    expression: str, field: str, says: str
) -> None:
    with pytest.raises(ScheduleInvalidError) as refused:
        parse_schedule(expression)

    assert refused.value.field == field
    assert says in refused.value.message
    assert refused.value.kind == "invalid"
    assert refused.value.code == "schedule.invalid"


def test_a_schedule_that_is_over_has_no_next_fire() -> None:
    schedule = parse_schedule("0 0 1 1 * 2020")

    assert schedule.next_after(utc("2020-06-01 00:00:00")) is None


@pytest.mark.parametrize(
    "at", ["0001-01-01 00:00:00", "2099-12-31 23:59:59", "9999-12-31 23:59:59"]
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("expression", ["0 0 * * *", "@every 7h", "* * * * * * *"])
def test_the_ends_of_the_calendar_are_no_accident(at: str, zone: str, expression: str) -> None:
    fire = parse_schedule(expression, zone).next_after(utc(at))

    assert fire is None or utc("1969-12-31 00:00:00") < fire < utc("2100-01-01 00:00:00")


ALPHABET = "0123456789*/,-?@ LWRH#()_=\t\nabcdefghijklmnopqrstuvwxyz"
NEAR_CRON = st.text(ALPHABET, max_size=40) | st.lists(
    st.text("0123456789*/,-", min_size=1, max_size=6) | st.just("*"), min_size=4, max_size=8
).map(" ".join)


@settings(max_examples=400, deadline=timedelta(seconds=1))
@given(text=st.text(max_size=80) | NEAR_CRON)
@example(text="0-" + "9" * 900 + " * * * *")
@example(text=",".join(["0-59"] * 190) + " * * * *")
@example(text="@every " + "9" * 90 + "h")
@example(text="@every " + "1h" * 400)
@example(text="0 0 31 2-4/2 0-6/2 * 2099")
@example(text="* * * 31 2,4,6,9,11 * *")
@example(text="TZ=" + "a/" * 300 + " * * * * *")
def test_any_text_gives_a_schedule_or_a_clear_refusal_quickly(text: str) -> None:
    policies = list(DstPolicy)
    start, end = utc("2026-03-28 00:00:00"), utc("2099-01-01 00:00:00")

    schedule = parsed_or_refused(text)

    for policy in policies if schedule else []:
        fires = list(islice(schedule.iter_between(start, end, policy), 5))
        assert fires == sorted(set(fires))


def parsed_or_refused(text: str) -> ScheduleExpression | None:
    try:
        schedule = parse_schedule(text)
    except (ScheduleInvalidError, TimezoneUnknownError) as exc:
        return None if exc.message else pytest.fail("no message")
    return schedule if schedule.describe() else pytest.fail("no description")


def field_text(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).filter(lambda p: p[0] < p[1]).map(lambda p: f"{p[0]}-{p[1]}")
    step = st.tuples(st.just("*") | span, st.integers(1, high - low + 1)).map(
        lambda p: f"{p[0]}/{p[1]}"
    )
    several = st.lists(number.map(str) | span, min_size=1, max_size=3).map(",".join)
    return st.just("*") | several | step


def values(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        base, _, step = item.partition("/")
        first, _, last = (f"{low}-{high}" if base == "*" else base).partition("-")
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


EXPRESSIONS = st.tuples(
    field_text(0, 59), field_text(0, 23), field_text(1, 31), field_text(1, 12), field_text(0, 6)
)
CLOCKS = st.sampled_from(
    [("Europe/Prague", "2026-03-28 12:00:00"), ("Europe/Prague", "2026-10-24 12:00:00"),
     ("Australia/Lord_Howe", "2026-04-04 02:00:00"), ("Australia/Lord_Howe", "2026-10-03 02:00:00"),
     ("America/Santiago", "2026-09-05 14:00:00"), ("America/Santiago", "2026-04-04 14:00:00"),
     ("America/Havana", "2026-11-01 00:00:00"), ("Antarctica/Troll", "2026-03-28 12:00:00"),
     ("Asia/Kathmandu", "2026-05-05 05:05:00")]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(columns=EXPRESSIONS, clock=CLOCKS, policy=st.sampled_from(list(DstPolicy)))
def test_fires_are_those_that_a_minute_by_minute_walk_finds(
    columns: tuple[str, ...], clock: tuple[str, str], policy: DstPolicy
) -> None:
    zone, start = ZoneInfo(clock[0]), utc(clock[1])
    try:
        schedule = parse_schedule(" ".join(columns), clock[0])
    except ScheduleInvalidError:
        assume(False)

    found = list(schedule.iter_between(start, start + timedelta(hours=30), policy))

    assert found == walk(columns, zone, start, policy)


def walk(
    columns: tuple[str, ...], zone: ZoneInfo, start: datetime, policy: DstPolicy
) -> list[datetime]:
    """Every fire within 30 hours, found by looking at each minute of real and of local time."""
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    sets = [values(text, *bound) for text, bound in zip(columns, bounds, strict=True)]

    def matches(at: datetime) -> bool:
        shown = (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7)
        return all(value in allowed for value, allowed in zip(shown, sets, strict=True))

    minutes = [start + timedelta(minutes=n) for n in range(1, 30 * 60 + 1)]
    is_periodic = columns[0].startswith("*") or columns[1].startswith("*")
    real = [
        m
        for m in minutes
        if matches(m.astimezone(zone))
        and (is_periodic or policy is DstPolicy.BOTH or m.astimezone(zone).fold == 0)
    ]
    if is_periodic or policy is DstPolicy.SKIP:
        return real
    late: set[datetime] = set()
    before = start.astimezone(zone)
    for minute in minutes:
        here = minute.astimezone(zone)
        jump = here.replace(tzinfo=None) - before.replace(tzinfo=None)
        passed = [
            here.replace(tzinfo=None) - timedelta(minutes=n)
            for n in range(1, int(jump.total_seconds()) // 60)
        ]
        if any(matches(local) for local in passed):
            late.add(minute)
        before = here
    return sorted({*real, *late})
