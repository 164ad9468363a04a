"""A session's files have a limit, wherever they are, and nothing of them is left when it ends. Real processes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from hookline_runner.frames import FrameType
from tests.builders.runner_host import running_host
from tests.fakes.service_link import DEADLINE_S, FakeService

pytestmark = pytest.mark.slow

LIMIT_MIB = 24
LIMITS = {"disk_limit_bytes": LIMIT_MIB << 20, "files_limit": 2_000}
TOO_MUCH = f"over the limit of {LIMIT_MIB} MiB; HOOKLINE_DISK_LIMIT_MB sets it"
TOO_MANY = "more than 2000 files; HOOKLINE_FILES_LIMIT sets the limit"
SOURCE = """
import os, mmap, signal, tempfile, stand_in_session

MIB = b"x" * (1 << 20)

def wait_for_the_end():
    while True:
        signal.pause()

def blocks(_):
    for number in range(40):
        with open(f"block-{number}", "wb") as file:
            file.write(MIB)
    wait_for_the_end()

def temporary(_):
    for number in range(40):
        with open(os.path.join(os.environ["TMPDIR"], f"block-{number}"), "wb") as file:
            file.write(MIB)
    wait_for_the_end()

def many(_):
    for number in range(3_000):
        os.mkdir(f"directory-{number}")
    wait_for_the_end()

def deep(_):
    for _ in range(1_200):
        os.mkdir("a")
        os.chdir("a")
    for number in range(40):
        with open(f"block-{number}", "wb") as file:
            file.write(MIB)
    wait_for_the_end()

def shut(_):
    os.mkdir("shut")
    for number in range(40):
        with open(f"shut/block-{number}", "wb") as file:
            file.write(MIB)
    os.chmod("shut", 0)
    wait_for_the_end()

def nameless(_):
    held = []
    for number in range(10):
        held.append(open(f"block-{number}", "wb"))
        os.unlink(f"block-{number}")
        for _ in range(4):
            held[-1].write(MIB)
        held[-1].flush()
    wait_for_the_end()

def mapped(_):
    held = []
    for number in range(10):
        with open("block", "w+b") as file:
            file.write(MIB * 4)
            file.flush()
            held.append(mmap.mmap(file.fileno(), 0))
        os.unlink("block")
    wait_for_the_end()

def by_children(_):
    if os.fork() == 0:
        os.setsid()
        blocks(None)
    wait_for_the_end()

def within(_):
    for number in range(15):
        with open(f"block-{number}", "wb") as file:
            file.write(MIB)
    for number in range(500):
        os.mkdir(os.path.join(os.environ["TMPDIR"], f"directory-{number}"))
    return "done"

def little(_):
    open("note", "w").close()
    return os.listdir(".")

def wait(_):
    print("here", flush=True)
    signal.sigwait([signal.SIGTERM])
"""


async def _prepared(service: FakeService) -> None:
    assert (await service.prepare("bld_1", {"main.py": SOURCE}))["ok"]


async def _until(claim: Callable[[], bool]) -> None:
    with anyio.fail_after(DEADLINE_S):
        while not claim():  # noqa: ASYNC110 - a file system has no events
            await anyio.sleep(0.02)


def _left_below(home: Path) -> list[str]:
    """What sessions made that is still there."""
    left: list[str] = []
    for work in (home / "runner" / "zygotes").glob("*/*/work/*"):
        for place in (work / "project", work / "tmp"):
            with suppress(FileNotFoundError):
                left += [path.name for path in place.iterdir() if path.name != "main.py"]
    return left


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("blocks", TOO_MUCH),
        ("temporary", TOO_MUCH),
        ("deep", TOO_MUCH),
        ("shut", TOO_MUCH),
        ("nameless", TOO_MUCH),
        ("mapped", TOO_MUCH),
        ("by_children", TOO_MUCH),
        ("many", TOO_MANY),
    ],
)
async def test_whoever_takes_too_much_is_ended_and_nobody_else(
    tmp_path: Path, bubblewrap: str, name: str, detail: str
) -> None:
    async with running_host(tmp_path, bubblewrap, **LIMITS) as service:
        await _prepared(service)
        bystander = service.start("bld_1", "main.py:wait")
        await bystander.until(FrameType.LOG)

        exited = await service.start("bld_1", f"main.py:{name}").exited()

        assert exited["reason"] == "disk"
        assert exited["detail"].endswith(detail)
        assert not bystander.ended.is_set()
        await _until(lambda: not _left_below(tmp_path))


async def test_what_a_session_leaves_is_removed_when_it_ends(
    tmp_path: Path, bubblewrap: str
) -> None:
    async with running_host(tmp_path, bubblewrap, **LIMITS) as service:
        await _prepared(service)

        done = await service.start("bld_1", "main.py:within").result()

        assert done == "done"
        await _until(lambda: not _left_below(tmp_path))


async def test_a_directory_in_which_little_is_left_is_used_again(
    tmp_path: Path, bubblewrap: str
) -> None:
    async with running_host(tmp_path, bubblewrap, forks_ahead=1, forks_ahead_max=1) as service:
        await _prepared(service)
        works: set[str] = set()
        for _ in range(12):
            names = await service.start("bld_1", "main.py:little").result()
            assert sorted(names) == ["main.py", "note"]
            await _until(lambda: not _left_below(tmp_path))
            works |= {path.name for path in (tmp_path / "runner" / "zygotes").glob("*/*/work/*")}

        assert len(works) < 8
