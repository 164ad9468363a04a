"""From the webhook's first byte to the first line of user code, on an idle system."""

from __future__ import annotations

import time

from bench.context import Context, bare_endpoint, fork_loop
from bench.hookline_service import BODY, HooklineService, event_id
from bench.load import Client, post
from bench.measure import Outcome, Row, p50_p99, percentile

_PAUSE_S = 0.05
_P50_S = 0.006
_P99_S = 0.020


def measure(context: Context) -> Outcome:
    """One webhook at a time; the handler's first line says when it runs."""
    count = context.times(200, 40)
    ours: list[float] = []
    answered: list[float] = []
    bare: list[float] = []
    forked: list[float] = []
    with (
        bare_endpoint(context) as endpoint,
        HooklineService(context.scratch / "first_line") as service,
    ):
        service.deploy("measured")
        _first_lines(service, 10)
        for number in range(context.repeats):
            forked += fork_loop(0.5)["first_line_s"]
            bare += _answers(endpoint.port, post("/hook", BODY), count)
            began, took = _first_lines(service, count)
            ours += began
            answered += took
            context.say(f"{number + 1}: {p50_p99(began)}")
    rows = [
        Row(
            what="webhook → first line of user code, idle",
            measured=p50_p99(ours),
            baseline=f"fork alone → first line: {p50_p99(forked)}",
            goal="p50 ≤ 6 ms, p99 ≤ 20 ms",
            met=percentile(ours, 0.5) <= _P50_S and percentile(ours, 0.99) <= _P99_S,
        ),
        Row(
            what="webhook → 202, idle, one connection",
            measured=p50_p99(answered),
            baseline=f"uvicorn + Starlette: {p50_p99(bare)}",
        ),
    ]
    raw = {"first_line_s": ours, "answer_s": answered, "bare_answer_s": bare, "fork_s": forked}
    return Outcome(rows=rows, raw=raw)


def _answers(port: int, request: bytes, count: int) -> list[float]:
    taken: list[float] = []
    with Client(port, 1) as client:
        for _ in range(count):
            begun = time.perf_counter()
            client.send(request, 1)
            taken.append(time.perf_counter() - begun)
            time.sleep(_PAUSE_S / 5)
    return taken


def _first_lines(service: HooklineService, count: int) -> tuple[list[float], list[float]]:
    request = service.webhook("measured/first_line")
    sent: dict[str, int] = {}
    answered: list[float] = []
    with Client(service.port, 1) as client:
        for _ in range(count):
            begun = time.time_ns()
            (answer,) = client.send(request, 1)
            answered.append((time.time_ns() - begun) / 1e9)
            sent[event_id(answer)] = begun
            time.sleep(_PAUSE_S)
    service.wait_idle()
    with service.readings() as readings:
        began = [(int(readings.prints(event)[0]) - begun) / 1e9 for event, begun in sent.items()]
    return began, answered
