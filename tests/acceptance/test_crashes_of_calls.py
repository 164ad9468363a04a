"""Sessions that wait, talk and answer, with processes killed at random moments: each call is applied once.

`HOOKLINE_TEST_SOAK_S` makes the storm longer (300 gives more than 200 kills), `HOOKLINE_TEST_SEED` chooses another one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.acceptance.calls_storm import (
    MAIN,
    MANIFEST,
    Clients,
    check_aftermath,
    is_at_rest,
    read_aftermath,
    summary_of,
)
from tests.acceptance.conftest import RunningService, wait_until
from tests.acceptance.harness import Killer, World
from tests.builders.chance import a_chance

SOAK_S = float(os.environ.get("HOOKLINE_TEST_SOAK_S", "12"))  # noqa: TID251 - a knob of the test
SEED = int(os.environ.get("HOOKLINE_TEST_SEED", "1"))  # noqa: TID251 - as above
pytestmark = [pytest.mark.slow, pytest.mark.timeout(SOAK_S * 3 + 240)]


def test_a_storm_of_kills_applies_each_call_once(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service, ready = stopped_service, set[str]()
    with World(lambda _path, query: ready.add(query["key"])) as world:
        service.start(hot_window_s=0.3, capacity=30, lease_s=3, heartbeat_s=0.5)
        project = a_project(MANIFEST.format(world=world.url), **{"main.py": MAIN})
        urls = service.deploy(project)["urls"]
        clients = Clients(urls, ready, a_chance(SEED + 1), for_s=SOAK_S)
        killer = Killer(service, a_chance(SEED))
        _blow(clients, killer, a_chance(SEED + 2))
        left = read_aftermath(service)
        status = service.stop()
    kills = f"kills {sum(killer.kills.values())} {dict(killer.kills)}"
    print(f"\nseed {SEED}: {kills}; {summary_of(clients, left)}")  # noqa: T201 - worth seeing

    assert status == 0
    check_aftermath(clients, left, service.home)


def _blow(clients: Clients, killer: Killer, chance: Random) -> None:
    """Call and kill until the time is over; then wait until everything has ended."""
    clients.start()
    try:
        ends = time.monotonic() + SOAK_S
        while clients.is_calling() or time.monotonic() < ends:
            time.sleep(chance.uniform(0.05, 0.5))  # noqa: TID251 - kills at random moments
            killer.kill_something()
        wait_until(lambda: is_at_rest(killer.service, len(clients.orders)), "at rest", 90)
    finally:
        clients.finish()
