"""Processes killed right before and after each thing that they write: each call is applied once, no promise breaks.

`HOOKLINE_TEST_SOAK_S` makes the storm longer (400 gives more than 200 kills), `HOOKLINE_TEST_SEED` chooses another one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

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
pytestmark = [pytest.mark.slow, pytest.mark.timeout(SOAK_S * 3 + 300)]

REST_S = 150
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


def test_a_death_at_a_write_point_breaks_no_promise(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service, ready = stopped_service, set[str]()
    chance = a_chance(SEED)
    with (
        World(lambda _path, query: ready.add(query["key"])) as world,
        Reaper(chance, every_s=(0.3, 1.3)) as reaper,
    ):
        service.environment |= reaper.environment
        service.start(hot_window_s=0.3, capacity=30, lease_s=3, heartbeat_s=0.5)
        files = {"main.py": calls_storm.MAIN}
        urls = service.deploy(a_project(calls_storm.MANIFEST.format(world=world.url), **files))
        clients = Clients(urls["urls"], ready, a_chance(SEED + 1), for_s=SOAK_S)
        side = a_project(operator_storm.MANIFEST, name="side")
        operator = Operator(service, side, a_chance(SEED + 2))
        operator.deploy(check=True)
        _blow(service, reaper, clients, operator)
        left = calls_storm.read_aftermath(service)
        operator_storm.check_operated(operator, service)
        status = service.stop()
    _report(reaper, operator, calls_storm.summary_of(clients, left))

    assert status == 0
    calls_storm.check_aftermath(clients, left, service.home)
    assert set(reaper.reached) >= ALWAYS_REACHED
    assert reaper.deaths
    if SOAK_S >= LONG_S:
        often = {point for point in ALWAYS_REACHED if reaper.reached[point] >= OFTEN}
        assert set(reaper.deaths) >= often


def _blow(service: RunningService, reaper: Reaper, clients: Clients, operator: Operator) -> None:
    """Call, work and die until the time is over; then wait until everything has ended."""
    clients.start()
    operator.start()
    try:
        reaper.begin()
        ends = time.monotonic() + SOAK_S
        while clients.is_calling() or time.monotonic() < ends:
            if not keep_up(service, reaper, mercy=0.8):
                time.sleep(0.02)  # noqa: TID251 - until the next death
        reaper.end()
        operator.finish()
        keep_up(service, reaper, mercy=1)
        operator_storm.end_ticks(service)
        wait_until(lambda: calls_storm.is_at_rest(service, len(clients.orders)), "at rest", REST_S)
    finally:
        reaper.end()
        clients.finish()
        operator.finish()


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
