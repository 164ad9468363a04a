"""Sessions that all add to one value of the project's store; the sum has to be exact."""

from __future__ import annotations

from bench.context import Context, increments_per_s
from bench.hookline_service import HooklineService
from bench.measure import Outcome, Row, median, per_second

_SESSIONS = 32
_RATE = 3000.0


def measure(context: Context) -> Outcome:
    """Each repeat: 32 durable sessions at once, each addition recorded with its journal entry."""
    additions = context.times(500, 100)
    rates: list[float] = []
    bare: list[float] = []
    with HooklineService(context.scratch / "adds") as service:
        service.deploy("talking")
        for number in range(context.repeats):
            bare.append(increments_per_s(context.scratch, context.times(3000, 500)))
            rates.append(_rate(service, additions))
            _check(service, (number + 1) * _SESSIONS * additions)
            context.say(
                f"{number + 1}: {per_second(rates[-1])}, one connection alone {per_second(bare[-1])}"
            )
    return Outcome(
        rows=[
            Row(
                what=f"`add_values` from {_SESSIONS} durable sessions to one key",
                measured=f"{per_second(median(rates))}, the sum exact",
                baseline=f"SQLite alone, one fsynced UPDATE after the other: {per_second(median(bare))}",
                goal="≥ 3,000/s",
                met=median(rates) >= _RATE,
            )
        ],
        raw={"per_s": rates, "bare_per_s": bare, "additions": additions},
    )


def _rate(service: HooklineService, additions: int) -> float:
    """Additions per second from the first session's begin to the last one's end."""
    events = service.send(service.webhook("talking/adder", f"n={additions}"), _SESSIONS)
    service.wait_idle()
    with service.readings() as readings:
        spans = [tuple(map(int, readings.prints(event)[0].split())) for event in events]
    seconds = (max(end for _, end in spans) - min(begin for begin, _ in spans)) / 1e9
    return _SESSIONS * additions / seconds


def _check(service: HooklineService, expected: int) -> None:
    (event,) = service.send(service.webhook("talking/total"), 1, 1)
    service.wait_idle()
    with service.readings() as readings:
        (kept,) = readings.prints(event)
    if int(kept) != expected:
        raise RuntimeError(f"the sum is {kept}, not {expected}; see {service.home}")
