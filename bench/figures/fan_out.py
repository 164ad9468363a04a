"""Steps per second with 50 sessions of 10 steps in flight; beside Restate and DBOS."""

from __future__ import annotations

import time
from contextlib import ExitStack

from bench.context import Context
from bench.hookline_service import HooklineService
from bench.load import Client
from bench.measure import Outcome, Row, median, per_second
from bench.peers.dbos_client import Dbos
from bench.peers.restate_server import Restate

_SESSIONS = 50
_STEPS = 10
_SHARE = 1.5
_POLL_S = 0.004


def measure(context: Context) -> Outcome:
    """Each system keeps 50 workflows in flight until all have ended, in turns."""
    runs = context.times(1500, 300)
    rates: dict[str, list[float]] = {"forked": [], "reused": [], "restate": [], "dbos": []}
    with ExitStack() as stack:
        service = stack.enter_context(HooklineService(context.scratch / "fan_out"))
        for project in ("measured", "reused"):
            service.deploy(project)
            _hookline(service, project, _SESSIONS)
        restate = dbos = None
        if context.without_restate is None:
            restate = stack.enter_context(Restate(context.scratch / "fan_out_restate"))
            restate.throughput(steps=_STEPS, clients=_SESSIONS, runs=100)
        if context.without_dbos is None:
            dbos = stack.enter_context(Dbos(context.scratch / "fan_out_dbos"))
        for number in range(context.repeats):
            rates["forked"].append(_hookline(service, "measured", runs) * _STEPS)
            rates["reused"].append(_hookline(service, "reused", runs) * _STEPS)
            if restate is not None:
                load = restate.throughput(steps=_STEPS, clients=_SESSIONS, runs=runs)
                rates["restate"].append(load.rate * _STEPS)
            if dbos is not None:
                workflows = dbos.throughput(
                    steps=_STEPS, clients=_SESSIONS, runs=max(60, runs // 15)
                )
                rates["dbos"].append(workflows * _STEPS)
            told = [f"{name} {per_second(each[-1])}" for name, each in rates.items() if each]
            context.say(f"{number + 1}: " + ", ".join(told))
    return _outcome(rates)


def _hookline(service: HooklineService, project: str, runs: int) -> float:
    """Sessions per second from the first webhook to the end of the last session."""
    request = service.webhook(f"{project}/steps", f"n={_STEPS}")
    left = runs
    begun = time.time()
    with service.readings() as readings, Client(service.port, 32) as client:
        while left:
            missing = min(left, _SESSIONS - readings.in_flight())
            if missing > 0:
                client.send(request, missing)
                left -= missing
            else:
                time.sleep(_POLL_S)
        service.wait_idle()
        finished = readings.finished_between(begun, time.time() + 1)
        ended = readings.one("SELECT max(ended_at) FROM sessions") / 1e6
    if finished != runs:
        raise RuntimeError(f"{finished} of {runs} sessions completed")
    return runs / (ended - begun)


def _outcome(rates: dict[str, list[float]]) -> Outcome:
    peers = [
        f"{label}: {per_second(median(rates[name]))}"
        for name, label in (("restate", "Restate"), ("dbos", "DBOS"))
        if rates[name]
    ]
    shares = {name: _share(rates[name], rates["restate"]) for name in ("forked", "reused")}
    what = f"steps/s, {_SESSIONS} sessions of {_STEPS} steps in flight"
    rows = [
        Row(
            what=label,
            measured=per_second(median(rates[name])),
            baseline="; ".join([*peers, f"{shares[name]:.2f} × Restate"]),
            goal="≥ 1.5 × Restate",
            met=shares[name] >= _SHARE,
        )
        for name, label in (
            ("forked", f"{what}, a process each"),
            ("reused", "the same, `process: reuse` (Restate and DBOS keep their processes too)"),
        )
    ]
    return Outcome(rows=rows, raw={"steps_per_s": rates, "share_of_restate": shares})


def _share(ours: list[float], theirs: list[float]) -> float:
    """Median of the ratios of each repeat; nan when the other was not measured."""
    return median([mine / other for mine, other in zip(ours, theirs, strict=False)])
