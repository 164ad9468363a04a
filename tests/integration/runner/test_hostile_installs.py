"""Packages that are built on this host run foreign code: it stays in its sandbox, and among its own files."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hookline_runner.errors import EnvironmentFailedError
from tests.builders.runner_host import running_host
from tests.builders.wheels import a_wheel

_HELLO = "import evil\ndef hello(_):\n    return 'hello'\n"
_PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "evil"
version = "1.0"
"""
_BACKEND = """
import glob, os, zipfile

def attack(environment):
    {attack}

def build_wheel(directory, config_settings=None, metadata_directory=None):
    for environment in glob.glob("{environments}/env_*.building-*"):
        attack(environment)
    name = "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(directory + "/" + name, "w") as wheel:
        wheel.writestr("evil.py", "x = 1\\n")
        start = "evil-1.0.dist-info/"
        wheel.writestr(start + "METADATA", "Metadata-Version: 2.1\\nName: evil\\nVersion: 1.0\\n")
        tag = "Root-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(start + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\n" + tag)
        wheel.writestr(start + "RECORD", "")
    return name
"""


def _an_evil_sdist(home: Path, attack: str) -> dict[str, Any]:
    """Put a source distribution with this attack up for installation; settings that find it."""
    backend = _BACKEND.format(environments=home / "runner" / "environments", attack=attack)
    information = "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n"
    files = {"pyproject.toml": _PYPROJECT, "PKG-INFO": information, "backend.py": backend}
    wheels = home / "wheels"
    wheels.mkdir()
    with tarfile.open(wheels / "evil-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"evil-1.0/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    variables = {"PATH": os.defpath, "UV_OFFLINE": "1", "UV_FIND_LINKS": str(wheels)}
    return {"install_environment": variables}


async def test_a_package_that_must_be_built_can_be_installed(
    tmp_path: Path, bubblewrap: str
) -> None:
    settings = _an_evil_sdist(tmp_path, "pass")
    async with running_host(tmp_path, bubblewrap, **settings) as service:
        prepared = await service.prepare("bld_1", {"main.py": _HELLO}, requirements="evil\n")

        assert prepared["ok"], prepared["error"]
        assert await service.start("bld_1", "main.py:hello").result() == "hello"


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack",
    [
        "held = b'x' * (600 << 20); import time; time.sleep(60)",
        "held = [os.fork() or b'x' * (100 << 20) for _ in range(4)]; import time; time.sleep(60)",
        "open('/tmp/large', 'wb').write(bytes(400 << 20)); import time; time.sleep(60)",
    ],
    ids=["one process", "children", "files in memory"],
)
async def test_a_package_cannot_take_all_memory_while_it_is_built(
    tmp_path: Path, bubblewrap: str, attack: str
) -> None:
    settings = _an_evil_sdist(tmp_path, f"import os; {attack}")
    settings["build_memory_bytes"] = 300 << 20
    async with running_host(tmp_path, bubblewrap, **settings) as service:
        prepared = await service.prepare("bld_1", {"main.py": _HELLO}, requirements="evil\n")

        assert prepared["error"]["code"] == "environment.failed"
        assert "300 MiB" in prepared["error"]["message"]
        assert "HOOKLINE_RUNNER_BUILD_MEMORY_BYTES" in prepared["error"]["message"]


async def test_a_package_cannot_replace_the_interpreter_that_is_started_outside_the_sandbox(
    tmp_path: Path, bubblewrap: str
) -> None:
    trap = f"#!/bin/sh\\ntouch {tmp_path}/escaped\\n"
    attack = (
        "python = environment + '/bin/python'; os.unlink(python);"
        f" open(python, 'w').write('{trap}'); os.chmod(python, 0o755)"
    )
    settings = _an_evil_sdist(tmp_path, attack)
    async with running_host(tmp_path, bubblewrap, **settings) as service:
        prepared = await service.prepare("bld_1", {"main.py": _HELLO}, requirements="evil\n")

        assert not (tmp_path / "escaped").exists()
        assert prepared["error"]["code"] == EnvironmentFailedError.code


