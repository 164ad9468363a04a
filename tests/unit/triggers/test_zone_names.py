"""A zone that is no IANA name is refused with the one that was meant, never with one that is hours off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hookline_triggers import zone_names
from hookline_triggers.errors import TimezoneUnknownError
from hookline_triggers.zones import get_zone, list_zone_names


def suggested(name: str) -> tuple[str, ...]:
    with pytest.raises(TimezoneUnknownError) as refused:
        get_zone(name)
    return refused.value.suggestions


@pytest.mark.parametrize("base", ["", "UTC", "utc", "GMT", "Etc/UTC", "UTC "])
@pytest.mark.parametrize("offset", ["+1", "-5", "+02:00", "+0530", "-03:30", "+14", "-12", "+5:45"])
def test_an_offset_is_answered_with_a_zone_of_that_offset(base: str, offset: str) -> None:
    if (base + offset).lower() in {name.lower() for name in list_zone_names()}:
        return

    (name,) = suggested(base + offset)

    sign = -1 if offset[0] == "-" else 1
    digits = offset[1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) < 3 else (int(digits[:-2]), int(digits[-2:]))
    winter = datetime(2026, 1, 1, tzinfo=UTC).astimezone(get_zone(name)).utcoffset()
    assert winter == sign * timedelta(hours=hours, minutes=minutes)


def test_no_zone_is_suggested_for_an_offset_that_no_clock_has() -> None:
    assert suggested("UTC+25") == ()
    assert suggested("GMT+5:17") == ()


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("PST", "America/Los_Angeles"),
        ("IST", "Asia/Kolkata"),
        ("CEST", "Europe/Berlin"),
        ("Central European Standard Time", "Europe/Warsaw"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("pacific daylight time", "America/Los_Angeles"),
        ("EUROPE/PRAGUE", "Europe/Prague"),
        ("Prauge", "Europe/Prague"),
        ("Europe/Parague", "Europe/Prague"),
        ("America/Prague", "Europe/Prague"),
        ("Europe\\Prague", "Europe/Prague"),
        ("new york", "America/New_York"),
        ("utc", "UTC"),
    ],
)
def test_the_likeliest_zone_is_suggested_first(name: str, first: str) -> None:
    assert suggested(name)[0] == first


def test_an_abbreviation_of_several_zones_is_answered_with_all() -> None:
    assert set(suggested("IST")) == {"Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin"}


def test_every_zone_of_the_tables_is_known() -> None:
    tables = [zone_names._WINDOWS, zone_names._ODD_OFFSETS, zone_names._ABBREVIATIONS]
    names = {name for table in tables for value in table.values() for name in value.split()}

    assert names <= list_zone_names()
