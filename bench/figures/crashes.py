"""kill -9 of the service and of the runner host with many sessions in flight: how long until all run again."""

from __future__ import annotations

import os
import signal
import socket
import time

from bench.context import Context, fork_loop
from bench.hookline_service import HooklineService
from bench.measure import Outcome, Row, median

_SERVICE_S = 5.0
_RUNNER_S = 3.0
_LONGEST_S = 120.0


class _Listener:
    """Hears from each session, by datagram, when its code runs behind the last recorded step."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_000_000)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def drain(self) -> None:
        """Forget what was said."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(100):
                pass
        except BlockingIOError:
            pass

    def wait(self, count: int) -> set[str]:
        """Wait until so many different sessions were heard."""
        heard: set[str] = set()
        self._socket.settimeout(_LONGEST_S)
        try:
            while len(heard) < count:
                heard.add(self._socket.recv(100).decode())
        except TimeoutError:
            raise TimeoutError(f"{len(heard)} of {count} sessions run") from None
        return heard

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def measure(context: Context) -> Outcome:
    """Sessions that have recorded one step and are in the next; each says so again after each kill."""
    count = context.times(1000, 200)
    by_service: list[float] = []
    by_runner: list[float] = []
    forks: list[float] = []
    listener = _Listener()
    service = HooklineService(context.scratch / "crashes", capacity=str(count + 100))
    try:
        service.start()
        service.deploy("measured")
        begun = time.perf_counter()
        service.send(service.webhook("measured/blocked", f"port={listener.port}"), count)
        recorded = listener.wait(count)
        first_s = time.perf_counter() - begun
        context.say(f"{count:,} in flight after {first_s:.1f} s")
        for number in range(context.repeats):
            forks.append(count / float(fork_loop(2)["forks_per_s"]))
            by_service.append(_kill_service(service, listener, recorded))
            by_runner.append(_kill_runner(service, listener, recorded))
            context.say(
                f"{number + 1}: service {by_service[-1]:.2f} s, runner host {by_runner[-1]:.2f} s"
            )
    finally:
        service.stop()
        listener.close()
    forked = f"{count:,} bare forks: {median(forks):.2f} s"
    rows = [
        Row(
            what=f"kill -9 of the service, {count:,} sessions in flight: all run again",
            measured=f"{median(by_service):.2f} s after restart (worst {max(by_service):.2f} s)",
            baseline=forked,
            goal="≤ 5 s",
            met=median(by_service) <= _SERVICE_S,
        ),
        Row(
            what=f"kill -9 of the runner host, {count:,} sessions in flight: all run again",
            measured=f"{median(by_runner):.2f} s (worst {max(by_runner):.2f} s)",
            baseline=forked,
            goal="≤ 3 s",
            met=median(by_runner) <= _RUNNER_S,
        ),
    ]
    raw = {"service_s": by_service, "runner_s": by_runner, "forks_s": forks, "first_s": first_s}
    return Outcome(rows=rows, raw=raw)


def _kill_service(service: HooklineService, listener: _Listener, recorded: set[str]) -> float:
    service.kill()
    time.sleep(0.5)
    listener.drain()
    begun = time.perf_counter()
    service.launch()
    return _resumed(listener, recorded, begun)


def _kill_runner(service: HooklineService, listener: _Listener, recorded: set[str]) -> float:
    time.sleep(2)
    listener.drain()
    runner = service.runner_pid()
    if runner is None:
        raise RuntimeError("there is no runner host")
    begun = time.perf_counter()
    os.kill(runner, signal.SIGKILL)
    return _resumed(listener, recorded, begun)


def _resumed(listener: _Listener, recorded: set[str], begun: float) -> float:
    heard = listener.wait(len(recorded))
    taken = time.perf_counter() - begun
    if heard != recorded:
        raise RuntimeError(f"{len(heard - recorded)} sessions computed a recorded step again")
    return taken
