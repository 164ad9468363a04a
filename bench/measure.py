"""Numbers and what is said of them: percentiles, medians, rows of the table."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_CALIBRATION_STEPS = 1_500_000


def percentile(samples: Sequence[float], share: float) -> float:
    """The sample at this share (0.5, 0.99) of all, nearest rank; nan of none."""
    if not samples:
        return math.nan
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def median(samples: Sequence[float]) -> float:
    """The median; nan of none."""
    return statistics.median(samples) if samples else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: what was measured, beside what, and what it had to reach.

    `met` is None where there is no goal.
    """

    what: str
    measured: str
    baseline: str = ""
    goal: str = ""
    met: bool | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What one figure gave: its rows, and every number behind them."""

    rows: list[Row] = field(default_factory=list)
    raw: dict[str, object] = field(default_factory=dict)


def calibrate() -> float:
    """Seconds of a fixed pure-Python loop: tells a quiet machine from a busy one."""
    begun = time.perf_counter()
    total = 0
    for number in range(_CALIBRATION_STEPS):
        total += number & 7
    return time.perf_counter() - begun


def milliseconds(seconds: float) -> str:
    """For people, with a precision that suits the size."""
    value = seconds * 1000
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} ms"


def microseconds(seconds: float) -> str:
    """For people."""
    return f"{seconds * 1e6:,.1f} µs"


def per_second(rate: float) -> str:
    """For people."""
    return f"{rate:,.0f}/s"


def p50_p99(samples: Sequence[float]) -> str:
    """Both percentiles of these seconds, for people."""
    return f"p50 {milliseconds(percentile(samples, 0.5))}, p99 {milliseconds(percentile(samples, 0.99))}"
