"""A durable step in a sequence, each on disk before the next begins; beside Restate and DBOS."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise

from bench.context import Context, commit_seconds
from bench.hookline_service import HooklineService
from bench.measure import Outcome, Row, median, milliseconds, percentile
from bench.peers.dbos_client import Dbos
from bench.peers.restate_server import Restate

_STEPS = 40
_STEP_S = 0.0004
_SHARE = 0.6
_ALL_S = 0.030


def measure(context: Context) -> Outcome:
    """Sessions of 41 marks: 40 steps from mark to mark. The systems take turns."""
    sessions = context.times(10, 4)
    marks: dict[str, list[list[int]]] = {"hookline": [], "restate": [], "dbos": []}
    commits: list[float] = []
    with ExitStack() as stack:
        service = stack.enter_context(HooklineService(context.scratch / "steps"))
        service.deploy("measured")
        restate = dbos = None
        if context.without_restate is None:
            restate = stack.enter_context(Restate(context.scratch / "steps_restate"))
        if context.without_dbos is None:
            dbos = stack.enter_context(Dbos(context.scratch / "steps_dbos"))
        for number in range(-1, context.repeats):  # the first round warms up
            for _ in range(sessions):
                _add(marks["hookline"], _hookline(service), number)
                if restate is not None:
                    _add(marks["restate"], restate.steps(_STEPS + 1), number)
                if dbos is not None:
                    _add(marks["dbos"], dbos.steps(_STEPS + 1), number)
            commits += commit_seconds(context.scratch, 200)
            if number >= 0:
                context.say(f"{number + 1}: " + ", ".join(_brief(marks, sessions)))
    return _outcome(marks, commits)


def _add(kept: list[list[int]], marks: list[int], number: int) -> None:
    if number >= 0:
        kept.append(marks)


def _hookline(service: HooklineService) -> list[int]:
    (event,) = service.send(service.webhook("measured/steps", f"n={_STEPS + 1}"), 1, 1)
    service.wait_idle()
    with service.readings() as readings:
        prints = readings.prints(event)
        if not prints:
            raise RuntimeError(f"the session of {event} is {readings.state(event)}")
    return [int(text) for text in prints[0].split()]


def _brief(marks: dict[str, list[list[int]]], last: int) -> list[str]:
    return [
        f"{name} {milliseconds(percentile(step_seconds(kept[-last:]), 0.5))}"
        for name, kept in marks.items()
        if kept
    ]


def step_seconds(marks: list[list[int]]) -> list[float]:
    """Seconds from each step to the next, of all sessions."""
    return [(after - before) / 1e9 for each in marks for before, after in pairwise(each)]


def _outcome(marks: dict[str, list[list[int]]], commits: list[float]) -> Outcome:
    steps = {name: step_seconds(kept) for name, kept in marks.items()}
    middle = {name: percentile(each, 0.5) for name, each in steps.items()}
    whole = median([(each[_STEPS] - each[0]) / 1e9 for each in marks["hookline"]])
    share = middle["hookline"] / middle["restate"]  # nan without Restate
    commit = f"one fsynced commit alone: p50 {milliseconds(percentile(commits, 0.5))}"
    peers = [
        f"{label}: p50 {milliseconds(middle[name])}, p99 {milliseconds(percentile(steps[name], 0.99))}"
        for name, label in (("restate", "Restate"), ("dbos", "DBOS"))
        if steps[name]
    ]
    rows = [
        Row(
            what="durable step, sequential",
            measured=f"p50 {milliseconds(middle['hookline'])}, p99 {milliseconds(percentile(steps['hookline'], 0.99))}",
            baseline="; ".join([*peers, f"{share:.2f} × Restate", commit]),
            goal="p50 ≤ 0.4 ms and ≤ 0.6 × Restate",
            met=middle["hookline"] <= _STEP_S and share <= _SHARE,
        ),
        Row(
            what=f"{_STEPS} durable steps",
            measured=milliseconds(whole),
            baseline="; ".join(
                f"{label}: {milliseconds(median([(one[_STEPS] - one[0]) / 1e9 for one in marks[name]]))}"
                for name, label in (("restate", "Restate"), ("dbos", "DBOS"))
                if marks[name]
            ),
            goal="≤ 30 ms",
            met=whole <= _ALL_S,
        ),
    ]
    return Outcome(rows=rows, raw={"step_s": steps, "commit_s": commits, "share_of_restate": share})