async def test_a_package_cannot_have_other_files_of_the_host_shown_to_sessions(
    tmp_path: Path, bubblewrap: str
) -> None:
    (tmp_path / "private" / "bin").mkdir(parents=True)
    attack = (
        "python = environment + '/bin/python'; os.unlink(python);"
        f" os.symlink('{tmp_path}/private/bin/python', python)"
    )
    settings = _an_evil_sdist(tmp_path, attack)
    async with running_host(tmp_path, bubblewrap, **settings) as service:
        prepared = await service.prepare("bld_1", {"main.py": _HELLO}, requirements="evil\n")

        assert prepared["error"]["code"] == EnvironmentFailedError.code


async def test_a_package_cannot_have_a_file_of_the_host_overwritten_through_a_link(
    tmp_path: Path, bubblewrap: str
) -> None:
    kept = tmp_path / "token"
    kept.write_text("kept")
    settings = _an_evil_sdist(tmp_path, f"os.symlink('{kept}', environment + '/complete.json')")
    async with running_host(tmp_path, bubblewrap, **settings) as service:
        await service.prepare("bld_1", {"main.py": _HELLO}, requirements="evil\n")

        assert kept.read_text() == "kept"


async def test_a_package_cannot_put_anything_into_the_cache_of_other_projects(
    tmp_path: Path, bubblewrap: str
) -> None:
    attack = "open(os.environ['UV_CACHE_DIR'] + '/planted', 'w').close()"
    settings = _an_evil_sdist(tmp_path, attack)
    async with running_host(tmp_path, bubblewrap, **settings) as service:
        prepared = await service.prepare("bld_1", {"main.py": _HELLO}, requirements="evil\n")

        assert prepared["ok"], prepared["error"]
        assert not (tmp_path / "runner" / "uv-cache" / "planted").exists()
        assert list((tmp_path / "runner" / "environments").glob("*cache*")) == []


async def test_code_that_a_wheel_hides_in_a_path_file_sees_no_cache(
    tmp_path: Path, bubblewrap: str
) -> None:
    cache = tmp_path / "runner" / "uv-cache"
    line = f"import os; os.path.isdir({str(cache)!r}) and open('{cache}/planted', 'w').close()\n"
    a_wheel(tmp_path / "wheels", "evil", {"evil.py": "", "evil.pth": line})
    variables = {"PATH": os.defpath, "UV_OFFLINE": "1", "UV_FIND_LINKS": str(tmp_path / "wheels")}
    async with running_host(tmp_path, bubblewrap, install_environment=variables) as service:
        prepared = await service.prepare("bld_1", {"main.py": _HELLO}, requirements="evil\n")

        assert prepared["ok"], prepared["error"]
        assert not (cache / "planted").exists()


@pytest.mark.parametrize(
    ("facts", "is_ok"),
    [
        ('{"modules": {"main.py": 5}, "provided": [1, []], "stdlib": [{}], "python": "3"}', True),
        ('{"modules": {"a": ' + "[" * 600 + "]" * 600 + "}", False),
        ('{"modules": {"a": 1' + "0" * 30 + '}, "provided": [], "stdlib": [], "python": ""}', True),
        ("[" * 100_000, False),
    ],
    ids=["wrong types", "deep", "a huge number", "too deep to read"],
)
async def test_facts_that_a_package_forges_hurt_nobody_else(
    tmp_path: Path, bubblewrap: str, facts: str, is_ok: bool
) -> None:
    source = (
        f"import atexit, os\n\ndef forge():\n    if os.path.isdir('/code'):\n"
        f"        open('/code/facts.json', 'w').write({facts!r})\n\natexit.register(forge)\n"
    )
    a_wheel(tmp_path / "wheels", "evil", {"evil.py": source, "evil.pth": "import evil\n"})
    variables = {"PATH": os.defpath, "UV_OFFLINE": "1", "UV_FIND_LINKS": str(tmp_path / "wheels")}
    async with running_host(tmp_path, bubblewrap, install_environment=variables) as service:
        prepared = await service.prepare("bld_1", {"main.py": _HELLO}, requirements="evil\n")
        other = await service.prepare("bld_2", {"main.py": "x = 1\n"})

        assert prepared["ok"] is is_ok
        assert other["ok"]
