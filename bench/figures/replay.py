"""A session of very many recorded steps resumes: from the time it is due until its code goes on."""

from __future__ import annotations

import time

from bench.context import Context
from bench.hookline_service import HooklineService
from bench.measure import Outcome, Row, median

_GOAL_S = 2.0
_LONGEST_S = 600.0


def measure(context: Context) -> Outcome:
    """One session records its steps, then sleeps and wakes again and again, replayed from the top each time."""
    count = context.times(100_000, 10_000)
    wakes = context.repeats
    with HooklineService(context.scratch / "replay") as service:
        service.deploy("measured")
        begun = time.perf_counter()
        ours = _resumes(service, count, wakes)
        context.say(f"{count:,} steps and {wakes} wakes in {time.perf_counter() - begun:.1f} s")
        empty = _resumes(service, 0, wakes)
        with service.readings() as readings:
            entries = int(readings.one("SELECT count(*) FROM journal"))
    shown = ", ".join(f"{one:.2f}" for one in ours)
    row = Row(
        what=f"a session of {count:,} recorded steps resumes",
        measured=f"{median(ours):.2f} s (all: {shown})",
        baseline=f"a session without steps: {median(empty):.3f} s",
        goal="≤ 2 s",
        met=median(ours) <= _GOAL_S,
    )
    return Outcome(rows=[row], raw={"resume_s": ours, "empty_s": empty, "entries": entries})


def _resumes(service: HooklineService, count: int, wakes: int) -> list[float]:
    request = service.webhook("measured/long", f"n={count}&wakes={wakes}")
    (event,) = service.send(request, 1, 1)
    until = time.perf_counter() + _LONGEST_S
    with service.readings() as readings:
        while (state := readings.state(event))[0] not in {"completed", "error", "stopped"}:
            if time.perf_counter() > until:
                raise TimeoutError(f"the session of {event} is still {state[0]}")
            time.sleep(0.2)
        if state[0] != "completed":
            raise RuntimeError(f"the session of {event} ended in {state[0]}: {state[1]}")
        marks = [int(text) / 1e9 for text in readings.prints(event)]
        return [mark - due for mark, due in zip(marks, readings.sleeps(event), strict=True)]
