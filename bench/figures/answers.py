"""A synchronous webhook: from the request's first byte to the whole answer of its session, on an idle system."""

from __future__ import annotations

from contextlib import ExitStack

from bench.context import Context, bare_endpoint
from bench.hookline_service import BODY, HooklineService
from bench.load import one_at_a_time, post
from bench.measure import Outcome, Row, p50_p99, percentile
from bench.peers.restate_server import Restate

_PAUSE_S = 0.05
_P50_S = 0.015
_P99_S = 0.035


def measure(context: Context) -> Outcome:
    """One request at a time; the servers take turns."""
    count = context.times(200, 40)
    with ExitStack() as stack:
        endpoint = stack.enter_context(bare_endpoint(context))
        service = stack.enter_context(HooklineService(context.scratch / "answers"))
        service.deploy("talking")
        servers = {  # port, request, what stands in its answer
            "hookline": (service.port, service.webhook("talking/answer"), b"4711"),
            "bare": (endpoint.port, post("/hook", BODY), b"fields"),
        }
        if context.without_restate is None:
            restate = stack.enter_context(Restate(context.scratch / "answers_restate"))
            servers["restate"] = (restate.port, post("/Bench/answer", BODY), b"4711")
        taken: dict[str, list[float]] = {name: [] for name in servers}
        for number in range(-1, context.repeats):  # the first round warms up
            for name, (port, request, expected) in servers.items():
                rounds = 10 if number < 0 else count
                times = one_at_a_time(port, request, rounds, pause_s=_PAUSE_S, expected=expected)
                taken[name] += times if number >= 0 else []
            if number >= 0:
                context.say(f"{number + 1}: {p50_p99(taken['hookline'][-count:])}")
    return Outcome(rows=[_row(taken)], raw={f"{name}_s": each for name, each in taken.items()})


def _row(taken: dict[str, list[float]]) -> Row:
    ours = taken["hookline"]
    beside = [
        f"{label}: {p50_p99(taken[name])}"
        for name, label in (("restate", "Restate, a service call"), ("bare", "uvicorn + Starlette"))
        if name in taken
    ]
    return Row(
        what="synchronous webhook → full answer, idle",
        measured=p50_p99(ours),
        baseline="; ".join(beside),
        goal="p50 ≤ 15 ms, p99 ≤ 35 ms",
        met=percentile(ours, 0.5) <= _P50_S and percentile(ours, 0.99) <= _P99_S,
    )
