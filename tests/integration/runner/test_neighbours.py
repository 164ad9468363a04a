"""Sessions of one build keep their hands off each other (promise 5). Real bubblewrap, and hostile code on one side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hookline_runner.sandbox import probe_sandbox
from tests.builders.runner_host import Tether, running_host
from tests.fakes.service_link import FakeAttempt, FakeService

_SOURCE = '''
import contextlib, ctypes, errno, mmap, os, resource, shutil, signal, socket, subprocess, sys, time
from multiprocessing import shared_memory

libc = ctypes.CDLL(None, use_errno=True)
CONSTANT = "as deployed"
TARGETS = [pid for pid in range(1, 400) if pid != os.getpid()]

def reached(attempt):
    """The processes on which something was possible."""
    done = []
    for pid in TARGETS:
        with contextlib.suppress(OSError):
            attempt(pid)
            done.append(pid)
    return done

def checked(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")

def wait(_):
    print("waiting", os.getpid(), flush=True)
    while not os.path.exists("go"):
        time.sleep(0.02)
    return [CONSTANT, sorted(os.listdir("."))]

def memory(_):
    return reached(lambda pid: open(f"/proc/{pid}/mem", "rb"))

def environments(_):
    return reached(lambda pid: open(f"/proc/{pid}/environ", "rb").read())

def command_lines(_):
    return reached(lambda pid: open(f"/proc/{pid}/cmdline", "rb").read())

def descriptors(_):
    return reached(lambda pid: os.listdir(f"/proc/{pid}/fd"))

def roots(_):
    return reached(lambda pid: os.listdir(f"/proc/{pid}/root/work"))

def taken_descriptors(_):
    def take(pid):
        descriptor = os.pidfd_open(pid)
        checked(438, descriptor, 3, 0)
    return reached(take)

def traced(_):
    return reached(lambda pid: checked(101, 16, pid, 0, 0))

def read_by_call(_):
    buffer = ctypes.create_string_buffer(64)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 64)
    return reached(lambda pid: checked(310, pid, vector, 1, vector, 1, 0))

def signalled(_):
    return reached(lambda pid: os.kill(pid, signal.SIGSTOP))

def signalled_by_handle(_):
    return reached(lambda pid: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGKILL))

def limited(_):
    return reached(lambda pid: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1)))

def slowed(_):
    return reached(lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 19))

def joined(_):
    return reached(lambda pid: checked(308, os.pidfd_open(pid), 0x20000))

def directories(_):
    found = []
    for directory in ("/work", "/session", "/tmp", "/dev/shm"):
        for place, names, files in os.walk(directory):
            found += [place + "/" + name for name in names + files]
    return sorted(found)

def leave_everywhere(_):
    for place in ("/tmp/left", "/dev/shm/left", os.environ["TMPDIR"] + "/too"):
        open(place, "w").close()
    return sorted(os.listdir("/tmp")) + os.listdir("/dev/shm")

def look(_):
    return sorted(os.listdir("/tmp")) + os.listdir("/dev/shm")

def fill_shared_memory(_):
    try:
        with open("/dev/shm/much", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError as exc:
        return errno.errorcode[exc.errno], os.path.getsize("/dev/shm/much") >> 20

def share_memory(_):
    memory = shared_memory.SharedMemory(create=True, size=1000)
    memory.buf[:3] = b"abc"
    again = shared_memory.SharedMemory(memory.name)
    found = bytes(again.buf[:3]).decode()
    again.close(); memory.close(); memory.unlink()
    return found

def queue(key):
    return libc.msgget(key, 0o1666)

def namespaces(_):
    flags = {"user": 0x10000000, "mount": 0x20000, "network": 0x40000000, "cell": 0x18020000}
    return [name for name, flag in flags.items() if libc.unshare(flag) == 0]

def child_namespaces(_):
    return [flag for flag in (0x10000000, 0x18020000) if libc.syscall(56, flag | 17, 0, 0, 0, 0) >= 0]

def mounts(_):
    made = []
    for kind in (b"tmpfs", b"proc", b"overlay"):
        if libc.mount(kind, b"/tmp", kind, 0, None) == 0:
            made.append(kind.decode())
    if libc.umount2(b"/work", 2) == 0:
        made.append("unmounted")
    return made

def poison(_):
    with open("config.json", "r+") as file:
        file.write("evil")
    os.utime("config.json", ns=(10**18, 10**18))
    return os.stat("config.json").st_mtime_ns

def poison_by_memory(_):
    with open("config.json", "r+b") as file:
        pages = mmap.mmap(file.fileno(), 4)
        pages[:] = b"evil"
    os.utime("config.json", ns=(10**18, 10**18))

def poison_by_name(_):
    shutil.copy("config.json", "other.json")
    with open("other.json", "r+") as file:
        file.write("evil")
    os.utime("other.json", ns=(10**18, 10**18))
    os.rename("other.json", "config.json")

def poison_mode(_):
    os.chmod("config.json", 0o777)
    os.chmod(".", 0)

def close_directories(_):
    os.chmod("/tmp", 0)
    os.chmod(".", 0o500)

def config(_):
    return [open("config.json").read(), oct(os.stat("config.json").st_mode), oct(os.stat(".").st_mode & os.stat("/tmp").st_mode)]

def leave_unreadable(port):
    """A process of a program that may be run and not read."""
    program = shutil.copy(os.path.realpath(sys.executable), "/tmp/program")
    os.chmod(program, 0o111)
    script = (
        "import os, socket, sys, time; os.setsid(); os.fork() and os._exit(0);"
        "tied = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); os.write(1, b'tied'); os.close(1); time.sleep(600)"
    )
    environment = {"PYTHONHOME": sys.base_prefix}
    left = subprocess.Popen([program, "-S", "-c", script, str(port)], stdout=subprocess.PIPE, env=environment)
    return left.stdout.read().decode()

def hide_and_leave(port):
    """A process that does what it can for nobody to find it, and that its parent leaves behind."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        libc.prctl(4, 0, 0, 0, 0)
        os.setsid()
        if os.fork() == 0:
            tied = socket.create_connection(("127.0.0.1", port))
            os.write(writer, b"tied")
            time.sleep(600)
        os._exit(0)
    os.read(reader, 4)
