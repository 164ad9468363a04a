"""The key of secrets: rotated while the service is killed, lost, and brought back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import HOOKLINE, RunningService, wait_until

pytestmark = pytest.mark.slow

NAMES = [f"S{number}" for number in range(40)]
MANIFEST = "project:\n  name: PROJECT\n  vars:\n" + "".join(
    f"    - {{name: {name}, secret: true, value: value-of-{name}}}\n" for name in NAMES
)
CODE = "import os\n\n\ndef run(event):\n    return os.environ['S7']\n"
EXPECTED = {name: f"value-of-{name}" for name in NAMES}


def values_of(service: RunningService, project: str) -> dict[str, str]:
    listed = service.cli("var", "list", project, "--reveal", json=True)
    return {one["name"]: one["value"] for one in listed}


def keys_in(home: Path) -> list[str]:
    return (home / "secret.key").read_text().split()


@pytest.fixture
def with_secrets(running_service, a_project) -> RunningService:
    for project in ("one", "two"):
        files = {"main.py": CODE}
        running_service.deploy(a_project(MANIFEST.replace("PROJECT", project), project, **files))
    return running_service


@pytest.mark.parametrize("_", range(3))
def test_a_rotation_survives_a_kill_in_the_middle(with_secrets, _) -> None:
    service = with_secrets
    with subprocess.Popen(
        [*HOOKLINE, "secret", "rotate"],
        env=service.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as rotating:
        wait_until(
            lambda: len(keys_in(service.home)) > 1 or rotating.poll() is not None, "under way", 20
        )
        service.kill9_service()

    service.start()

    assert len(keys_in(service.home)) == 2
    assert values_of(service, "one") == values_of(service, "two") == EXPECTED
    run = service.cli("run", "two", "main.py:run", "--wait", json=True)
    assert run["state"] == "completed"
    listed = keys_in(service.home)
    (service.home / "secret.key").write_text(f"{listed[0]}\n")
    service.restart()
    assert values_of(service, "one") == EXPECTED


def test_a_wrong_key_stops_the_start_with_its_reason_and_the_right_one_mends_it(
    with_secrets,
) -> None:
    service = with_secrets
    service.stop()
    key = service.home / "secret.key"
    key.rename(service.home / "kept.key")

    missing = _failed_start(service)
    assert not key.exists()
    key.write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
    wrong = _failed_start(service)

    assert f"error: {key} is missing" in missing
    assert f"error: {key} does not open 80 of the stored secrets (one/S0, one/S1" in wrong
    assert "Traceback" not in missing + wrong
    (service.home / "kept.key").replace(key)
    service.start()
    assert values_of(service, "one") == EXPECTED


def test_lost_secrets_are_emptied_on_demand_and_can_be_set_again(with_secrets) -> None:
    service = with_secrets
    service.stop()
    (service.home / "secret.key").unlink()
    service.environment["HOOKLINE_UP_FORGETS_LOST_SECRETS"] = "1"

    service.start()

    del service.environment["HOOKLINE_UP_FORGETS_LOST_SECRETS"]
    assert set(values_of(service, "one").values()) == {""}
    service.cli("var", "set", "one", "S7", "anew")
    service.restart()
    run = service.cli("run", "one", "main.py:run", "--wait", json=True)
    assert run["result"] == "anew"


def _failed_start(service: RunningService) -> str:
    done = subprocess.run(
        [*HOOKLINE, "up", "--port", str(service.port)],
        env=service.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    return done.stderr
