"""The promises, with processes killed at random moments: nothing accepted is lost, nothing recorded is done again.

`HOOKLINE_TEST_SOAK_S` makes the storm longer than its few seconds, `HOOKLINE_TEST_SEED` chooses another one.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import RunningService, wait_until
from tests.acceptance.harness import (
    CountingServer,
    Killer,
    Sender,
    all_of,
    wait_until_nothing_runs,
)
from tests.builders.chance import a_chance

SOAK_S = float(os.environ.get("HOOKLINE_TEST_SOAK_S", "25"))  # noqa: TID251 - a knob of the test
SEED = int(os.environ.get("HOOKLINE_TEST_SEED", "1"))  # noqa: TID251 - as above
pytestmark = [pytest.mark.slow, pytest.mark.timeout(SOAK_S * 3 + 240)]

STEPS = 8
LINES = [f"{word} {number}" for number in range(STEPS) for word in ("before", "after")]
MANIFEST = """\
project:
  name: steps
  vars:
    - name: WORLD
      value: {world}
  triggers:
    - name: incoming
      type: webhook
      dedupe: header:X-Delivery
      call: main.py:run
"""
SLEEP_S = 1.0
MAIN = """\
import json
import os
import time
import urllib.request

from hookline import activity


@activity
def ask(key, number):
    url = f"{os.environ['WORLD']}/step?key={key}&number={number}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        found = json.load(answer)
    return [found["value"], found["serial"]]


def run(event):
    key = event.data.body.json["key"]
    values = []
    for number in range(8):
        print(f"before {number}")
        values.append(ask(key, number))
        print(f"after {number}")
        if number in (1, 3, 6):
            time.sleep(0.03)
        if number == 4:
            time.sleep({sleep_s})
    return values
