"""Starting, stopping and failing to start, as a person sees it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess

import pytest

from tests.acceptance.conftest import HOOKLINE, RunningService, clean_environment, free_port

pytestmark = pytest.mark.slow


def up(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HOOKLINE, "up", *options],
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_token_is_made_at_the_first_start_for_its_owner_only(running_service) -> None:
    mode = stat.S_IMODE((running_service.home / "token").stat().st_mode)

    refused = running_service.call(f"{running_service.url}/api/v1/projects", "GET")

    assert mode == 0o600
    assert refused.status_code == 401
    assert running_service.token not in running_service.log


def test_the_service_says_where_it_is_and_how_to_deploy(running_service) -> None:
    assert f"Hookline is up at {running_service.url}" in running_service.log
    assert "hookline deploy" in running_service.log


def test_an_interrupt_ends_the_service_in_order(running_service) -> None:
    status = running_service.stop()

    done = running_service.cli("session", "list", check=False)
    assert status == 0
    assert done.returncode == 4
    assert "start it with `hookline up`" in done.stderr


def test_another_service_on_the_same_home_is_refused(running_service) -> None:
    done = up("--home", str(running_service.home), "--port", str(free_port()))

    assert done.returncode in {1, 4}
    assert str(running_service.home) in done.stderr
    assert "Traceback" not in done.stderr
    assert running_service.cli("project", "list", json=True) == []


def test_a_port_that_is_taken_is_told(tmp_path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        done = up("--home", str(tmp_path / "home"), "--port", port)

    assert done.returncode == 4
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--port", "70000"], "HOOKLINE_PORT"),
        (["--host", "not a host"], "HOOKLINE_HOST"),
        (["--sandbox", "maybe"], "HOOKLINE_SANDBOX"),
        (["--capacity", "many"], "HOOKLINE_CAPACITY"),
    ],
)
def test_a_setting_that_cannot_be_is_told(tmp_path, options: list[str], told: str) -> None:
    done = up("--home", str(tmp_path / "home"), *options)

    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_home_that_is_a_file_is_told(tmp_path) -> None:
    file = tmp_path / "home"
    file.write_text("")

    done = up("--home", str(file), "--port", str(free_port()))

    assert done.returncode == 4
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_told(tmp_path) -> None:
    tmp_path.chmod(0o500)

    done = up("--home", str(tmp_path / "home"), "--port", str(free_port()))

    assert done.returncode == 4
    assert str(tmp_path) in done.stderr


def test_a_pipe_that_is_closed_early_is_quiet(running_service: RunningService) -> None:
    command = f"set -o pipefail; {' '.join(HOOKLINE)} --help | head -n 1; exit ${{PIPESTATUS[0]}}"

    done = subprocess.run(
        ["bash", "-c", command],
        env=running_service.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_help_is_quick() -> None:
    code = "import sys; from hookline_cli.main import run; run(['--help']); print(sorted(m for m in ('rich', 'httpx2', 'pydantic', 'uvicorn', 'yaml') if m in sys.modules))"  # fmt: skip

    done = subprocess.run([HOOKLINE[0], "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