'''
_FILES = {"main.py": _SOURCE, "config.json": "good"}
_REACHING = (
    *("memory", "environments", "command_lines", "descriptors", "roots", "taken_descriptors"),
    *("traced", "read_by_call", "signalled", "signalled_by_handle", "limited", "slowed", "joined"),
)


@pytest.fixture
def walls(tmp_path: Path, bubblewrap: str) -> str:
    """The sandbox's mode, where it has walls between sessions."""
    sandbox = probe_sandbox(bubblewrap, tmp_path)
    missing = {"private", "scoped", "filtered"} - set(sandbox.walls)
    if missing:
        pytest.skip(f"no walls here: {sandbox.description}")
    return bubblewrap


@asynccontextmanager
async def _host(home: Path, mode: str, **settings: Any) -> AsyncIterator[FakeService]:
    async with running_host(home, mode, forks_ahead=1, **settings) as service:
        for build, process in (("bld_1", "fork"), ("bld_2", "reuse")):
            assert (await service.prepare(build, _FILES, process=process))["ok"]
        yield service


def _start(
    service: FakeService, function: str, data: Any = None, mode: str = "fork"
) -> FakeAttempt:
    build = "bld_1" if mode == "fork" else "bld_2"
    return service.start(build, f"main.py:{function}", data, process=mode)


@pytest.mark.slow
async def test_neighbours_and_the_zygote_are_out_of_reach(tmp_path: Path, walls: str) -> None:
    async with _host(tmp_path, walls) as service:
        neighbour = _start(service, "wait")
        while not neighbour.log_lines("stdout"):
            await neighbour.news.wait()

        found = {each: await _start(service, each).result() for each in _REACHING}

        assert found == {each: [] for each in _REACHING}
        assert not neighbour.ended.is_set()
        assert await _start(service, "look").result() == []


async def test_a_session_sees_its_own_directories_alone(tmp_path: Path, walls: str) -> None:
    async with _host(tmp_path, walls) as service:
        _start(service, "wait")

        found = await _start(service, "directories").result()

        own = ["/session/nothing", "/session/project"]
        assert found == sorted([*own, *(f"/session/project/{name}" for name in _FILES)])


@pytest.mark.parametrize("mode", ["fork", "reuse"])
async def test_what_is_left_in_temporary_places_is_gone(
    tmp_path: Path, walls: str, mode: str
) -> None:
    async with _host(tmp_path, walls, has_real_sessions=True) as service:
        left = await _start(service, "leave_everywhere", mode=mode).result()

        seen = [await _start(service, "look", mode=mode).result() for _ in range(3)]

        assert left == ["left", "too", "left"]
        assert seen == [[], [], []]


async def test_shared_memory_is_a_sessions_own_and_limited(tmp_path: Path, walls: str) -> None:
    async with _host(tmp_path, walls, shared_memory_limit_bytes=3 << 20) as service:
        assert await _start(service, "fill_shared_memory").result() == ["ENOSPC", 3]
        assert await _start(service, "share_memory").result() == "abc"


async def test_message_queues_are_a_sessions_own(tmp_path: Path, walls: str) -> None:
    async with _host(tmp_path, walls) as service:
        made = [await _start(service, "queue", 4711).result() for _ in range(2)]

        assert made == [0, 0]


async def test_no_session_makes_namespaces_or_mounts(tmp_path: Path, walls: str) -> None:
    async with _host(tmp_path, walls) as service:
        assert await _start(service, "namespaces").result() == []
        assert await _start(service, "child_namespaces").result() == []
        assert await _start(service, "mounts").result() == []


@pytest.mark.parametrize("mode", ["fork", "reuse"])
@pytest.mark.parametrize(
    "how",
    ["poison", "poison_by_memory", "poison_by_name", "poison_mode", "close_directories"],
)
async def test_what_a_session_does_to_its_files_no_other_sees(
    tmp_path: Path, walls: str, how: str, mode: str
) -> None:
    async with _host(tmp_path, walls) as service:
        for _ in range(4):
            await _start(service, how, mode=mode).exited()

        seen = [await _start(service, "config", mode=mode).result() for _ in range(4)]

        assert seen == [["good", "0o100600", "0o40700"]] * 4


async def test_a_process_that_hides_ends_with_its_session(
    tmp_path: Path, walls: str, tether: Tether
) -> None:
    async with _host(tmp_path, walls) as service:
        await _start(service, "hide_and_leave", tether.port).exited()

        await tether.tied()
        await tether.cut()


async def test_a_process_that_its_zygote_cannot_read_ends_with_its_session(
    tmp_path: Path, walls: str, tether: Tether
) -> None:
    async with _host(tmp_path, walls) as service:
        await _start(service, "leave_unreadable", tether.port).exited()

        await tether.tied()
        await tether.cut()


async def test_where_there_are_no_walls_sessions_run_and_the_host_says_so(
    tmp_path: Path, bubblewrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline_runner.sandbox._ROOT_CAPABILITIES", ())

    async with _host(tmp_path, bubblewrap) as service:
        assert service.hello["sandbox"].startswith(
            "bubblewrap; sessions of one build are not walled off from each other: "
        )
        assert (await _start(service, "config").result())[0] == "good"
        assert await _start(service, "read_by_call").result() == []


async def test_a_sandbox_that_holds_says_no_more_than_its_name(tmp_path: Path, walls: str) -> None:
    async with _host(tmp_path, walls) as service:
        assert service.hello["sandbox"] == "bubblewrap"
