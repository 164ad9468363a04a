"""No-op durable sessions finished, one after the other in a steady stream; beside a bare fork loop."""

from __future__ import annotations

import time

from bench.context import Context, fork_loop
from bench.hookline_service import HooklineService
from bench.load import Client
from bench.measure import Outcome, Row, median, per_second

_IN_FLIGHT = 64
_WARM_UP_S = 2.0
_POLL_S = 0.004
_FORKED = 300.0
_SHARE = 0.33
_REUSED = 1000.0


def measure(context: Context) -> Outcome:
    """Each repeat: forks alone, sessions with a process each, sessions in kept processes."""
    seconds = context.seconds(30, 5)
    forks: list[float] = []
    light: list[float] = []
    fresh: list[float] = []
    kept: list[float] = []
    with HooklineService(context.scratch / "sessions") as service:
        service.deploy("measured")
        service.deploy("reused")
        for number in range(context.repeats):
            forks.append(float(fork_loop(context.seconds(5, 3))["forks_per_s"]))
            light.append(float(fork_loop(context.seconds(5, 3), light=True)["forks_per_s"]))
            fresh.append(steady_rate(service, service.webhook("measured/noop"), seconds))
            kept.append(steady_rate(service, service.webhook("reused/noop"), seconds))
            context.say(
                f"{number + 1}: {per_second(fresh[-1])} forked, {per_second(kept[-1])} reused, "
                f"{per_second(forks[-1])} bare forks ({per_second(light[-1])} of a light parent)"
            )
        _check(service)
    share = median([mine / bare for mine, bare in zip(fresh, forks, strict=True)])
    return Outcome(
        rows=[
            Row(
                what=f"no-op durable sessions finished, a process each, {seconds:g} s steady",
                measured=per_second(median(fresh)),
                baseline=f"bare fork loop: {per_second(median(forks))} ({per_second(median(light))} of a light parent); {share:.2f} ×",
                goal="≥ 300/s and ≥ 0.33 × bare forks",
                met=median(fresh) >= _FORKED and share >= _SHARE,
            ),
            Row(
                what="the same, `process: reuse`",
                measured=per_second(median(kept)),
                goal="≥ 1,000/s",
                met=median(kept) >= _REUSED,
            ),
        ],
        raw={"forked": fresh, "reused": kept, "forks": forks, "forks_light": light, "share": share},
    )


def steady_rate(service: HooklineService, request: bytes, seconds: float) -> float:
    """Sessions completed per second while so many are kept in flight."""
    with service.readings() as readings, Client(service.port, 32) as client:
        begin = time.time() + _WARM_UP_S
        end = begin + seconds
        while time.time() < end:
            missing = _IN_FLIGHT - readings.in_flight()
            if missing > 0:
                client.send(request, missing)
            else:
                time.sleep(_POLL_S)
        finished = readings.finished_between(begin, end)
    service.wait_idle()
    return finished / seconds


def _check(service: HooklineService) -> None:
    with service.readings() as readings:
        sessions = int(readings.one("SELECT count(*) FROM sessions"))
        completed = readings.count("completed")
        printed = int(readings.one("SELECT count(*) FROM log WHERE kind = 'print'"))
    if not sessions == completed == printed:
        raise RuntimeError(
            f"of {sessions} sessions {completed} completed and {printed} lines are kept"
        )
