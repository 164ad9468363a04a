"""The scripts a newcomer runs."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import ROOT, clean_environment, processes_with

pytestmark = pytest.mark.slow

_INSTALLED = ROOT / ".venv" / ".installed"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment whose temporary files are seen; at the end nothing of the demo may be left."""
    if not _INSTALLED.exists():
        pytest.skip("scripts/test has not set up .venv")
    yield clean_environment(TMPDIR=str(tmp_path))
    assert not list(tmp_path.glob("hookline-demo.*"))
    assert not processes_with(str(tmp_path))


def demo(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "scripts" / "demo"), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip


def test_the_demo_works_twice_in_a_row(environment: dict[str, str]) -> None:
    outcomes = [demo(environment, "--once") for _ in range(2)]

    for outcome in outcomes:
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        assert "Hello, Ada!" in outcome.stdout
        assert "completed" in outcome.stdout


def test_the_demo_takes_another_port_when_the_usual_one_is_taken(
    environment: dict[str, str],
) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", 9980))
            holder.listen()
        except OSError:
            pass  # somebody holds it already: just as good
        outcome = demo(environment, "--once")

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_demo_ends_on_an_interrupt(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [str(ROOT / "scripts" / "demo")],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Ctrl-C stops it" in line:
                break

        process.send_signal(signal.SIGINT)

        assert process.wait(30) == 130


def test_the_demo_refuses_what_it_does_not_know(environment: dict[str, str]) -> None:
    outcome = demo(environment, "--twice")

    assert outcome.returncode == 1
    assert "usage" in outcome.stderr


@pytest.mark.parametrize("name", ["check", "test", "demo", "env.sh", "../.ci/run"])
def test_a_script_is_sound_bash_and_strict(name: str) -> None:
    path = ROOT / "scripts" / name

    done = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert name == "env.sh" or "set -euo pipefail" in path.read_text()
