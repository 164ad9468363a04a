"""Decides at which write point a process dies: see `hookline_runner.write_points`."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Set as AbstractSet
from random import Random
from typing import Self

from hookline_runner.write_points import DIE
from tests.acceptance.conftest import RunningService

_POINT_BYTES = 256
_LIVE = b"live"
_RARELY = 60
_SOON_S = 0.5
_PROBABILITY = 0.3


class Reaper:
    """Is told each write point that a process reaches, and lets one die there now and then.

    It prefers the points at which the fewest have died: `reached` and `deaths` count both, by point. A `thorough` one
    kills at each point the first time, and never again.
    """

    def __init__(
        self, chance: Random, *, every_s: tuple[float, float] = (0, 0), thorough: bool = False
    ) -> None:
        self.reached: Counter[str] = Counter()
        self.deaths: Counter[str] = Counter()
        self.passed: frozenset[str] = frozenset()
        self._chance = chance
        self._every_s = every_s
        self._is_thorough = thorough
        self.mercy = 0.0 if thorough else 0.8  # see `keep_up`
        self._next_at = float("inf")
        self._is_paused = False
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make the service, its runner hosts and their sessions ask this one."""
        name = "HOOKLINE_WRITE_POINTS"
        port: int = self._socket.getsockname()[1]
        return {name: str(port), "HOOKLINE_RUNNER_PASS_ENV": name}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def begin(self) -> None:
        """From now on processes die."""
        self._next_at = time.monotonic()

    def end(self) -> None:
        """From now on all live; `passed` are the points that were reached before."""
        self._next_at = float("inf")
        self.passed = self.passed or frozenset(self.reached)

    def lacks(self, points: AbstractSet[str]) -> bool:
        """Whether a thorough one has yet to kill at some of these points."""
        return self._is_thorough and not self.deaths.keys() >= points

    def pause(self, probability: float) -> None:
        """Perhaps let all live until `go_on`."""
        self._is_paused = self._chance.random() < probability

    def go_on(self) -> None:
        """Let processes die again, but not at once."""
        if self._is_paused:
            self._is_paused = False
            self._next_at = max(self._next_at, self._soon())

    def _soon(self) -> float:
        return time.monotonic() + self._chance.uniform(*self._every_s)

    def _serve(self) -> None:
        while True:
            try:
                process, _ = self._socket.accept()
            except OSError:
                return
            with process:
                self._judge(process)

    def _judge(self, process: socket.socket) -> None:
        try:
            point = process.recv(_POINT_BYTES).decode()
            if point:
                process.sendall(DIE if self._dies(point) else _LIVE)
        except OSError:
            return  # it was killed while it asked

    def _dies(self, point: str) -> bool:
        """Few pass the rare points, so who does dies soon. Else: the longer nobody died, the less it matters where."""
        self.reached[point] += 1
        late_s = float("-inf") if self._is_paused else time.monotonic() - self._next_at
        if self._is_thorough:
            dies = late_s >= 0 and not self.deaths[point]
        elif self.reached[point] <= _RARELY and not self.deaths[point]:
            dies = late_s > -_SOON_S and self._chance.random() < _PROBABILITY
        else:
            fewest = min(self.deaths[each] for each in self.reached)
            is_time = late_s >= 0 and self.deaths[point] <= fewest + late_s
            dies = is_time and self._chance.random() < _PROBABILITY
        if dies:
            self.deaths[point] += 1
            self._next_at = self._soon()
        return dies


def keep_up(service: RunningService, reaper: Reaper, *, mercy: float) -> bool:
    """Start the service again if it was killed, until it is up; whether it was. Fails if it ended by itself.

    Args:
        mercy: how probable it is that nothing dies while it starts.
    """
    was_killed = False
    while service.has_ended:
        was_killed = service.process is not None  # or it is the first start
        reaper.pause(mercy)
        if service.process is not None:
            assert service.process.returncode == -signal.SIGKILL, service.log[-4000:]
        try:
            service.start()
        except AssertionError:
            if not service.has_ended:
                raise
        reaper.go_on()
    return was_killed
