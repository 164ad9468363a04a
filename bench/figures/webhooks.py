"""Webhooks accepted: the event is on disk before the 202; beside an endpoint that keeps nothing."""

from __future__ import annotations

from bench.context import Context, bare_endpoint
from bench.hookline_service import BODY, HooklineService
from bench.load import LoadResult, post, run_load
from bench.measure import Outcome, Row, median, p50_p99, per_second, percentile

_CONNECTIONS = 32
_SHARE = 0.35
_P99_S = 0.020


def measure(context: Context) -> Outcome:
    """Closed loop over 32 connections, both servers in turn."""
    seconds = context.seconds(10, 3)
    ours: list[LoadResult] = []
    bare: list[LoadResult] = []
    with (
        bare_endpoint(context) as endpoint,
        HooklineService(context.scratch / "webhooks") as service,
    ):
        service.deploy("measured")
        request = service.webhook("measured/accept")
        run_load(service.port, request, connections=_CONNECTIONS, seconds=1)
        for number in range(context.repeats):
            bare.append(
                run_load(
                    endpoint.port, post("/hook", BODY), connections=_CONNECTIONS, seconds=seconds
                )
            )
            ours.append(run_load(service.port, request, connections=_CONNECTIONS, seconds=seconds))
            context.say(
                f"{number + 1}: {per_second(ours[-1].rate)} of {per_second(bare[-1].rate)} bare"
            )
        with service.readings() as readings:
            kept = int(readings.one("SELECT count(*) FROM events"))
    return _outcome(ours, bare, kept)


def _outcome(ours: list[LoadResult], bare: list[LoadResult], kept: int) -> Outcome:
    refused = sum(
        number for each in ours for status, number in each.statuses.items() if status != 202
    )
    accepted = sum(each.statuses[202] for each in ours)
    if kept < accepted:
        raise RuntimeError(f"{accepted} webhooks were accepted and only {kept} events are kept")
    latencies = [one for each in ours for one in each.latencies_s]
    bare_latencies = [one for each in bare for one in each.latencies_s]
    share = median([mine.rate / theirs.rate for mine, theirs in zip(ours, bare, strict=True)])
    p99 = percentile(latencies, 0.99)
    rows = [
        Row(
            what=f"webhooks accepted, {_CONNECTIONS} connections",
            measured=f"{per_second(median([each.rate for each in ours]))}, {p50_p99(latencies)}"
            + (f"; {refused} refused" if refused else ""),
            baseline=f"uvicorn + Starlette: {per_second(median([each.rate for each in bare]))}, {p50_p99(bare_latencies)}; {share:.2f} ×",
            goal=f"≥ {_SHARE} × bare, p99 ≤ 20 ms",
            met=share >= _SHARE and p99 <= _P99_S and not refused,
        )
    ]
    raw = {
        "hookline_per_s": [each.rate for each in ours],
        "bare_per_s": [each.rate for each in bare],
        "share": share,
        "refused": refused,
        "kept": kept,
        "hookline_s": latencies,
        "bare_s": bare_latencies,
    }
    return Outcome(rows=rows, raw=raw)
