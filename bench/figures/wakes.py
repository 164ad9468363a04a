"""An event and one session that waits for it: in its process still, and gone from memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from bench.context import Context
from bench.hookline_service import HooklineService
from bench.load import Client
from bench.measure import Outcome, Row, p50_p99, percentile
from bench.peers.restate_server import Restate
from bench.readings import Readings

_HOT_S = 0.005
_EVICTED_S = 0.020
_SETTLE_S = 0.1
_LONGEST_S = 30.0


def measure(context: Context) -> Outcome:
    """Each repeat is one session that hears some events, each sent when it has waited for a moment."""
    count = context.times(60, 15)
    taken: dict[str, list[float]] = {"hot": [], "evicted": [], "rhot": [], "revicted": []}
    with ExitStack() as stack:
        hot = stack.enter_context(HooklineService(context.scratch / "wakes_hot"))
        evicted = stack.enter_context(
            HooklineService(context.scratch / "wakes_evicted", hot_window_s="0.05")
        )
        restate = None
        if context.without_restate is None:
            restate = stack.enter_context(Restate(context.scratch / "wakes_restate"))
        for service in (hot, evicted):
            service.deploy("talking")
        for number in range(-1, context.repeats):  # the first round warms up
            rounds = {"hot": _wakes(hot, count, evicted=False)}
            rounds["evicted"] = _wakes(evicted, count, evicted=True)
            if restate is not None:
                rounds["rhot"] = restate.wakes(count, evicted=False, pause_s=_SETTLE_S)
                rounds["revicted"] = restate.wakes(count, evicted=True, pause_s=0.2)
            if number >= 0:
                for name, times in rounds.items():
                    taken[name] += times
                context.say(
                    f"{number + 1}: hot {p50_p99(rounds['hot'])}; evicted {p50_p99(rounds['evicted'])}"
                )
    return _outcome(taken)


def _wakes(service: HooklineService, count: int, *, evicted: bool) -> list[float]:
    """Seconds from sending each event until the line behind `next_event` runs."""
    ring = service.webhook("talking/topic")
    sent: list[int] = []
    with service.readings() as readings, Client(service.port, 1) as client:
        (event,) = service.send(service.webhook("talking/listener", f"n={count}"), 1, 1)
        for number in range(count):
            _wait_for(readings, event, lines=number + 1, evicted=evicted)
            sent.append(time.time_ns())
            client.send(ring, 1)
        _wait_until(readings, event, lambda: readings.state(event)[0] == "completed")
        heard = readings.prints(event)[1:]
    return [(int(text) - at) / 1e9 for text, at in zip(heard, sent, strict=True)]


def _wait_for(readings: Readings, event: str, *, lines: int, evicted: bool) -> None:
    """Wait until the session has said so much and waits again, then a little longer."""
    state = "waiting" if evicted else "running"
    _wait_until(
        readings,
        event,
        lambda: len(readings.prints(event)) >= lines and readings.state(event)[0] == state,
    )
    time.sleep(_SETTLE_S)


def _wait_until(readings: Readings, event: str, is_so: Callable[[], bool]) -> None:
    until = time.perf_counter() + _LONGEST_S
    while not is_so():
        if time.perf_counter() > until:
            raise TimeoutError(f"the session of {event} is {readings.state(event)}")
        time.sleep(0.01)


def _outcome(taken: dict[str, list[float]]) -> Outcome:
    rows = [
        Row(
            what=what,
            measured=p50_p99(taken[name]),
            baseline=f"Restate, an awakeable: {p50_p99(taken[peer])}" if taken[peer] else "",
            goal=f"p50 ≤ {goal_s * 1000:.0f} ms",
            met=percentile(taken[name], 0.5) <= goal_s,
        )
        for what, name, peer, goal_s in (
            ("event → waiting session goes on, in the hot window", "hot", "rhot", _HOT_S),
            ("event → waiting session goes on, evicted", "evicted", "revicted", _EVICTED_S),
        )
    ]
    raw = {
        "hot_s": taken["hot"],
        "evicted_s": taken["evicted"],
        "restate_hot_s": taken["rhot"],
        "restate_evicted_s": taken["revicted"],
    }
    return Outcome(rows=rows, raw=raw)
