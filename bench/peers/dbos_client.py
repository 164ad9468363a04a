"""DBOS on SQLite, driven over the pipes of a child process."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Self

from bench.paths import PEERS, ROOT


class Dbos:
    """The DBOS program on a scratch directory."""

    def __init__(self, scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        with (scratch / "dbos.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(PEERS / "venv" / "bin" / "python"), "bench/peers/dbos_app.py", str(scratch)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                text=True,
            )
        self._read()

    def steps(self, count: int) -> list[int]:
        """Run one workflow of this many steps; the nanoseconds at which each ran."""
        marks = self._ask({"steps": count})
        assert isinstance(marks, list)
        return marks

    def throughput(self, *, steps: int, clients: int, runs: int) -> float:
        """Workflows per second, so many at a time."""
        seconds = self._ask({"steps": steps, "clients": clients, "runs": runs})
        assert isinstance(seconds, float)
        return runs / seconds

    def _ask(self, request: dict[str, int]) -> object:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> object:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("DBOS ended; see dbos.log in the scratch directory")
        return json.loads(line)

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
