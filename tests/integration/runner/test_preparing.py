"""PREPARE: environment, analysis, what is importable; and zygotes that cannot preload what they find."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import anyio
import pytest

from hookline_runner.errors import LinkRefusedError
from hookline_runner.frames import FrameType
from hookline_runner.host import RunnerHost
from tests.builders.runner_host import a_runtime, running_host, some_settings
from tests.builders.wheels import a_wheel
from tests.fakes.service_link import FakeService, running_service

HELLO = "def hello(_):\n    return 'hello'\n"


def _offline(tmp_path: Path) -> dict[str, Any]:
    """Settings under which only the wheels in `tmp_path/wheels` can be installed."""
    variables = {
        "PATH": os.defpath,
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(tmp_path / "wheels"),
    }
    return {"install_environment": variables}


async def test_a_build_is_analysed_by_the_python_that_will_run_it(
    tmp_path: Path, sandbox: str
) -> None:
    files = {"main.py": "import json, requests\n" + HELLO, "bad.py": "def f(:\n"}
    async with running_host(tmp_path, sandbox) as service:
        prepared = await service.prepare("bld_1", files)

        assert prepared["ok"]
        assert prepared["modules"]["main.py"]["names"]["hello"]["event"] == "ok"
        assert prepared["modules"]["bad.py"]["error"]["line"] == 1
        assert prepared["provided"] == ["hookline"]
        assert {"json", "asyncio"} <= set(prepared["stdlib"])
        assert prepared["python"].startswith("3.")


@pytest.mark.slow
async def test_a_file_that_takes_too_much_memory_is_named_and_the_others_are_checked(
    tmp_path: Path, sandbox: str
) -> None:
    files = {"a.py": HELLO, "data.py": f"x = [{'0,' * 500_000}]\n", "z.py": "def f(:\n"}
    async with running_host(tmp_path, sandbox, prepare_memory_bytes=64 << 20) as service:
        prepared = await service.prepare("bld_1", files)

        assert prepared["ok"], prepared["error"]
        assert prepared["modules"]["data.py"]["error"]["message"] == (
            "too large to be compiled within 64 MiB of memory; "
            "HOOKLINE_RUNNER_PREPARE_MEMORY_BYTES allows more"
        )
        assert prepared["modules"]["a.py"]["names"]["hello"]["event"] == "ok"
        assert prepared["modules"]["z.py"]["error"]["line"] == 1


async def test_requirements_are_installed_and_importable(tmp_path: Path, sandbox: str) -> None:
    a_wheel(tmp_path / "wheels", "greetings", {"greetings/__init__.py": "TEXT = 'hi there'\n"})
    source = "import greetings\ndef greet(_):\n    return greetings.TEXT\n"
    async with running_host(tmp_path, sandbox, **_offline(tmp_path)) as service:
        prepared = await service.prepare(
            "bld_1", {"main.py": source}, requirements="# ours\ngreetings == 1.0\n"
        )

        assert prepared["ok"], prepared["error"]
        assert prepared["provided"] == ["greetings", "hookline"]
        assert await service.start("bld_1", "main.py:greet").result() == "hi there"
        progress = [h["text"] for kind, h, _ in service.link_frames if kind is FrameType.PROGRESS]
        assert any("greetings" in text for text in progress)


async def test_a_projects_own_packages_win_over_the_defaults(tmp_path: Path, sandbox: str) -> None:
    for version in ("1.0", "2.0"):
        a_wheel(tmp_path / "wheels", "lib", {"lib.py": f"V = '{version}'\n"}, version)
    a_wheel(tmp_path / "wheels", "helper", {"helper.py": ""}, needs="lib<2")
    a_wheel(tmp_path / "wheels", "modern", {"modern.py": ""}, needs="lib>=2")
    source = "import helper, lib, modern\ndef version(_):\n    return lib.V\n"
    async with running_host(tmp_path, sandbox, **_offline(tmp_path)) as service:
        prepared = await service.prepare(
            "bld_1", {"main.py": source}, requirements="modern\n#: defaults\nhelper\nlib~=1.0\n"
        )

        assert prepared["ok"], prepared["error"]
        assert await service.start("bld_1", "main.py:version").result() == "2.0"


async def test_versions_that_conflict_are_told_without_the_whole_proof(
    tmp_path: Path, sandbox: str
) -> None:
    for number in range(30):
        a_wheel(tmp_path / "wheels", "lib", {"lib.py": ""}, f"{number}.0", needs=f"other=={number}")
        a_wheel(tmp_path / "wheels", "other", {"other.py": ""}, f"{number}.0")
    async with running_host(tmp_path, sandbox, **_offline(tmp_path)) as service:
        prepared = await service.prepare(
            "bld_1", {"main.py": HELLO}, requirements="lib\nother==99\n"
        )

        assert not prepared["ok"]
        message = prepared["error"]["message"]
        assert "other==99" in message
        assert len(message.splitlines()) < 10
        progress = [h["text"] for kind, h, _ in service.link_frames if kind is FrameType.PROGRESS]
        assert not any("conclude" in text for text in progress)


async def test_projects_with_the_same_requirements_share_one_environment(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        one = await service.prepare("bld_1", {"main.py": HELLO}, requirements="# nothing\n")
        two = await service.prepare("bld_2", {"other.py": HELLO})

        assert one["environment"] == two["environment"]


async def test_two_builds_of_one_environment_at_once_do_not_collide(
    tmp_path: Path, sandbox: str
) -> None:
    prepared: list[dict[str, Any]] = []

    async def prepare(service: FakeService, build: str) -> None:
        prepared.append(await service.prepare(build, {"main.py": HELLO}))

    async with running_host(tmp_path, sandbox) as service, anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(prepare, service, f"bld_{number}")

    assert [answer["ok"] for answer in prepared] == [True] * 4
    assert len({answer["environment"] for answer in prepared}) == 1


async def test_requirements_that_do_not_exist_fail_with_what_the_installer_said(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox, **_offline(tmp_path)) as service:
        (tmp_path / "wheels").mkdir()

        prepared = await service.prepare(
            "bld_1", {"main.py": HELLO}, requirements="no-such-thing==9\n"
        )

        assert not prepared["ok"]
        assert prepared["error"]["code"] == "environment.failed"
        assert "no-such-thing" in prepared["error"]["message"]
        assert list((tmp_path / "runner" / "environments").glob("*building*")) == []


async def test_an_install_that_takes_too_long_is_ended(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox, environment_timeout_s=0.001) as service:
        prepared = await service.prepare("bld_1", {"main.py": HELLO})

        assert prepared["error"]["code"] == "environment.timeout"


async def test_requirements_that_name_files_of_the_project_are_refused_by_line(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        prepared = await service.prepare(
            "bld_1", {"main.py": HELLO}, requirements="requests\n-r more.txt\n"
        )

        assert "line 2: '-r more.txt'" in prepared["error"]["message"]


async def test_an_environment_left_half_built_by_a_dead_host_is_removed(
    tmp_path: Path, sandbox: str
) -> None:
    left = tmp_path / "runner" / "environments" / "env_1.building-999999999"
    left.mkdir(parents=True)
    async with running_host(tmp_path, sandbox) as service:
        with anyio.fail_after(10):
            while left.exists():
                await service.link_news.wait()


def _evil_archive(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type = kind
        member.linkname = target
        tar.addfile(member)
    return stream.getvalue()


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(_evil_archive("/etc/evil"), id="absolute"),
        pytest.param(_evil_archive("../evil"), id="outside"),
        pytest.param(_evil_archive("a/../../evil"), id="outside by a detour"),
        pytest.param(_evil_archive("link", tarfile.SYMTYPE, "/etc/passwd"), id="symbolic link"),
        pytest.param(_evil_archive("link", tarfile.LNKTYPE, "main.py"), id="hard link"),
        pytest.param(_evil_archive("null", tarfile.CHRTYPE), id="device"),
        pytest.param(_evil_archive("pipe", tarfile.FIFOTYPE), id="pipe"),
        pytest.param(b"not a tar at all" * 100, id="not an archive"),
    ],
)
async def test_a_hostile_archive_is_refused_and_leaves_nothing(
    tmp_path: Path, archive: bytes
) -> None:
    async with running_host(tmp_path, "off") as service:
        prepared = await service.prepare("bld_1", {}, archive=archive)

        assert prepared["error"]["code"] == "build.archive"
        assert list((tmp_path / "runner" / "builds").iterdir()) == []


async def test_a_build_id_cannot_lead_outside(tmp_path: Path) -> None:
    async with running_host(tmp_path, "off") as service:
        prepared = await service.prepare("../../x", {"main.py": HELLO})

        assert prepared["error"]["code"] == "build.archive"


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(
            "import threading, time\n"
            "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
            id="starts a thread",
        ),
        pytest.param("import os\nif os.getppid() <= 2: os._exit(3)\n", id="ends the process"),
        pytest.param("raise RuntimeError('not today')\n", id="raises"),
        pytest.param("import sys\nsys.exit(4)\n", id="exits"),
    ],
)
async def test_a_module_that_cannot_be_preloaded_costs_no_session(
    tmp_path: Path, bubblewrap: str, module: str
) -> None:
    a_wheel(tmp_path / "wheels", "odd", {"odd.py": module})
    a_wheel(tmp_path / "wheels", "fine", {"fine.py": "X = 1\n"})
    source = "def hello(_):\n    return 'hello'\ndef never(_):\n    import odd, fine\n"
    async with running_host(tmp_path, bubblewrap, **_offline(tmp_path)) as service:
        prepared = await service.prepare("bld_1", {"main.py": source}, requirements="odd\nfine\n")
        assert prepared["ok"], prepared["error"]

        assert await service.start("bld_1", "main.py:hello").result() == "hello"


async def test_third_party_modules_are_loaded_already_and_the_projects_own_are_not(
    tmp_path: Path, sandbox: str
) -> None:
    a_wheel(tmp_path / "wheels", "fine", {"fine/__init__.py": "", "fine/deep.py": ""})
    source = """
