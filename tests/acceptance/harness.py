"""What crash tests need besides a service: a server that counts steps, a sender that does not give up, a killer."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx2

from tests.acceptance.conftest import RunningService


class _PatientServer(ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, *_args: object) -> None:
        """Callers are killed all the time."""


class CountingServer:
    """The outside world: answers each step with a value and a serial number, and notes both with the time."""

    def __init__(self, chance: random.Random) -> None:
        self.asked: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
        self._serials = count(1)
        self._lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                serial = owner._note(self.path)
                time.sleep(chance.uniform(0.001, 0.03))  # noqa: TID251 - the work that a step does
                body = json.dumps({"value": owner.value_of(self.path), "serial": serial}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = _PatientServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @staticmethod
    def value_of(path: str) -> int:
        key, number = _step_of(path)
        return int(key.removeprefix("key-")) * 100 + number

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _note(self, path: str) -> int:
        with self._lock:
            serial = next(self._serials)
            self.asked[_step_of(path)].append((serial, time.monotonic()))
            return serial


class World:
    """The world outside a project: answers each GET with what `answer(path, query)` says, as JSON."""

    def __init__(self, answer: Callable[[str, dict[str, str]], object]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: texts[0] for name, texts in parse_qs(parts.query).items()}
                body = json.dumps(answer(parts.path, query)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = _PatientServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _step_of(path: str) -> tuple[str, int]:
    query = parse_qs(urlsplit(path).query)
    return query["key"][0], int(query["number"][0])


@dataclass
class Sender:
    """Sends each delivery until it is accepted, and some of them again."""

    url: str
    chance: random.Random
    accepted: list[str] = field(default_factory=list)
    events: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    refused: Counter[str] = field(default_factory=Counter)

    def send(self, key: str, client: httpx2.Client) -> bool:
        """Deliver once; whether it was accepted."""
        try:
            answer = client.post(
                self.url, json={"key": key}, headers={"X-Delivery": f"delivery-{key}"}
            )
        except httpx2.TransportError as exc:
            self.refused[type(exc).__name__] += 1
            return False
        if answer.status_code != 202:
            self.refused[str(answer.status_code)] += 1
            return False
        self.events[key].add(answer.headers["hookline-event-id"])
        self.accepted.append(key)
        return True

    def run(self, deliveries: int, over_s: float) -> None:
        """Deliver so many keys over about so long."""
        pause_s = over_s / deliveries
        with httpx2.Client(trust_env=False, timeout=10) as client:
            for number in range(deliveries):
                key = f"key-{number}"
                while not self.send(key, client):
                    time.sleep(0.02)  # noqa: TID251 - until the service is back
                if self.accepted and self.chance.random() < 0.3:
                    self.send(self.chance.choice(self.accepted), client)
                time.sleep(self.chance.uniform(0, 2 * pause_s))  # noqa: TID251 - spread over time


@dataclass(frozen=True)
class Proc:
    pid: int
    parent: int
    command: str


def processes() -> dict[int, Proc]:
    """Every process of the machine."""
    found: dict[int, Proc] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        parent = int(stat.rpartition(")")[2].split()[1])
        found[int(entry.name)] = Proc(int(entry.name), parent, command)
    return found


def descendants(root: int) -> list[Proc]:
    """The processes below one, parents first."""
    table = processes()
    found: list[Proc] = []
    level = [root]
    while level:
        below = [each for each in table.values() if each.parent in level]
        found += below
        level = [each.pid for each in below]
    return found


def processes_of_home(home: Path) -> list[str]:
    """Processes that have to do with this home: by their command line, or by what is mounted in them."""
    found: list[str] = []
    for pid, each in processes().items():
        if pid == os.getpid():
            continue
        try:
            mounts = Path(f"/proc/{pid}/mountinfo").read_text()
        except OSError:
            mounts = ""
        if f"{home}/" in each.command or f"{home}/" in mounts:
            found.append(f"{pid} (child of {each.parent}): {each.command[:200]}")
    return found


def wait_until_nothing_runs(home: Path) -> None:
    """Return once no process has to do with this home: those of a host that was killed end a moment after it."""
    deadline = time.monotonic() + 30
    while left := processes_of_home(home):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)  # noqa: TID251 - waits for other processes


class Killer:
    """Kills parts of a running service, and starts the service again."""

    def __init__(self, service: RunningService, chance: random.Random) -> None:
        self.service = service
        self._chance = chance
        self.kills: Counter[str] = Counter()
        self.restarts_s: list[float] = []

    def kill_something(self) -> str:
        """Kill one process, chosen at random by what it is."""
        kind = self._chance.choices(
            ["session", "zygote", "sandbox", "runner", "service"], [8, 2, 1, 3, 3]
        )[0]
        if kind == "service":
            self.kill_service()
        elif not self._kill_child(kind):
            return ""
        self.kills[kind] += 1
        return kind

    def kill_service(self) -> None:
        self.service.kill9_service()
        if self._chance.random() < 0.3:
            time.sleep(self._chance.uniform(0, 0.5))  # noqa: TID251 - down for a while
        began = time.monotonic()
        self.service.start()
        self.restarts_s.append(time.monotonic() - began)

    def _kill_child(self, kind: str) -> bool:
        process = self.service.process
        if process is None:
            return False
        below = descendants(process.pid)
        pythons = [each for each in below if "bootstrap.py zygote" in each.command]
        zygotes = [each for each in pythons if each.command.startswith("/env/")]
        parents = {each.pid for each in zygotes}
        chosen = {
            "runner": [each for each in below if "hookline_runner --socket" in each.command],
            "sandbox": [each for each in below if "/bwrap " in each.command],
            "zygote": [each for each in zygotes if each.parent not in parents],
            "session": [each for each in zygotes if each.parent in parents],
        }[kind]
        if not chosen:
            return False
        try:
            os.kill(self._chance.choice(chosen).pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


def all_of(service: RunningService, path: str, onward: str = "after") -> list[dict[str, Any]]:
    """Every item of a paged list; `onward` names the parameter that leads to the next page."""
    items: list[dict[str, Any]] = []
    extra = ""
    while True:
        page = service.api("GET", f"{path}?limit=500{extra}").json()
        items += page["items"]
        if page["next"] is None:
            return items
        extra = f"&{onward}={page['next']}"
