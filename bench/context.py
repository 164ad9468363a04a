"""What every figure is given."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.paths import PYTHON, ROOT
from bench.processes import free_port
from bench.server import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """How to measure: how often, for how long, where, and which peers are there.

    `without_dbos` and `without_restate` say why a peer is not measured, or are None.
    """

    scratch: Path
    repeats: int
    quick: bool
    waiting: int
    without_dbos: str | None
    without_restate: str | None

    def say(self, text: str) -> None:
        """Tell how far it is."""
        print(f"    {text}", flush=True)

    def seconds(self, full: float, quick: float) -> float:
        """How long to measure."""
        return quick if self.quick else full

    def times(self, full: int, quick: int) -> int:
        """How often to measure."""
        return quick if self.quick else full


def bare_endpoint(context: Context) -> Server:
    """Make a server of uvicorn and Starlette that parses JSON and answers 202."""
    port = free_port()
    return Server(
        [str(PYTHON), "-m", "bench.peers.bare_endpoint", str(port)],
        port=port,
        ready_path="/ready",
        log=context.scratch / "bare_endpoint.log",
        cwd=ROOT,
    )


def fork_loop(seconds: float, *, light: bool = False) -> dict[str, Any]:
    """What `bench.peers.fork_loop` measures."""
    command = [str(PYTHON), "-m", "bench.peers.fork_loop", str(seconds)]
    done = subprocess.run(
        [*command, *(["--light"] if light else [])], cwd=ROOT, capture_output=True, check=True
    )
    return json.loads(done.stdout)


def commit_seconds(scratch: Path, count: int) -> list[float]:
    """What one fsynced commit of one small row takes here, by SQLite alone."""
    taken: list[float] = []
    with contextlib.closing(
        sqlite3.connect(scratch / "commits.db", isolation_level=None)
    ) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS entries (key INTEGER PRIMARY KEY, value BLOB)")
        for _ in range(count):
            begun = time.perf_counter()
            database.execute("INSERT INTO entries (value) VALUES (?)", (bytes(300),))
            taken.append(time.perf_counter() - begun)
    return taken


def increments_per_s(scratch: Path, count: int) -> float:
    """How often a second one number grows by one here, each time with a commit of its own, by SQLite alone."""
    with contextlib.closing(
        sqlite3.connect(scratch / "increments.db", isolation_level=None)
    ) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, n INTEGER)")
        database.execute("INSERT OR REPLACE INTO counters VALUES ('sum', 0)")
        begun = time.perf_counter()
        for _ in range(count):
            database.execute("UPDATE counters SET n = n + 1 WHERE name = 'sum'")
        return count / (time.perf_counter() - begun)
