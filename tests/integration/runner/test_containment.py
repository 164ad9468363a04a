"""User code sees its own project and nothing else of the machine (promise 5). Real bubblewrap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.builders.runner_host import running_host
from tests.fakes.service_link import FakeService

SOURCE = """
import importlib, os, subprocess, sys

def read_files(paths):
    found = []
    for path in paths:
        try:
            os.listdir(path) if os.path.isdir(path) else open(path, "rb").read()
        except OSError:
            continue
        found.append(path)
    return found

def find(name):
    return [
        os.path.join(directory, name)
        for directory, names, files in os.walk("/")
        if not directory.startswith("/proc")
        for entry in names + files
        if entry == name
    ]

def write_files(paths):
    done = []
    for path in paths:
        try:
            open(path, "w").close()
        except OSError:
            continue
        done.append(path)
    return done

def environment(_):
    return dict(os.environ)

def processes(_):
    return [
        open(f"/proc/{pid}/cmdline").read() for pid in os.listdir("/proc") if pid.isdigit()
    ]

def identity(_):
    return [os.getuid(), os.getgid(), open("/proc/self/status").read()]

def import_all(names):
    found = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        found.append(name)
    return found

def signal_everybody(_):
    try:
        os.kill(-1, 0)
    except PermissionError:
        return "refused"
    return len([pid for pid in os.listdir("/proc") if pid.isdigit()])

def new_namespace(_):
    return subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode
"""


async def _prepared(service: FakeService) -> None:
    assert (await service.prepare("bld_1", {"main.py": SOURCE}))["ok"]
    assert (await service.prepare("bld_2", {"main.py": "", "secret-of-two.txt": "x"}))["ok"]


async def test_files_of_the_service_and_of_the_machine_cannot_be_read(
    tmp_path: Path, bubblewrap: str
) -> None:
    database = tmp_path / "hookline.db"
    database.write_text("the database")
    repository = Path(__file__).parents[3]
    paths: Sequence[Path] = [
        database,
        tmp_path,
        tmp_path / "runner",
        repository / "pyproject.toml",
        Path("/etc/shadow"),
        Path("/etc/ssl/private"),
        Path("/var"),
        Path("/home"),
        Path("/run"),
        Path("/sys"),
        Path("/dev/mem"),
        Path("/dev/vda"),
        Path("/proc/1/environ"),
        Path.home() / ".bashrc",
    ]
    async with running_host(tmp_path, bubblewrap) as service:
        await _prepared(service)

        attempt = service.start("bld_1", "main.py:read_files", [str(path) for path in paths])

        assert set(await attempt.result()) <= {"/proc/1/environ"}


async def test_files_of_another_project_are_nowhere(tmp_path: Path, bubblewrap: str) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        await _prepared(service)

        attempt = service.start("bld_1", "main.py:find", "secret-of-two.txt")

        assert await attempt.result() == []


async def test_only_private_places_can_be_written(tmp_path: Path, bubblewrap: str) -> None:
    places = ["/project/x", "/code/x", "/env/x", "/hookline/hookline/x", "/usr/x", "/etc/x", "/x"]
    async with running_host(tmp_path, bubblewrap) as service:
        await _prepared(service)

        attempt = service.start("bld_1", "main.py:write_files", [*places, "/dev/x", "/tmp/x", "x"])

        assert await attempt.result() == ["/tmp/x", "x"]


async def test_the_environment_of_the_host_is_not_passed_on(
    tmp_path: Path, bubblewrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_SECRET", "do not tell")
    async with running_host(tmp_path, bubblewrap) as service:
        await _prepared(service)

        attempt = service.start("bld_1", "main.py:environment", variables={"MINE": "1"})

        allowed = {"PATH", "LANG", "HOME", "PWD", "TMPDIR", "PYTHONHASHSEED", "MINE"}
        assert set(await attempt.result()) == allowed


async def test_processes_of_the_machine_cannot_be_seen_or_signalled(
    tmp_path: Path, bubblewrap: str
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        await _prepared(service)

        commands = await service.start("bld_1", "main.py:processes").result()

        assert all("bwrap" in command or "bootstrap.py" in command for command in commands)


async def test_user_code_is_an_ordinary_user_without_capabilities(
    tmp_path: Path, bubblewrap: str
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        await _prepared(service)

        uid, gid, status = await service.start("bld_1", "main.py:identity").result()

        assert (uid, gid) == (1000, 1000)
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status


async def test_what_the_service_is_made_of_cannot_be_imported(
    tmp_path: Path, bubblewrap: str
) -> None:
    names = ["hookline", "anyio", "uvloop", "orjson", "hookline_service", "uv", "pip", "json"]
    async with running_host(tmp_path, bubblewrap) as service:
        await _prepared(service)

        attempt = service.start("bld_1", "main.py:import_all", names)

        assert await attempt.result() == ["hookline", "json"]


async def test_what_the_service_is_made_of_cannot_be_imported_without_a_sandbox_either(
    tmp_path: Path,
) -> None:
    names = ["hookline", "anyio", "uvloop", "orjson", "hookline_service", "uv", "pip", "json"]
    async with running_host(tmp_path, "off") as service:
        await _prepared(service)

        attempt = service.start("bld_1", "main.py:import_all", names)

        assert await attempt.result() == ["hookline", "json"]


async def test_a_host_without_a_sandbox_says_so(tmp_path: Path) -> None:
    async with running_host(tmp_path, "off") as service:
        assert service.hello["sandbox"].startswith("none: ")
