"""A session has its limit of memory for all its processes and all kinds of memory together. Real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookline_runner.frames import FrameType
from tests.builders.runner_host import Tether, running_host
from tests.fakes.service_link import FakeService

pytestmark = pytest.mark.slow

LIMIT_MIB = 192
DETAIL = f"over the limit of {LIMIT_MIB} MiB; HOOKLINE_MEMORY_LIMIT_MB sets it"
SOURCE = """
import ctypes, mmap, os, signal, socket, subprocess, sys, threading

MIB = 1 << 20
EATER = "import os, signal; held = b'x' * (%d << 20); signal.pause()"

def wait_for_the_end():
    while True:
        signal.pause()

def forked(_):
    for _ in range(4):
        if os.fork() == 0:
            held = b"x" * (80 * MIB)
            wait_for_the_end()
    wait_for_the_end()

def started(_):
    for _ in range(4):
        subprocess.Popen([sys.executable, "-S", "-c", EATER % 80])
    wait_for_the_end()

def orphaned(port):
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)  # adopt no orphans
    for _ in range(4):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                tie = socket.create_connection(("127.0.0.1", port))
                held = b"x" * (80 * MIB)
                wait_for_the_end()
            os._exit(0)
        os.wait()
    wait_for_the_end()

def mapped(_):
    held = mmap.mmap(-1, 300 * MIB)
    for place in range(0, len(held), 4096):
        held[place] = 1
    wait_for_the_end()

def memory_file(_):
    descriptors = [os.memfd_create(f"no-{number}") for number in range(3)]
    for descriptor in descriptors:
        for _ in range(100):
            os.write(descriptor, bytes(MIB))
    wait_for_the_end()

def without_first_thread(_):
    if os.fork() == 0:
        def eat():
            held = mmap.mmap(-1, 300 * MIB)
            for place in range(0, len(held), 4096):
                held[place] = 1
            wait_for_the_end()
        threading.Thread(target=eat).start()
        ctypes.CDLL(None).pthread_exit(None)
    wait_for_the_end()

def children_that_share(_):
    held = b"x" * (100 * MIB)
    until_read, until_write = os.pipe()
    for _ in range(6):
        if os.fork() == 0:
            os.close(until_write)
            os.read(until_read, 1)
            os._exit(0)
    for _ in range(300):
        subprocess.run(["/bin/true"], check=True)
    os.close(until_write)
    for _ in range(6):
        os.wait()
    return len(held)

def shared_memory(_):
    held = b"x" * (110 * MIB)
    if os.fork() == 0:
        more = b"y" * (40 * MIB)
        wait_for_the_end()
    with open("/dev/shm/file", "wb") as file:
        for _ in range(60):
            file.write(bytes(MIB))
    wait_for_the_end()

def wait(_):
    print("here", flush=True)
    input_seen = signal.sigwait([signal.SIGTERM])
    return int(input_seen)
"""


async def _prepared(service: FakeService) -> None:
    assert (await service.prepare("bld_1", {"main.py": SOURCE}))["ok"]


@pytest.mark.parametrize(
    "name",
    ["forked", "started", "mapped", "memory_file", "without_first_thread"],
)
async def test_whoever_has_too_much_is_ended_and_nobody_else(
    tmp_path: Path, sandbox: str, name: str
) -> None:
    async with running_host(tmp_path, sandbox, memory_limit_bytes=LIMIT_MIB << 20) as service:
        await _prepared(service)
        bystander = service.start("bld_1", "main.py:wait")
        await bystander.until(FrameType.LOG)

        exited = await service.start("bld_1", f"main.py:{name}").exited()

        assert (exited["reason"], exited["detail"]) == ("memory", DETAIL)
        assert not bystander.ended.is_set()


async def test_files_of_its_own_shared_memory_count_as_well(
    tmp_path: Path, bubblewrap: str
) -> None:
    async with running_host(tmp_path, bubblewrap, memory_limit_bytes=LIMIT_MIB << 20) as service:
        await _prepared(service)

        exited = await service.start("bld_1", "main.py:shared_memory").exited()

        assert exited["reason"] == "memory"


async def test_what_hides_from_its_session_is_ended_all_the_same(
    tmp_path: Path, sandbox: str, tether: Tether
) -> None:
    """By the zygote, if it happens to notice; else with the whole build."""
    async with running_host(tmp_path, sandbox, memory_limit_bytes=LIMIT_MIB << 20) as service:
        await _prepared(service)

        service.start("bld_1", "main.py:orphaned", tether.port)

        await tether.tied()
        await tether.cut()


async def test_pages_that_children_share_count_once(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox, memory_limit_bytes=LIMIT_MIB << 20) as service:
        await _prepared(service)

        attempt = service.start("bld_1", "main.py:children_that_share")

        assert await attempt.result() == 100 << 20
