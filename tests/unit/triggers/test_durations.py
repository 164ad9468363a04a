from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from hookline_triggers.durations import parse_duration
from hookline_triggers.errors import DurationInvalidError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1m0.5s", 60.5),
        ("2d", 172800),
        ("1w", 604800),
        (".5s", 0.5),
        ("0", 0),
        ("90", 90),
        ("1.5", 1.5),
        (" 5m ", 300),
        (90, 90),
        (0.25, 0.25),
        ("PT90S", 90),
        ("PT1H30M", 5400),
        ("P1DT12H", 129600),
        ("P2W", 1209600),
        ("pt15m", 900),
    ],
)
def test_a_duration_is_read_as_seconds(value: str | float, seconds: float) -> None:
    assert parse_duration(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "empty"),
        ("-5s", "zero or more"),
        (-1, "zero or more"),
        (float("nan"), "zero or more"),
        (float("inf"), "zero or more"),
        (True, "true and false"),
        ("5y", "unit 'y'"),
        ("5 minutes", "space"),
        ("s", "not a duration"),
        ("PT", "not a duration"),
        ("P", "not a duration"),
        ("1h-5m", "not a duration"),
        ("9" * 200, "too long"),
        ("99999999999h", "hundred years"),
        (1e300, "hundred years"),
        ("٣s", "not a duration"),
    ],
)
def test_what_is_no_duration_is_refused(value: str | float, says: str) -> None:
    with pytest.raises(DurationInvalidError) as refused:
        parse_duration(value)

    assert says in refused.value.message
    assert refused.value.code == "duration.invalid"


@given(text=st.text(max_size=30) | st.text("0123456789.hmsdPT-", max_size=20))
def test_any_text_gives_seconds_or_a_clear_refusal(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except DurationInvalidError:
        seconds = 0

    assert 0 <= seconds < 4e9
