"""Many waiting sessions: what each takes on disk, what the service takes in memory, how promptly one wakes."""

from __future__ import annotations

import subprocess
import time

from bench.context import Context
from bench.hookline_service import HooklineService
from bench.measure import Outcome, Row, p50_p99, percentile
from bench.paths import PYTHON, ROOT
from bench.processes import memory_mb

_BYTES = 2048
_RSS_MB = 200
_WAKE_P99_S = 0.050
_FIRST_S = 8.0
_SPREAD_S = 20.0


def measure(context: Context) -> Outcome:
    """Wakes on a nearly empty store, then on one filled by `bench.seed`."""
    woken = context.times(300, 60)
    service = HooklineService(context.scratch / "waiting")
    with service:
        service.deploy("measured")
        alone = wake_latencies(service, woken)
        context.say(f"wakes with nothing else waiting: {p50_p99(alone)}")
        (model,) = service.send(service.webhook("measured/sleeper", "s=2592000"), 1, 1)
        service.wait_idle()
    before = _bytes(service)
    begun = time.perf_counter()
    _seed(service, model, context.waiting)
    seeded_s = time.perf_counter() - begun
    each = (_bytes(service) - before) / context.waiting
    context.say(f"{context.waiting:,} added in {seeded_s:.1f} s, {each:,.0f} bytes each")
    among: list[float] = []
    with service:
        ready_s = time.perf_counter()
        started = memory_mb(service.pid)[0]
        for number in range(context.repeats):
            latencies = wake_latencies(service, woken)
            among += latencies
            context.say(f"{number + 1}: wakes among {context.waiting:,}: {p50_p99(latencies)}")
        resident = memory_mb(service.pid)[0]
    raw = {
        "waiting": context.waiting,
        "bytes_each": each,
        "rss_mb": resident,
        "rss_at_start_mb": started,
        "wake_s": among,
        "wake_alone_s": alone,
        "seeded_s": seeded_s,
        "measured_s": time.perf_counter() - ready_s,
    }
    return Outcome(rows=_rows(context.waiting, each, resident, among, alone), raw=raw)


def _rows(
    waiting: int, each: float, resident: float, among: list[float], alone: list[float]
) -> list[Row]:
    return [
        Row(
            what=f"{waiting:,} waiting sessions: on disk, each",
            measured=f"{each:,.0f} bytes",
            goal="≤ 2 KB",
            met=each <= _BYTES,
        ),
        Row(
            what=f"{waiting:,} waiting sessions: memory of the service",
            measured=f"{resident:.0f} MB",
            goal="≤ 200 MB",
            met=resident <= _RSS_MB,
        ),
        Row(
            what=f"wake among {waiting:,}: due → user code goes on",
            measured=p50_p99(among),
            baseline=f"nothing else waiting: {p50_p99(alone)}",
            goal="p99 ≤ 50 ms",
            met=percentile(among, 0.99) <= _WAKE_P99_S,
        ),
    ]


def wake_latencies(service: HooklineService, count: int) -> list[float]:
    """Seconds from the time each of some sleeping sessions was due until its code went on."""
    events: list[str] = []
    for number in range(count):
        seconds = _FIRST_S + _SPREAD_S * number / count
        events += service.send(service.webhook("measured/sleeper", f"s={seconds:.4f}"), 1, 1)
        time.sleep(0.01)
    until = time.perf_counter() + _FIRST_S + _SPREAD_S + 60
    with service.readings() as readings:
        left = set(events)
        while left:
            left = {
                event for event in left if readings.state(event)[0] not in {"completed", "error"}
            }
            if time.perf_counter() > until:
                raise TimeoutError(f"{len(left)} sessions did not wake; see {service.home}")
            time.sleep(1)
        return [
            int(readings.prints(event)[0]) / 1e9 - readings.sleeps(event)[0] for event in events
        ]


def _bytes(service: HooklineService) -> int:
    return sum(path.stat().st_size for path in service.home.glob("hookline.db*"))


def _seed(service: HooklineService, model: str, count: int) -> None:
    command = [
        str(PYTHON),
        "-m",
        "bench.seed",
        str(service.home / "hookline.db"),
        model,
        str(count),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
