"""Lengths of time as people write them: `90s`, `1h30m`, `PT15M`, or a number of seconds."""

from __future__ import annotations

import re
from fractions import Fraction

from hookline_triggers.errors import DurationInvalidError

_UNIT_S = {
    "ns": Fraction(1, 1_000_000_000),
    "us": Fraction(1, 1_000_000),
    "µs": Fraction(1, 1_000_000),  # micro sign
    "μs": Fraction(1, 1_000_000),  # Greek mu
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
    "w": Fraction(604800),
}
_NUMBER = r"\d{1,18}(?:\.\d{0,18})?|\.\d{1,18}"
_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h|d|w)", re.ASCII)
_GO = re.compile(rf"(?:(?:{_NUMBER})(?:ns|us|µs|μs|ms|s|m|h|d|w))+", re.ASCII)
_BARE = re.compile(_NUMBER, re.ASCII)
_ISO = re.compile(
    rf"P(?=.)(?:(?P<w>{_NUMBER})W)?(?:(?P<d>{_NUMBER})D)?"
    rf"(?:T(?=.)(?:(?P<h>{_NUMBER})H)?(?:(?P<m>{_NUMBER})M)?(?:(?P<s>{_NUMBER})S)?)?",
    re.ASCII | re.IGNORECASE,
)
_MAX_TEXT = 100
_MAX_S = 100 * 366 * 86400


def parse_duration(value: str | float) -> float:
    """Seconds, from a Go-style text (`1h30m`, also `d` and `w`), ISO 8601 (`PT90S`) or a number.

    Raises:
        DurationInvalidError: it cannot be read, is negative, or is above a hundred years.
    """
    return float(exact_seconds(value))


def exact_seconds(value: str | float) -> Fraction:
    """See `parse_duration`; without rounding, so that periods can be counted exactly."""
    if isinstance(value, bool):
        raise DurationInvalidError(str(value).lower(), "true and false are not durations")
    text = value.strip() if isinstance(value, str) else repr(value)
    seconds = _seconds(text) if isinstance(value, str) else _of_number(text, value)
    if seconds > _MAX_S:
        raise DurationInvalidError(text, "it is longer than a hundred years")
    return seconds


def _of_number(text: str, value: float) -> Fraction:
    if not 0 <= value < float("inf"):
        raise DurationInvalidError(text, "it must be zero or more")
    return Fraction(value)


def _seconds(text: str) -> Fraction:
    if not text:
        raise DurationInvalidError(text, "it is empty")
    if len(text) > _MAX_TEXT:
        raise DurationInvalidError(text, "it is too long to be a duration")
    if text.startswith("-"):
        raise DurationInvalidError(text, "it must be zero or more")
    if _BARE.fullmatch(text):
        return Fraction(text)
    if _GO.fullmatch(text):
        return sum((Fraction(n) * _UNIT_S[u] for n, u in _PART.findall(text)), Fraction(0))
    iso = _ISO.fullmatch(text)
    if iso:
        parts = iso.groupdict()
        return sum((Fraction(n) * _UNIT_S[u] for u, n in parts.items() if n), Fraction(0))
    raise DurationInvalidError(text, _why(text))


def _why(text: str) -> str:
    if " " in text:
        return "it holds a space"
    unit = re.fullmatch(r"[\d.]+([^\d.]+)", text, re.ASCII)
    if unit and unit[1] not in _UNIT_S:
        return f"the unit {unit[1]!r} is not one of ns us ms s m h d w"
    return "it is not a duration"
