"""Servers started as child processes: wait until they answer, end them with everything they started."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

_POLL_S = 0.005


class Server:
    """One child process with a port of the loopback address."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int,
        ready_path: str,
        log: Path,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.port = port
        self._command = list(command)
        self._ready_path = ready_path
        self._log = log
        self._environment = dict(environment) if environment is not None else None
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def start(self, timeout_s: float = 60.0) -> float:
        """Start and wait until ready; the seconds it took."""
        begun = time.perf_counter()
        self.launch()
        self.wait_ready(timeout_s)
        return time.perf_counter() - begun

    def launch(self) -> None:
        """Start without waiting."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._cwd,
                start_new_session=True,
            )

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until the ready path answers 2xx."""
        until = time.perf_counter() + timeout_s
        while not answers(self.port, self._ready_path):
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"{self._command[0]} ended; see {self._log}")
            if time.perf_counter() > until:
                raise TimeoutError(
                    f"{self._command[0]} was not ready in {timeout_s:g} s; see {self._log}"
                )
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """SIGKILL to the one process, as a crash would."""
        os.kill(self.pid, signal.SIGKILL)
        self._reap()

    def stop(self, timeout_s: float = 15.0) -> None:
        """SIGTERM, then SIGKILL to the process group."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reap()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def answers(port: int, path: str) -> bool:
    """Whether a GET of this path is answered 2xx now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