"""


@dataclass
class Storm:
    """Everything that a storm left behind, as the service tells it afterwards."""

    sender: Sender
    server: CountingServer
    killer: Killer
    sessions: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    logs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    activities: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def read(self, service: RunningService) -> None:
        self.sessions = all_of(service, "/sessions", "before")
        for session in self.sessions:
            event = service.api("GET", f"/events/{session['event']}").json()
            self.keys[session["id"]] = _key_of(event)
            self.logs[session["id"]] = all_of(service, f"/sessions/{session['id']}/log")
            found = all_of(service, f"/sessions/{session['id']}/activities")
            self.activities[session["id"]] = found

    def steps(self, session: str) -> list[dict[str, Any]]:
        return [each for each in self.activities[session] if each["name"].endswith("ask")]


def _key_of(event: dict[str, Any]) -> str:
    return event["data"]["body"]["json"]["key"]


def test_a_storm_of_kills_breaks_no_promise(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service, chance = stopped_service, a_chance(SEED)
    with CountingServer(a_chance(SEED + 1)) as server:
        service.start(hot_window_s=0.3, capacity=30, lease_s=3, heartbeat_s=0.5)
        project = a_project(
            MANIFEST.format(world=server.url),
            **{"main.py": MAIN.replace("{sleep_s}", str(SLEEP_S))},
        )
        url = service.deploy(project)["urls"]["incoming"]
        storm = Storm(Sender(url, a_chance(SEED + 2)), server, Killer(service, chance))
        _blow(storm, count=int(SOAK_S * 4), chance=chance)
        _come_to_rest(service, len(set(storm.sender.accepted)))
        storm.read(service)
        deployments = all_of(service, "/deployments", "before")
        status = service.stop()
    _report(storm)

    assert status == 0
    assert [each["state"] for each in deployments].count("active") == 1
    _check_sessions(storm)
    _check_steps(storm)
    _check_logs(storm)
    _check_sleeps(storm)
    wait_until_nothing_runs(service.home)
    _check_database(service.home / "hookline.db")


def _blow(storm: Storm, *, count: int, chance: Any) -> None:
    """Send and kill until everything was sent and the time is over."""
    sending = threading.Thread(target=storm.sender.run, args=(count, SOAK_S), daemon=True)
    sending.start()
    ends = time.monotonic() + SOAK_S
    while sending.is_alive() or time.monotonic() < ends:
        time.sleep(chance.uniform(0.05, 1.0))  # noqa: TID251 - kills at random moments
        storm.killer.kill_something()
    sending.join()


def _come_to_rest(service: RunningService, count: int) -> None:
    def is_over() -> bool:
        sessions = all_of(service, "/sessions", "before")
        states = Counter(each["state"] for each in sessions)
        return len(sessions) >= count and not states.keys() & {"created", "running", "waiting"}

    wait_until(is_over, "at rest", 90)


def _report(storm: Storm) -> None:
    asked = storm.server.asked.values()
    repeats = sum(len(times) - 1 for times in asked)
    printed = {(key, each["text"]) for key, log in storm.logs.items() for each in log}
    missing = sum((key, line) not in printed for key in storm.logs for line in LINES)
    restarts = sorted(storm.killer.restarts_s) or [0.0]
    print(  # noqa: T201 - the figures are worth seeing
        f"\nkills {dict(storm.killer.kills)}; sessions {len(storm.sessions)}; "
        f"steps {sum(map(len, asked))}, cut off and made again {repeats}; "
        f"lines missing {missing}; "
        f"attempts {sum(each['attempt'] for each in storm.sessions)}; "
        f"deliveries {len(storm.sender.accepted)}, refused {dict(storm.sender.refused)}; "
        f"start after a kill: median {restarts[len(restarts) // 2]:.2f} s, worst {restarts[-1]:.2f} s"
    )


def _check_sessions(storm: Storm) -> None:
    """Every delivery that was accepted has one event and one session, which has the right result."""
    for key, events in storm.sender.events.items():
        assert len(events) == 1, f"{key} was recorded as {events}"
    per_key = Counter(storm.keys.values())
    assert set(storm.sender.accepted) <= set(per_key)
    assert {key: count for key, count in per_key.items() if count > 1} == {}
    for session in storm.sessions:
        number = int(storm.keys[session["id"]].removeprefix("key-"))
        assert session["state"] == "completed", (session, storm.logs[session["id"]])
        values = [value for value, _serial in session["result"]]
        assert values == [number * 100 + step for step in range(STEPS)]


def _check_steps(storm: Storm) -> None:
    """Each step is recorded once, what was recorded is the result, and it was not made again after that."""
    for session in storm.sessions:
        key = storm.keys[session["id"]]
        recorded = [step["result"] for step in storm.steps(session["id"])]
        assert recorded == session["result"]
        texts = [each["text"] for each in storm.logs[session["id"]]]
        for number, (_value, serial) in enumerate(recorded):
            serials = [each for each, _at in storm.server.asked[key, number]]
            assert serial == serials[-1], f"{key} step {number}: {serial} recorded, {serials} made"
            assert len(serials) == 1 or any("cut off runs again" in text for text in texts), (
                "\n".join(texts)
            )


def _check_sleeps(storm: Storm) -> None:
    """A sleep over attempts lasts as long as it should."""
    for key in storm.sender.events:
        asleep_at = storm.server.asked[key, 4][-1][1]
        awake_at = storm.server.asked[key, 5][0][1]
        assert awake_at - asleep_at >= SLEEP_S, f"{key} slept for {awake_at - asleep_at:.3f} s"


def _check_logs(storm: Storm) -> None:
    """Lines stand in order; one stands twice only if nothing was recorded after its first time.

    The last lines of a process that was killed may be missing: they go out within 50 ms.
    """
    for session in storm.sessions:
        steps = storm.steps(session["id"])
        lines: dict[str, list[int]] = {}
        for record in storm.logs[session["id"]]:
            if record["kind"] == "print":
                lines.setdefault(record["text"], []).append(record["attempt"])
        assert list(lines) == [each for each in LINES if each in lines]
        assert len(lines) == len(LINES) or session["attempt"] > 1
        for line, attempts in lines.items():
            word, _, number = line.partition(" ")
            assert len(set(attempts)) == len(attempts), f"{line!r} twice in one attempt"
            following = int(number) + (word == "after")
            if len(attempts) > 1 and following < STEPS:
                recorded_in = steps[following]["attempt"]
                assert recorded_in >= attempts[-1], f"{line!r} was printed again by a replay"


def _check_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.fixture
def busy_service(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> Iterator[tuple[RunningService, CountingServer, str]]:
    """A service with sessions that are in the middle of their steps, running and waiting."""
    with CountingServer(a_chance(SEED)) as server:
        stopped_service.start(hot_window_s=0.3)
        project = a_project(
            MANIFEST.format(world=server.url),
            **{"main.py": MAIN.replace("{sleep_s}", str(SLEEP_S))},
        )
        url = stopped_service.deploy(project)["urls"]["incoming"]
        yield stopped_service, server, url


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_service_told_to_end_leaves_everything_to_be_resumed(
    busy_service: tuple[RunningService, CountingServer, str], by: signal.Signals
) -> None:
    service, server, url = busy_service
    for number in range(20):
        answer = service.call(
            url, json={"key": f"key-{number}"}, headers={"X-Delivery": str(number)}
        )
        assert answer.status_code == 202
    wait_until(lambda: len(server.asked) > 60, "under way", 20)
    assert service.process is not None
    service.process.send_signal(by)
    status = service.process.wait(20)
    wait_until_nothing_runs(service.home)
    service.start()
    _come_to_rest(service, 20)
    sessions = all_of(service, "/sessions", "before")

    assert status == 0
    assert "Traceback" not in service.log
    assert Counter(each["state"] for each in sessions) == {"completed": 20}


def test_a_killed_runner_host_is_replaced_within_three_seconds(
    busy_service: tuple[RunningService, CountingServer, str],
) -> None:
    service, server, url = busy_service
    for number in range(5):
        service.call(url, json={"key": f"key-{number}"}, headers={"X-Delivery": str(number)})
    wait_until(lambda: len(server.asked) > 5, "under way", 20)
    asked = len(server.asked)

    service.kill9_runner()
    began = time.monotonic()
    wait_until(lambda: len(server.asked) > asked + 5, "going on", 20)
    took_s = time.monotonic() - began
    _come_to_rest(service, 5)

    assert took_s < 3
