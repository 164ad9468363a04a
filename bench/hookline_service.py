"""Hookline as a server to measure: starts on a scratch home, deploys, calls webhooks."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.load import Client, post
from bench.paths import PROGRAM, PROJECTS
from bench.processes import children, command, free_port, tree
from bench.readings import Readings
from bench.server import Server

BODY = (
    b'{"id": "evt_000000000001", "type": "order.created", "order": {"number": 4711, "total": "12.50", '
    b'"currency": "EUR"}, "customer": "someone@example.org", "items": ["apples", "pears"], "note": "."}'
)


class HooklineService(Server):
    """`hookline up` on a home of its own; `settings` are environment variables without their prefix."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        given = {
            name: text for name, text in os.environ.items() if not name.startswith("HOOKLINE_")
        }
        self._variables = {
            **given,
            "HOOKLINE_HOME": str(home),
            **{f"HOOKLINE_{name.upper()}": text for name, text in settings.items()},
        }
        port = free_port()
        super().__init__(
            [str(PROGRAM), "up", "--home", str(home), "--port", str(port)],
            port=port,
            ready_path="/readyz",
            log=home.with_name(f"{home.name}.log"),
            environment=self._variables,
        )
        self._paths: dict[str, str] = {}

    def deploy(self, project: str, directory: Path | None = None) -> float:
        """Deploy a project of the bench (or a copy of it) by the command line; the seconds it took."""
        begun = time.perf_counter()
        done = subprocess.run(
            [str(PROGRAM), "deploy", "--json", str(directory or PROJECTS / project)],
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )
        taken = time.perf_counter() - begun
        if done.returncode != 0:
            raise RuntimeError(f"deploy of {project} failed: {done.stderr}\n{done.stdout}")
        for trigger in json.loads(done.stdout)["triggers"]:
            if trigger["url"]:
                self._paths[f"{project}/{trigger['name']}"] = urlsplit(trigger["url"]).path
        return taken

    def webhook(self, trigger: str, query: str = "") -> bytes:
        """The request that calls this trigger (`project/name`)."""
        return post(self._paths[trigger] + (f"?{query}" if query else ""), BODY)

    def readings(self) -> Readings:
        """What the service's file says."""
        return Readings(self.home / "hookline.db")

    def runner_pid(self) -> int | None:
        """The runner host beside the service."""
        for child in children(self.pid):
            if "hookline_runner" in command(child):
                return child
        return None

    def zygote_pids(self) -> list[int]:
        """Everything that the runner host started."""
        runner = self.runner_pid()
        return [] if runner is None else [pid for pid in tree(runner) if pid != runner]

    def send(self, request: bytes, count: int, connections: int = 32) -> list[str]:
        """Call a webhook so often; the ids of the events."""
        with Client(self.port, connections) as client:
            return [event_id(answer) for answer in client.send(request, count)]

    def wait_idle(self, timeout_s: float = 120.0) -> None:
        """Wait until no session is created or running."""
        until = time.perf_counter() + timeout_s
        with self.readings() as readings:
            while readings.in_flight():
                if time.perf_counter() > until:
                    raise TimeoutError(
                        f"{readings.in_flight()} sessions have not ended; see {self.home}"
                    )
                time.sleep(0.02)


def event_id(answer: bytes) -> str:
    """The event's id in the answer to a webhook."""
    head = answer.lower()
    place = head.find(b"hookline-event-id:")
    if not answer.startswith(b"HTTP/1.1 202") or place < 0:
        raise RuntimeError(f"a webhook was answered {answer[:200]!r}")
    return answer[place + 18 : answer.find(b"\r\n", place)].strip().decode()
