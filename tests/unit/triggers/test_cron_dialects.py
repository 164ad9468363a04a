"""Schedules as other systems write them are refused with what is right here, or doubted where they mean something else."""

from __future__ import annotations

import pytest

from hookline_triggers.cron import parse_schedule
from hookline_triggers.errors import ScheduleInvalidError


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("rate(5 minutes)", "@every 5m"),
        ("rate(1 hour)", "@every 1h"),
        ("rate(7 days)", "@every 7d"),
        ("every 5 minutes", "@every 5m"),
        ("every hour", "@every 1h"),
        ("@every 5 minutes", "@every 5m"),
        ("@every 90 seconds", "@every 90s"),
        ("cron(0 12 * * ? *)", "0 12 * * *"),
        ("cron(0 10 ? * 2-6 *)", "0 10 * * mon-fri"),
        ("cron(0 10 ? * MON-FRI 2030)", "0 10 * * mon-fri 2030"),
        ("cron(0/15 * ? * 1,7 *)", "0/15 * * * sun,sat"),
        ("at(2030-11-20T13:05:00)", "5 13 20 11 * 2030"),
        ("09:30", "30 9 * * *"),
        ("daily", "@daily"),
        ("weekly", "0 0 * * mon"),
        ("@minutely", "* * * * *"),
        ("@quarterly", "0 0 1 1,4,7,10 *"),
        ("Mon..Fri *-*-* 10:00:00", "0 10 * * mon-fri"),
        ("*-*-01 06:30", "30 6 1 * *"),
        ("Sat,Sun *-*-* 08:05", "5 8 * * sat,sun"),
        ("*:0/15", "0/15 * * * *"),
        ("PT5M", "@every 5m"),
        ("R/2026-01-01T00:00:00Z/PT1H", "@every 1h"),
        ("crontab(minute=0, hour=5)", "0 5 * * *"),
        ("crontab(minute='*/15', day_of_week='mon-fri')", "*/15 * * * mon-fri"),
        ('"cron(0 12 * * ? *)"', "0 12 * * *"),
        ("CRON_TZ=Europe/Prague rate(5 minutes)", "@every 5m"),
    ],
)
def test_a_foreign_way_of_writing_is_refused_with_the_same_in_cron(
    written: str, right: str
) -> None:
    with pytest.raises(ScheduleInvalidError) as refused:
        parse_schedule(written)

    assert refused.value.hint == f"write `{right}`"
    assert parse_schedule(right).doubts == ()


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("0 9 15W * *", "nearest working day"),
        ("0 9 LW * *", "last working day"),
        ("0 9 L * *", "28-31"),
        ("0 9 L-3 * *", "28-31"),
        ("0 9 * * 1#1", "1-7 as day of month"),
        ("0 9 * * mon#2", "`0 9 8-14 * mon`"),
        ("0 9 * * 5L", "22-31 as day of month"),
        ("0 9 * * friL", "22-31 as day of month"),
        ("0 9 * * L", "write sat"),
        ("H 9 * * *", "jitter"),
        ("H/15 * * * *", "jitter"),
        ("0~59 9 * * *", "jitter"),
        ("0 9 * * mon..fri", "write mon-fri"),
        ("0 9 * * mon\u2013fri", "write a plain -"),
        ("0 9 * * monday", "write mon"),
        ("0 0 9 * * MON-FRI", "`0 0 9 * * MON-FRI *`"),
        ("0 0 9 ? * MON", "`0 0 9 ? * MON *`"),
        ("0 30 9 * * ?", "`0 30 9 * * ? *`"),
        ("0 5 * * * /usr/bin/backup", "first five fields"),
        ("0 5 * * * root", "first five fields"),
        ("@reboot", "by the clock"),
        ("@every 0 minutes", "@every 15m"),
        ("@every 99999999d", "a hundred years"),
    ],
)
def test_a_value_that_only_others_know_is_refused_with_a_way_out(
    expression: str, says: str
) -> None:
    with pytest.raises(ScheduleInvalidError) as refused:
        parse_schedule(expression)

    assert says in refused.value.message


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("0 10 ? * 2-6 *", "`mon-fri` if it comes from there"),
        ("0 0 9 ? * 2 *", "`mon` if it comes from there"),
        ("0 10 ? * 7", "`sat` if it comes from there"),
        ("0 10 ? * 2,4/2 *", ""),
        ("*/10 * * * * *", "`*/10 * * * * * *`"),
        ("0 5 9 * * *", "`0 5 9 * * * *`"),
        ("0 0 */2 * * *", "`0 0 */2 * * * *`"),
        ("0 0 1 * mon", "make it two triggers"),
        ("0 0 1,15 * 5", "make it two triggers"),
    ],
)
def test_what_means_something_else_elsewhere_is_doubted(expression: str, says: str) -> None:
    try:
        doubts = parse_schedule(expression).doubts
    except ScheduleInvalidError:
        assert says == ""
        return

    assert says in " ".join(f"{one.problem}; {one.hint}" for one in doubts)
    assert doubts


