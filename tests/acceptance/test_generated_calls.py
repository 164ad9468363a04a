"""Generated programs say the same, whether or not their processes are killed between any two of their steps.

`HOOKLINE_TEST_ROUNDS` runs more programs, `HOOKLINE_TEST_SEED` chooses others.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import RunningService, wait_until
from tests.acceptance.generated_programs import Program, make_programs, manifest_of, module_of
from tests.acceptance.harness import World, all_of
from tests.builders.chance import a_chance

ROUNDS = int(os.environ.get("HOOKLINE_TEST_ROUNDS", "1"))  # noqa: TID251 - a knob of the test
SEED = int(os.environ.get("HOOKLINE_TEST_SEED", "1"))  # noqa: TID251 - as above
pytestmark = [pytest.mark.slow, pytest.mark.timeout(ROUNDS * 120)]

PLAIN = 8
WITH_TASKS = 3
STEPS = 14
DEATHS = 0.6  # how many of the points are deadly
POINTS_BETWEEN = 2
DELAYS_S = (1e-6, 3e-4, 1e-3, 2e-3, 5e-3, 2e-2)


class Fate:
    """Says at which points a process dies, by the seed; nobody dies twice at a point, nor at each of some in a row.

    A session that dies three times without recording anything in between is given up, and rightly.
    """

    def __init__(self, seed: int) -> None:
        self.deaths: Counter[str] = Counter()
        self._seed = seed
        self._asked: set[tuple[str, str]] = set()
        self._since_death: Counter[str] = Counter()
        self._lock = threading.Lock()

    def decide(self, _path: str, query: dict[str, str]) -> float | None:
        """The seconds left to live, or None: for long."""
        me, number = query["me"], query["number"]
        session = me if "-child-" in me else me.partition("-task-")[0]
        with self._lock:
            if me.startswith("calm") or (me, number) in self._asked:
                return None
            self._asked.add((me, number))
            self._since_death[session] += 1
            chance = a_chance(hash_of(self._seed, me, number))
            if self._since_death[session] < POINTS_BETWEEN or chance.random() > DEATHS:
                return None
            self._since_death[session] = 0
            self.deaths[session] += 1
            return chance.choice(DELAYS_S)


def hash_of(*parts: object) -> int:
    return int.from_bytes(" ".join(map(str, parts)).encode(), "big")


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_a_program_says_the_same_however_often_its_process_dies(
    seed: int, stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service, fate = stopped_service, Fate(seed)
    programs = make_programs(a_chance(seed), PLAIN, WITH_TASKS, STEPS)
    with World(fate.decide) as world:
        service.start(hot_window_s=0.05, capacity=40)
        manifest = manifest_of(programs, world.url)
        project = a_project(manifest, **{"main.py": module_of(programs)})
        urls = service.deploy(project)["urls"]
        runs = {
            f"{kind}-{each.name}": (each, _start(service, urls[each.name], f"{kind}-{each.name}"))
            for each in programs
            for kind in ("calm", "storm")
        }
        wait_until(lambda: _is_at_rest(service), "at rest", 90)
    sessions = {each["event"]: each for each in all_of(service, "/sessions", "before")}
    attempts = Counter(each["attempt"] for each in sessions.values())
    print(f"\nseed {seed}: {fate.deaths.total()} deaths decided; attempts {dict(attempts)}")  # noqa: T201

    problems = {
        me: problem
        for me, (program, event) in runs.items()
        if (problem := _problem_of(service, me, program, sessions[event]))
    }
    assert not problems, "\n".join([*problems.values(), *_sources(problems, runs)])


def _sources(problems: Iterable[str], runs: dict[str, tuple[Program, str]]) -> list[str]:
    return sorted({runs[me][0].source for me in problems})


def _start(service: RunningService, url: str, me: str) -> str:
    answer = service.call(url, json={"me": me})
    assert answer.status_code == 202
    return answer.headers["hookline-event-id"]


def _is_at_rest(service: RunningService) -> bool:
    states = {each["state"] for each in all_of(service, "/sessions", "before")}
    return not states & {"created", "running", "waiting"}


def _problem_of(service: RunningService, me: str, program: Program, session: dict[str, Any]) -> str:
    """What is wrong with a run of a program; "" if nothing is."""
    who = f"{me} ({session['id']}, {session['attempt']} attempts)"
    if session["state"] != "completed":
        return f"{who} is {session['state']}: {session['error']}"
    if session["result"] != program.said:
        return f"{who} returned {session['result']}, not {program.said}"
    log = all_of(service, f"/sessions/{session['id']}/log")
    printed = [each["text"] for each in log if each["kind"] == "print"]
    said = [f"{number} {_json(value)}" for number, value in enumerate(program.said, 1)]
    if not me.startswith("calm"):  # the last lines before a kill may be missing or stand twice
        said = [each for each in said if each in printed]
        printed = list(dict.fromkeys(printed))
    if printed != said:
        return f"{who} printed {printed}, not {said}"
    outcomes = _outcomes(service, session["event"])
    return "" if outcomes == program.outcomes else f"{who} answered {outcomes}"


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _outcomes(service: RunningService, event: str) -> list[object]:
    with closing(sqlite3.connect(service.home / "hookline.db")) as database:
        rows = database.execute(
            "SELECT value FROM outcomes WHERE event_key = (SELECT key FROM events WHERE id = ?) ORDER BY key",
            (event,),
        ).fetchall()
    return [json.loads(value) for (value,) in rows]
