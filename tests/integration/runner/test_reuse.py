"""Processes kept for the next session of the same build, and thrown away when they are no longer clean."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from hookline_runner.frames import FrameType
from tests.builders.runner_host import running_host
from tests.fakes.service_link import FakeService

SOURCE = """
import os, time
import stand_in_session

def pid(_):
    return os.getpid()

def leave_dirt(_):
    stand_in_session.dirty = "a thread"
    return os.getpid()

def fail(_):
    raise ValueError("no")

def leave_files(_):
    open("main.py", "a").write("# more")
    open("new.txt", "w").close()
    os.symlink("/", "root")
    os.remove("data/words.txt")
    return os.getpid()

def look(_):
    return [os.getpid(), sorted(os.listdir(".")), os.listdir("data"), "# more" in open("main.py").read()[:-1]]

def leave_temporary_file(_):
    open(os.environ["TMPDIR"] + "/left", "w").close()
    return os.getpid()

def temporary_files(_):
    return [os.getpid(), os.listdir(os.environ["TMPDIR"])]

def hold(_):
    time.sleep(600)
"""
FILES = {"main.py": SOURCE.replace('"# more" in', '"# mo" "re" in'), "data/words.txt": "one two"}


async def _prepare(service: FakeService) -> None:
    assert (await service.prepare("bld_1", FILES, process="reuse"))["ok"]


async def _run(service: FakeService, function: str) -> object:
    return await service.start("bld_1", f"main.py:{function}", process="reuse").result()


async def test_a_clean_process_takes_the_next_session(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox, forks_ahead=1, forks_ahead_max=1) as service:
        await _prepare(service)

        pids = [await _run(service, "pid") for _ in range(10)]

        assert len(set(pids)) <= 2  # one, and one ahead


async def test_a_dirty_process_is_thrown_away(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        dirty = await _run(service, "leave_dirt")

        assert dirty not in [await _run(service, "pid") for _ in range(5)]


async def test_the_files_are_as_deployed_for_the_next_session_in_the_same_process(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox, forks_ahead=0, forks_ahead_max=0) as service:
        await _prepare(service)

        first = await _run(service, "leave_files")
        second = await _run(service, "look")

        assert isinstance(second, list)
        assert second[1:3] == [["data", "main.py"], ["words.txt"]]
        assert second[0] == first


async def test_temporary_files_are_gone_for_the_next_session_in_the_same_process(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox, forks_ahead=0, forks_ahead_max=0) as service:
        await _prepare(service)

        first = await _run(service, "leave_temporary_file")

        assert await _run(service, "temporary_files") == [first, []]


async def test_sessions_at_the_same_time_have_processes_of_their_own(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        held = service.start("bld_1", "main.py:hold", process="reuse")

        await _run(service, "pid")

        assert not held.ended.is_set()


async def test_a_stopped_session_takes_its_process_with_it(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox, forks_ahead=0, forks_ahead_max=0) as service:
        await _prepare(service)
        held = service.start("bld_1", "main.py:hold", process="reuse")
        await held.until(FrameType.STARTED)

        service.stop(held, force=True)

        assert (await held.exited())["signal"] == 9
        assert await _run(service, "pid")


@pytest.mark.parametrize("mode", ["fork", "reuse"])
async def test_processes_that_nobody_needs_are_let_go(
    tmp_path: Path, sandbox: str, mode: str
) -> None:
    async with running_host(
        tmp_path, sandbox, reuse_idle_s=0.1, forks_ahead=0, zygote_idle_s=0.3
    ) as service:
        await _prepare(service)
        await service.start("bld_1", "main.py:pid", process=mode).result()

        with anyio.fail_after(20):
            while list((tmp_path / "runner" / "zygotes").glob("*/*")):
                await service.link_news.wait()
