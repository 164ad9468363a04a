"""Processes killed right before and after each thing that they write: each call is applied once, no promise breaks.

`HOOKLINE_TEST_SOAK_S` makes the storm longer (400 gives more than 200 kills), `HOOKLINE_TEST_SEED` chooses another one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest

from tests.acceptance import calls_storm, operator_storm
from tests.acceptance.calls_storm import Clients
from tests.acceptance.conftest import RunningService, wait_until
from tests.acceptance.harness import World
from tests.acceptance.operator_storm import Operator
from tests.acceptance.reaper import Reaper, keep_up
from tests.builders.chance import a_chance

SOAK_S = float(os.environ.get("HOOKLINE_TEST_SOAK_S", "30"))  # noqa: TID251 - a knob of the test
SEED = int(os.environ.get("HOOKLINE_TEST_SEED", "1"))  # noqa: TID251 - as above
pytestmark = [pytest.mark.slow, pytest.mark.timeout(SOAK_S * 3 + 600)]

REST_S = 150
THOROUGH_S = 100
LONGER_S = 300  # a busy machine may take as much more to come by each point
MOST_TRIES = 60
T = TypeVar("T")
SETTINGS = {
    "HOOKLINE_HOT_WINDOW_S": "0.3",
    "HOOKLINE_CAPACITY": "30",
    "HOOKLINE_LEASE_S": "3",
    "HOOKLINE_HEARTBEAT_S": "0.5",
}
LONG_S = 400  # long enough for somebody to die wherever many pass
OFTEN = 50
SENT = {
    "service": ("202", "START", "ACK", "REPLY", "WAKE"),
    "runner host": ("HELLO", "STARTED", "APPEND", "CALL", "SUSPEND", "DONE", "EXITED"),
    "session": ("STARTED", "APPEND", "CALL", "SUSPEND", "DONE"),
    "zygote": ("child",),
}
COMMITTED = ("record_event", "apply_call", "append", "change_session")
ALWAYS_REACHED = {
    f"{sender} {what}: {when} sending"
    for sender, all_sent in SENT.items()
    for what in all_sent
    for when in ("before", "after")
} | {f"store {work}: {when} commit" for work in COMMITTED for when in ("before", "after")}


def test_deaths_at_write_points_break_no_promise(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    reaper = Reaper(a_chance(SEED), every_s=(0.3, 1.3))

    _go_through(stopped_service, a_project, reaper, for_s=SOAK_S)

    assert set(reaper.reached) >= ALWAYS_REACHED
    assert reaper.deaths
    if SOAK_S >= LONG_S:
        often = {point for point in ALWAYS_REACHED if reaper.reached[point] >= OFTEN}
        assert set(reaper.deaths) >= often


def test_a_death_the_first_time_at_each_write_point_breaks_no_promise(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    reaper = Reaper(a_chance(SEED), thorough=True)
    reaper.begin()

    _go_through(stopped_service, a_project, reaper, for_s=THOROUGH_S)

    assert set(reaper.deaths) >= ALWAYS_REACHED
    assert reaper.deaths.keys() == reaper.passed


def _go_through(
    service: RunningService, a_project: Callable[..., Path], reaper: Reaper, *, for_s: float
) -> None:
    """Begin, call, work and end while processes die; all must be right afterwards."""
    ready = set[str]()
    with World(lambda _path, query: ready.add(query["key"])) as world, reaper:
        service.environment |= reaper.environment | SETTINGS
        files = {"main.py": calls_storm.MAIN}
        calls = a_project(calls_storm.MANIFEST.format(world=world.url), **files)
        urls = _deploy(service, reaper, calls)
        clients = Clients(urls, ready, a_chance(SEED + 1), for_s=for_s)
        side = a_project(operator_storm.MANIFEST, "side", **{"side.py": operator_storm.MAIN})
        operator = Operator(service, side, a_chance(SEED + 2))
        _deploy(service, reaper, side)
        _blow(service, reaper, clients, operator, for_s=for_s)
        left = calls_storm.read_aftermath(service)
        operator_storm.check_operated(operator, service)
        status = service.stop()
    _report(reaper, operator, calls_storm.summary_of(clients, left))

    assert status == 0
    calls_storm.check_aftermath(clients, left, service.home)


def _deploy(service: RunningService, reaper: Reaper, directory: Path) -> dict[str, str]:
    """Deploy as often as it takes; the URLs of the webhooks."""
    for _ in range(MOST_TRIES):
        keep_up(service, reaper, mercy=0)
        done = service.cli("deploy", str(directory), "--json", check=False)
        if done.returncode == 0:
            triggers = json.loads(done.stdout)["triggers"]
            return {each["name"]: each["url"] for each in triggers if each["kind"] == "webhook"}
        assert "Traceback" not in done.stderr, done.stderr
    pytest.fail(f"never deployed: {done.stdout}{done.stderr}")


def _blow(
    service: RunningService, reaper: Reaper, clients: Clients, operator: Operator, *, for_s: float
) -> None:
    """Call, work and die until the time is over; then wait until everything has ended."""
    clients.start()
    operator.start()
    try:
        reaper.begin()
        ends = time.monotonic() + for_s
        while (
            clients.is_calling()
            or time.monotonic() < ends
            or (reaper.lacks(ALWAYS_REACHED) and time.monotonic() < ends + LONGER_S)
        ):
            if not keep_up(service, reaper, mercy=reaper.mercy):
                time.sleep(0.02)  # noqa: TID251 - until the next death
        operator.finish()
        assert len(_insist(service, reaper, operator_storm.list_active)) == 1
        _insist(service, reaper, operator_storm.end_ticks)
        reaper.end()
        keep_up(service, reaper, mercy=1)
        wait_until(lambda: calls_storm.is_at_rest(service, len(clients.orders)), "at rest", REST_S)
    finally:
        reaper.end()
        clients.finish()
        operator.finish()


def _insist(service: RunningService, reaper: Reaper, work: Callable[[RunningService], T]) -> T:
    """What the work returns once nobody dies meanwhile."""
    for _ in range(MOST_TRIES):
        keep_up(service, reaper, mercy=0)
        with suppress(httpx2.TransportError):
            return work(service)
    pytest.fail("cut off again and again")


def _report(reaper: Reaper, operator: Operator, summary: str) -> None:
    """The figures are worth seeing."""
    deaths = (
        f"{reaper.deaths.total()} deaths at {len(reaper.deaths)} of {len(reaper.reached)} points"
    )
    points = [
        f"  {point}: reached {times}, died {reaper.deaths[point]}"
        for point, times in sorted(reaper.reached.items())
    ]
    lines = [
        f"\nseed {SEED}: {deaths}; {summary}",
        f"the operator: {dict(sorted(operator.done.items()))}",
        *points,
    ]
    print("\n".join(lines))  # noqa: T201 - as above