def loaded(_):
    import sys
    return [name for name in ("fine", "fine.deep", "own", "decimal") if name in sys.modules]

def never(_):
    import own, decimal
    from fine import deep
"""
    files = {"main.py": source, "own.py": ""}
    async with running_host(tmp_path, sandbox, **_offline(tmp_path)) as service:
        await service.prepare("bld_1", files, requirements="fine\n")

        loaded = await service.start("bld_1", "main.py:loaded").result()

        assert loaded == ["fine", "fine.deep", "decimal"]


async def test_an_environment_that_was_removed_is_built_again(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox) as service:
        prepared = await service.prepare("bld_1", {"main.py": HELLO})
        await service.start("bld_1", "main.py:hello").result()
        environment = tmp_path / "runner" / "environments" / prepared["environment"]
        (environment / "bin" / "python").unlink()

        attempt = service.start("bld_1", "main.py:hello", memory_limit_bytes=400 * 1024**2)

        assert await attempt.result() == "hello"


async def test_a_zygote_that_is_never_ready_fails_the_attempts_that_wait(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox, zygote_start_timeout_s=0.001) as service:
        service.builds["bld_1"] = {"main.py": HELLO}

        exited = await service.start("bld_1", "main.py:hello").exited()

        assert exited["reason"] == "start_failed"
        assert "cannot be started" in exited["detail"]


@pytest.mark.parametrize("python", ["/bin/sh", "-h", "../python", "python3", "3.11; true"])
async def test_only_a_version_can_be_asked_for_as_python(tmp_path: Path, python: str) -> None:
    async with running_host(tmp_path, "off") as service:
        prepared = await service.prepare("bld_1", {"main.py": HELLO}, python=python)

        assert "is not a version" in prepared["error"]["message"]


async def test_the_wrong_token_ends_the_host(tmp_path: Path) -> None:

    settings = some_settings(tmp_path, "off", token="wrong")
    async with running_service(tmp_path / "s"):
        with pytest.raises(LinkRefusedError):
            await RunnerHost(settings, a_runtime(settings)).run()
