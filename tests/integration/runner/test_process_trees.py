"""Nothing that a session starts outlives it, or its host, or the link."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from hookline_runner.frames import FrameType
from hookline_runner.processes import descendants_of
from tests.builders.runner_host import Tether, running_host
from tests.fakes.service_link import FakeService, running_service

# The daemon leaves process group, session and parent behind, and holds on to the tether.
SOURCE = """
import os, signal, socket, subprocess, sys, time

DAEMON = '''
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
tether = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
os.write(1, b"tied")
os.close(1)
time.sleep(600)
'''

def leave_daemon(port):
    process = subprocess.Popen([sys.executable, "-c", DAEMON, str(port)], stdout=subprocess.PIPE)
    return process.stdout.read().decode()

def daemon_and_wait(port):
    leave_daemon(port)
    time.sleep(600)

def daemon_and_die(port):
    leave_daemon(port)
    os.kill(os.getpid(), 9)

def tie(port):
    tether = socket.create_connection(("127.0.0.1", port))
    time.sleep(600)

def hello(_):
    return "hello"

def crowd(_):
    for _ in range(80):
        if os.fork() == 0:
            time.sleep(600)
    time.sleep(600)
"""


def _a_host_of_its_own(home: Path, sandbox: str) -> subprocess.Popen[bytes]:
    """A runner host in a process of its own, so that it can be killed, and can adopt orphans."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.stand_in_host", str(home), sandbox],
        cwd=Path(__file__).parents[3],
    )


async def _prepare(service: FakeService) -> None:
    assert (await service.prepare("bld_1", {"main.py": SOURCE}))["ok"]


async def test_a_daemon_left_behind_by_a_finished_session_dies(
    tmp_path: Path, sandbox: str, tether: Tether
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        attempt = service.start("bld_1", "main.py:leave_daemon", tether.port)

        await tether.tied()
        assert await attempt.result() == "tied"
        await tether.cut()


async def test_a_daemon_dies_with_its_session_when_that_is_stopped(
    tmp_path: Path, sandbox: str, tether: Tether
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        attempt = service.start("bld_1", "main.py:daemon_and_wait", tether.port)
        await tether.tied()

        service.stop(attempt, force=True)

        await tether.cut()
        assert (await attempt.exited())["reason"] == "killed"


async def test_a_daemon_dies_with_its_session_when_that_is_killed(
    tmp_path: Path, sandbox: str, tether: Tether
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        attempt = service.start("bld_1", "main.py:daemon_and_die", tether.port)

        await tether.tied()
        await tether.cut()
        assert (await attempt.exited())["signal"] == 9


async def test_the_loss_of_the_link_ends_every_process(
    tmp_path: Path, sandbox: str, tether: Tether
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        service.start("bld_1", "main.py:daemon_and_wait", tether.port)
        await tether.tied()

        service.drop_link()

        await tether.cut()


def _kill_zygote(host: int) -> None:
    """Kill the first zygote below a host: none of its sessions could."""
    for pid in descendants_of(host):
        program, *arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if program.endswith(b"python") and b"zygote" in arguments:
            os.kill(pid, signal.SIGKILL)
            return
    raise AssertionError("there is no zygote")


async def test_a_killed_zygote_ends_its_attempts_and_the_next_start_gets_a_new_one(
    tmp_path: Path, sandbox: str, tether: Tether
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        attempt = service.start("bld_1", "main.py:tie", tether.port)
        await tether.tied()

        _kill_zygote(os.getpid())

        assert (await attempt.exited())["reason"] == "exited"
        await tether.cut()
        assert await service.start("bld_1", "main.py:hello").result() == "hello"


async def test_a_daemon_dies_also_when_its_zygote_was_killed(
    tmp_path: Path, sandbox: str, tether: Tether
) -> None:
    async with running_service(tmp_path / "s") as service:
        with _a_host_of_its_own(tmp_path, sandbox) as host:
            await service.greeted.wait()
            await _prepare(service)

            attempt = service.start("bld_1", "main.py:daemon_and_wait", tether.port)
            await tether.tied()

            _kill_zygote(host.pid)

            await attempt.exited()
            await tether.cut()
            host.terminate()


async def test_a_killed_host_takes_every_process_with_it(
    tmp_path: Path, sandbox: str, tether: Tether
) -> None:
    async with running_service(tmp_path / "s") as service:
        with _a_host_of_its_own(tmp_path, sandbox) as host:
            await service.greeted.wait()
            await _prepare(service)
            service.start("bld_1", "main.py:daemon_and_wait", tether.port)
            await tether.tied()

            host.kill()

            await tether.cut()


async def test_a_host_told_to_end_leaves_no_process_and_no_working_directory(
    tmp_path: Path, sandbox: str, tether: Tether
) -> None:
    async with running_service(tmp_path / "s") as service:
        with _a_host_of_its_own(tmp_path, sandbox) as host:
            await service.greeted.wait()
            await _prepare(service)
            attempt = service.start("bld_1", "main.py:daemon_and_wait", tether.port)
            await attempt.until(FrameType.STARTED)
            await tether.tied()

            host.terminate()

            await tether.cut()
            await service.host_gone.wait()
        assert host.returncode == 0
        assert list((tmp_path / "runner" / "zygotes").iterdir()) == []


async def test_a_session_that_forks_without_end_is_killed(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox, process_limit=60) as service:
        await _prepare(service)

        attempt = service.start("bld_1", "main.py:crowd")

        exited = await attempt.exited()
        if (
            FrameType.DONE in attempt.kinds()
        ):  # to ordinary users, the kernel refuses the fork itself
            assert attempt.headers(FrameType.DONE)[0]["error"]["type"] == "BlockingIOError"
        else:
            assert exited["reason"] == "killed"
            assert "more than 60 processes" in exited["detail"]
        assert await service.start("bld_1", "main.py:hello").result() == "hello"