@pytest.mark.parametrize(
    "expression",
    [
        "0 18 ? * MON-FRI *",
        "15 12 * * ? *",
        "0 10 1 * ? *",
        "0 9 * * mon-fri",
        "0 9 * * 1-5",
        "0 9 * * mon *",
        "0 9 28-31 * *",
        "0 9 1-7 * mon",
        "0 9 */2 * mon",
        "0 9 1 1 * 2030",
        "*/10 * * * * * *",
        "@daily",
        "@every 5m",
        "30 9 25 * * *",
        "0 0 9 ? * MON *",
        "TZ=CET 0 9 * * *",
    ],
)
def test_what_means_the_same_everywhere_is_not_doubted(expression: str) -> None:
    assert parse_schedule(expression).doubts == ()


def test_a_zone_that_never_changes_its_clock_is_doubted() -> None:
    (doubt,) = parse_schedule("0 9 * * *", "EST").doubts

    assert "America/New_York" in doubt.hint


def test_every_field_at_fault_is_told() -> None:
    with pytest.raises(ScheduleInvalidError) as refused:
        parse_schedule("0 25 32 * mon-fry")

    faults = [refused.value, *refused.value.others]
    assert [one.field for one in faults] == ["hour", "day of month", "day of week"]
    assert all(one.problem in refused.value.message for one in faults)


@pytest.mark.parametrize(
    ("expression", "field", "says"),
    [
        ("-1 * * * *", "minute", "'-1' is not a number from 0 to 59"),
        ("* --1 * * *", "hour", "'--1' is not a number from 0 to 23"),
        ("-5--1 * * * *", "minute", "'-5--1' is not a number"),
        ("1- * * * *", "minute", "the range '1-' has no end; write the last value too, as in 1-59"),
        ("0 0 * * mon-", "day of week", "as in mon-6"),
        ("60 * * * *", "minute", "write 0, which comes after 59"),
        ("0 24 * * *", "hour", "write 0, which comes after 23"),
        ("0 0 * * 8", "day of week", "Sunday is 0 or 7"),
        ("*/0 * * * *", "minute", "write one as in */5, or leave it out"),
        ("0 */-5 * * *", "hour", "write one as in */5"),
        ("0 0 * * fri-mon", "day of week", "write fri-sat,sun-mon"),
        ("mon * * * *", "minute", "days of the week go in the fifth field"),
        ("0 0 mon-fri * *", "day of month", "days of the week go in the fifth field"),
        ("0 0 * sunday *", "month", "days of the week go in the fifth field"),
        ("0 0 jan * *", "day of month", "months go in the fourth field"),
        ("0 0 * * jan", "day of week", "months go in the fourth field"),
        ("0 0 * * mon#6", "day of week", "22-28 or 29-31 as day of month"),
        ("0 0 * * 1#0", "day of week", "22-28 or 29-31 as day of month"),
        ("0 12 * * sun#2", "day of week", "write `0 12 8-14 * sun`"),
        ("0 0 12 ? * SUN#2", "day of week", "write `0 12 8-14 * sun`"),
        ("0 0 12 ? * 1#2", "day of week", "write `0 12 8-14 * sun`"),
        ("30 0 12 ? * 2#1", "day of week", "write `30 0 12 1-7 * mon *`"),
        ("0 0 12 ? * 6#5 2030", "day of week", "write `0 0 12 29-31 * fri 2030`"),
        ("0 12 ? * 2#1 *", "day of week", "write `0 12 1-7 * mon *`"),
        ("0 0 12 * * 1#2", "year", "both must fit"),
        ("0 0 12 ? * 6L", "day of week", "there is no L"),
        ("0 15 10 LW * ?", "day of month", "there is no LW"),
        ("0 15 10 15W * ?", "day of month", "there is no W"),
        ("0 0 25 ? * *", "hour", "25 is not a number from 0 to 23"),
        ("cron(0 10 ? * 2#1 *)", "", "write `0 10 1-7 * mon`"),
        ("cron(0 10 L * ? *)", "day of month", "there is no L; write 28-31"),
        ("cron(0 10)", "", "write the fields alone"),
        ("rate(0 minutes)", "", "write `@every 5m`"),
        ("rate()", "", "write `@every 5m`"),
        ("at(tomorrow)", "", "write `0 9 24 12 * 2030`"),
        ("@reboot", "@reboot", "schedules fire by the clock"),
        ("@midnite", "@midnite", "did you mean @midnight?"),
        ("@dayly", "@dayly", "did you mean @daily?"),
    ],
)
def test_a_refusal_says_the_field_and_the_right_spelling(
    expression: str, field: str, says: str
) -> None:
    with pytest.raises(ScheduleInvalidError) as refusal:
        parse_schedule(expression)

    assert says in str(refusal.value)
    assert refusal.value.field == field
