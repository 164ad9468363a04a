"""A second project during a storm, with somebody who works on it: deploys, starts, forks, stops, deletes, rotates."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import httpx2

from tests.acceptance.conftest import RunningService
from tests.acceptance.harness import all_of

PROJECT = "side"
MANIFEST = """\
project:
  name: side
  vars:
    - name: LEVEL
      value: "0"
    - name: PASSWORD
      value: open sesame
      secret: true
  triggers:
    - name: ticks
      schedule: "@every 1s"
      call: side.py:tick
"""
MAIN = """\
import os
import random
import time

from hookline import activity, add_values, subscribe

VERSION = 0


@activity
def draw():
    return random.random()


def run(event):
    subscribe("ticks", "false")
    drawn = [draw()]
    time.sleep(0.5)
    return [*drawn, draw(), os.environ["PASSWORD"] == "open sesame", VERSION]


def tick(event):
    return add_values("ticks", 1)
"""
_EVERY_S = 0.3
_FINAL = {"completed", "error", "stopped"}


class Operator:
    """Works on the project on a thread of its own, and keeps what was promised: `started`, `forks`, `deleted`."""

    def __init__(self, service: RunningService, directory: Path, chance: Random) -> None:
        self.started: set[str] = set()
        self.forks: dict[str, str] = {}  # fork → original
        self.deleted: set[str] = set()  # or perhaps deleted
        self.done: Counter[str] = Counter()
        self._service = service
        self._directory = directory
        self._chance = chance
        self._versions = count(1)
        self._problem: AssertionError | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        self._is_over.set()
        self._thread.join()
        if self._problem is not None:
            raise self._problem

    def deploy(self) -> None:
        """Try to deploy a version that is new."""
        main = MAIN.replace("VERSION = 0", f"VERSION = {next(self._versions)}")
        (self._directory / "side.py").write_text(main)
        self._count("deploy", self._service.cli("deploy", str(self._directory), check=False))

    def _work(self) -> None:
        kinds: list[tuple[Callable[[], None], int]] = [
            (self._run, 8),
            (self._fork, 4),
            (self._set_variable, 3),
            (self._signal_or_stop, 2),
            (self._delete, 2),
            (self.deploy, 1),
            (self._rotate, 1),
            (self._roll_back, 1),
        ]
        while not self._is_over.wait(_EVERY_S):
            work = self._chance.choices([one for one, _ in kinds], [often for _, often in kinds])[0]
            try:
                work()
            except httpx2.TransportError:
                self.done["cut off"] += 1
            except AssertionError as exc:
                self._problem = exc
                return

    def _run(self) -> None:
        body = {"project": PROJECT, "entry_point": "side.py:run", "durable": True}
        if answer := self._post("/sessions", 201, json=body):
            self.started.add(answer["id"])

    def _fork(self) -> None:
        if original := self._somebody():
            body = {"entries": 2}
            if answer := self._post(f"/sessions/{original}/fork", 201, json=body):
                self.forks[answer["id"]] = original

    def _set_variable(self) -> None:
        path = f"/projects/{PROJECT}/vars/LEVEL"
        answer = self._service.api("PUT", path, json={"value": str(self._chance.random())})
        self.done[f"set {answer.status_code}"] += 1

    def _signal_or_stop(self) -> None:
        if session := self._somebody():
            if self._chance.random() < 0.5:
                self._post(f"/sessions/{session}/signals", 204, json={"name": "hello"})
            else:
                self._post(f"/sessions/{session}/stop", 202, json={})

    def _delete(self) -> None:
        if session := self._somebody():
            self.deleted.add(session)  # perhaps without an answer
            status = self._service.api("DELETE", f"/sessions/{session}").status_code
            self.done[f"delete {status}"] += 1
            if 400 <= status < 500 and status != 404:
                self.deleted.discard(session)

    def _rotate(self) -> None:
        self._count("rotate", self._service.cli("secret", "rotate", check=False))

    def _roll_back(self) -> None:
        known = self._service.api("GET", f"/deployments?project={PROJECT}").json()["items"]
        chosen = self._chance.choice(known)["id"]
        self._post(f"/deployments/{chosen}/activate", 200)

    def _somebody(self) -> str:
        left = sorted(self.started - self.deleted)
        return self._chance.choice(left[-5:]) if left else ""

    def _post(self, path: str, status: int, **kwargs: Any) -> dict[str, Any] | None:
        answer = self._service.api("POST", path, **kwargs)
        self.done[f"{path.rpartition('/')[2]} {answer.status_code}"] += 1
        assert answer.status_code != 500, answer.text
        return answer.json() if answer.status_code == status and answer.content else None

    def _count(self, what: str, done: Any) -> None:
        self.done[f"{what} {done.returncode}"] += 1
        assert "Traceback" not in done.stderr, done.stderr


def list_active(service: RunningService) -> list[str]:
    """The project's deployments in force."""
    deployments = service.api("GET", f"/deployments?project={PROJECT}&limit=500").json()["items"]
    return [each["id"] for each in deployments if each["state"] == "active"]


def end_ticks(service: RunningService) -> None:
    """Take the project out of force."""
    for each in list_active(service):
        assert service.api("POST", f"/deployments/{each}/deactivate").status_code == 200


def check_operated(operator: Operator, service: RunningService) -> None:
    """What was answered holds: each session is there and right, and no tick came twice."""
    sessions = {
        each["id"]: each
        for each in all_of(service, "/sessions", "before")
        if each["project"] == PROJECT
    }
    assert {each["state"] for each in sessions.values()} <= _FINAL
    assert operator.started - operator.deleted <= sessions.keys()
    for session in sessions.values():
        assert session["state"] != "error", session
        if session["state"] == "completed" and session["entry_point"] == "side.py:run":
            assert session["result"][2], session
    for fork, original in operator.forks.items():
        if {fork, original} <= sessions.keys():
            results = [sessions[each]["result"] for each in (fork, original)]
            assert None in results or results[0][0] == results[1][0]
    ticks = [each["result"] for each in sessions.values() if each["entry_point"] == "side.py:tick"]
    assert len(set(ticks)) == len(ticks)
