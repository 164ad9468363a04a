"""Directories of the home are removed or moved while the service runs: it notices, and sessions go on or end truly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import RunningService, wait_until

pytestmark = pytest.mark.slow

MANIFEST = "project:\n  name: places\n"
CODE = """
import pathlib, time
from hookline import activity


@activity
def count(place):
    with open(place, "a") as file:
        file.write("x")


def quick(event):
    import colorsys, tomllib, wave  # nothing that is there already
    return "fine"


def lasting(event):
    place, go = event.data["place"], pathlib.Path(event.data["go"])
    count(place)
    while not go.exists():
        time.sleep(0.05)
    count(place)
    return "done"
"""


@pytest.fixture
def service(stopped_service: RunningService) -> RunningService:
    stopped_service.start(
        sandbox="off", heartbeat_s=0.5
    )  # so that functions can write for the test
    return stopped_service


def _remove(service: RunningService, place: str) -> None:
    for found in service.home.glob(place):
        shutil.rmtree(found)


def _move(service: RunningService, place: str) -> None:
    for found in service.home.glob(place):
        found.rename(found.with_name(found.name + ".moved"))


@pytest.mark.parametrize(
    ("place", "take_away"),
    [
        ("runner", _remove),
        ("runner", _move),
        ("runner/zygotes", _remove),
        ("runner/zygotes/*/*", _remove),
        ("runner/environments", _move),
        ("runner/environments/*", _remove),
        ("runner/builds", _remove),
        ("runner/builds/*", _move),
    ],
)
def test_what_is_taken_away_is_made_again_and_sessions_go_on(
    service: RunningService,
    a_project: Callable[..., Path],
    tmp_path: Path,
    place: str,
    take_away: Callable[[RunningService, str], None],
) -> None:
    service.deploy(a_project(MANIFEST, **{"main.py": CODE}))
    counted, go = tmp_path / "counted", tmp_path / "go"
    given = json.dumps({"place": str(counted), "go": str(go)})
    lasting = service.cli(
        "run", "places", "main.py:lasting", "--durable", "--event", given, json=True
    )["id"]
    wait_until(counted.exists, "under way", 20)

    take_away(service, place)
    wait_until(lambda: service.log.count("environment built") > 1 or _works(service), "well", 30)
    go.touch()

    assert service.wait_session(lasting)["state"] == "completed"
    assert counted.read_text() == "xx"
    assert _works(service)
    service.deploy(a_project(MANIFEST, **{"main.py": CODE + "\n# changed\n"}))
    assert _works(service)
    assert "Traceback" not in service.log


def _works(service: RunningService) -> bool:
    """Whether a new session completes; one that begins just when a thing is taken away may end in error."""
    session = service.cli("run", "places", "main.py:quick", json=True)["id"]
    return service.wait_session(session)["state"] == "completed"


@pytest.mark.parametrize("place", ["run", "run/runner.sock"])
def test_a_host_finds_the_service_after_its_socket_was_removed(
    service: RunningService, a_project: Callable[..., Path], place: str
) -> None:
    service.deploy(a_project(MANIFEST, **{"main.py": CODE}))
    target = service.home / place
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    wait_until((service.home / "run" / "runner.sock").exists, "made again", 20)

    service.kill9_runner()
    wait_until(lambda: service.log.count("runner host connected") > 1, "linked", 30)

    assert _works(service)
    assert (service.home / "run" / "runner.sock").stat().st_mode & 0o777 == 0o600


def test_the_service_says_while_no_session_can_run(
    service: RunningService, a_project: Callable[..., Path]
) -> None:
    service.deploy(a_project(MANIFEST, **{"main.py": CODE}))
    runner = service.home / "runner"
    _remove(service, "runner")
    runner.touch()  # so that no host can begin

    wait_until(lambda: service.call(f"{service.url}/readyz", "GET").status_code == 503, "said", 30)
    reason = service.call(f"{service.url}/readyz", "GET").json()["reason"]
    runner.unlink()
    wait_until(lambda: service.call(f"{service.url}/readyz", "GET").status_code == 200, "well", 60)

    assert "runner" in reason
