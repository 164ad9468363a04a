"""One event wakes every session that waits for its topic; the service goes on answering meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Self

from bench.context import Context, bare_endpoint, fork_loop
from bench.hookline_service import HooklineService
from bench.measure import Outcome, Row, median, milliseconds, percentile
from bench.server import answers

_ALL_S = 60.0
_HEALTH_S = 0.050
_PROBE_EVERY_S = 0.1
_LONGEST_S = 600.0


class _Probe:
    """Asks a server for a page ten times a second, until it is left; `taken_s` says how long each answer took.

    An answer that takes longer than the tenth of a second delays the next question.
    """

    def __init__(self, port: int, path: str) -> None:
        self.taken_s: list[float] = []
        self._port = port
        self._path = path
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._over.is_set():
            begun = time.perf_counter()
            if not answers(self._port, self._path):
                raise RuntimeError(f"{self._path} was not answered")
            self.taken_s.append(time.perf_counter() - begun)
            self._over.wait(max(0.0, _PROBE_EVERY_S - self.taken_s[-1]))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def measure(context: Context) -> Outcome:
    """Each repeat: real sessions subscribe and leave memory, then one event comes."""
    count = context.times(10_000, 500)
    took: list[float] = []
    health: list[float] = []
    bare: list[float] = []
    forks: list[float] = []
    with (
        bare_endpoint(context) as endpoint,
        HooklineService(context.scratch / "wake_all", hot_window_s="0.05") as service,
    ):
        service.deploy("talking")
        for number in range(context.repeats):
            with _Probe(endpoint.port, "/ready") as probe:
                forks.append(count / float(fork_loop(context.seconds(5, 3))["forks_per_s"]))
            bare += probe.taken_s
            _prepare(service, count)
            with _Probe(service.port, "/healthz") as probe:
                took.append(_wake(service, count, number))
            health += probe.taken_s
            context.say(
                f"{number + 1}: {count:,} in {took[-1]:.1f} s, /healthz ≤ {milliseconds(max(probe.taken_s))}"
            )
    rows = [
        Row(
            what=f"{count:,} sessions wait for one topic: one event, all have finished",
            measured=f"{median(took):.1f} s (worst {max(took):.1f} s), none lost",
            baseline=f"{count:,} bare forks: {median(forks):.1f} s",
            goal="≤ 60 s",
            met=median(took) <= _ALL_S,
        ),
        Row(
            what="`/healthz` meanwhile, ten times a second",
            measured=_brief(health),
            baseline=f"uvicorn + Starlette beside bare forks: {_brief(bare)}",
            goal="≤ 50 ms",
            met=max(health) <= _HEALTH_S,
        ),
    ]
    raw = {"all_s": took, "healthz_s": health, "bare_s": bare, "forks_s": forks}
    return Outcome(rows=rows, raw=raw)


def _brief(taken_s: list[float]) -> str:
    return f"p50 {milliseconds(percentile(taken_s, 0.5))}, p99 {milliseconds(percentile(taken_s, 0.99))}, max {milliseconds(max(taken_s))}"


def _prepare(service: HooklineService, count: int) -> None:
    """Start sessions that subscribe, and wait until each is a row in the file."""
    service.send(service.webhook("talking/one_of_many"), count)
    until = time.perf_counter() + _LONGEST_S
    with service.readings() as readings:
        while (waiting := readings.count("waiting")) < count:
            if time.perf_counter() > until:
                raise TimeoutError(f"{waiting} of {count} sessions wait; see {service.home}")
            time.sleep(0.5)
    time.sleep(1)


def _wake(service: HooklineService, count: int, number: int) -> float:
    """Send one event; the seconds until the last session has ended. All of them have to have heard it, once."""
    begun = time.time()
    service.send(service.webhook("talking/topic", f"ring={number}"), 1, 1)
    until = begun + _LONGEST_S
    with service.readings() as readings:
        while (ended := readings.finished_between(begun, until)) < count:
            if time.time() > until or readings.count("error"):
                raise RuntimeError(f"{ended} of {count} sessions completed; see {service.home}")
            time.sleep(0.5)
        last = readings.one("SELECT max(ended_at) FROM sessions") / 1e6
        heard = int(readings.one("SELECT count(*) FROM log WHERE text = ?", f"heard {number}"))
    if heard != count:
        raise RuntimeError(f"of {count} sessions {heard} have heard the event; see {service.home}")
    return last - begun
