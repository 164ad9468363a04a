"""What code in the sandbox may ask of the kernel, and what it learns of the machine. Real bubblewrap, real calls."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hookline_runner.errors import NetworkSettingError, SandboxRequiredError
from hookline_runner.host import make_runtime
from hookline_runner.system_calls import AARCH64, NUMBERS, REFUSED, X86_64
from tests.builders.runner_host import Tether, running_host, some_settings
from tests.fakes.service_link import FakeService

_SOURCE = """
import asyncio, concurrent.futures, ctypes, errno, fcntl, multiprocessing, os, signal, socket, sqlite3
import subprocess, tempfile, threading, time

libc = ctypes.CDLL(None, use_errno=True)

def calls(numbers):
    found = {}
    for name, number in numbers.items():
        result = libc.syscall(number, 0, 0, 0, 0, 0, 0)
        found[name] = errno.errorcode[ctypes.get_errno()] if result < 0 else "done"
    return found

def sockets(kinds):
    found = {}
    for name, kind in kinds.items():
        try:
            socket.socket(*kind).close()
            found[name] = "made"
        except OSError as exc:
            found[name] = errno.errorcode[exc.errno]
    return found

def foreign_call(code):
    \"\"\"Run machine code in a child.\"\"\"
    import mmap
    pages = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    pages.write(bytes.fromhex(code))
    pid = os.fork()
    if pid == 0:
        ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(pages)))()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def connections(port):
    own = socket.create_server(("127.0.0.1", 0))
    found = []
    for place in (("127.0.0.1", port), own.getsockname(), ("192.0.2.1", 9)):
        try:
            socket.create_connection(place, 5).close()
            found.append("own" if place == own.getsockname() else "connected")
        except OSError:
            found.append("refused")
    return found

def lease(_):
    with open("main.py") as file:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as exc:
            return errno.errorcode[exc.errno]

def facts(names):
    found = []
    for name in names:
        try:
            if open("/proc/" + name, "rb").read(1):
                found.append(name)
        except OSError:
            pass
    return found

def inotify(_):
    made = 0
    while libc.inotify_init() >= 0:
        made += 1
    return made

def ordinary_work(_):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        positive = pool.map(abs, range(-4, 1))
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        squares = list(threads.map(pow, range(5), [2] * 5))
    said = subprocess.run(["sh", "-c", "echo $((6 * 7)) | cat"], capture_output=True).stdout.decode()
    with sqlite3.connect("test.db") as database:
        database.execute("create table t (x)")
        database.execute("insert into t values (7)")
        rows = database.execute("select x from t").fetchall()

    async def serve_and_ask():
        async def answer(reader, writer):
            writer.write(await reader.readline())
            writer.close()
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\\n")
            heard = await reader.readline()
            writer.close()
        process = await asyncio.create_subprocess_exec("true")
        return [heard.decode(), await process.wait()]

    names = {kind[4][0] for kind in socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)}
    with tempfile.TemporaryFile() as file:
        os.posix_fallocate(file.fileno(), 0, 100)
        size = os.fstat(file.fileno()).st_size
    lock = multiprocessing.get_context("fork").Lock()
    with lock:
        locked = True
    os.nice(1)
    return [positive, squares, said, rows, asyncio.run(serve_and_ask()), "127.0.0.1" in names, size, locked]
"""
_COLUMN = {"x86_64": X86_64, "aarch64": AARCH64}
_KINDS = {
    "unix": (1, 1, 0),
    "internet": (2, 1, 0),
    "datagrams of version 6": (10, 2, 0),
    "names": (16, 3, 0),
    "netfilter": (16, 3, 12),
    "audit": (16, 3, 9),
    "packets": (17, 3, 0),
    "raw": (2, 3, 1),
    "multipath": (2, 1, 262),
    "machines": (40, 1, 0),
    "kernel crypto": (38, 5, 0),
}
_FACTS = [
    "slabinfo",
    "vmallocinfo",
    "timer_list",
    "config.gz",
    "cmdline",
    "kallsyms",
    "modules",
    "keys",
]


@pytest.fixture
def column() -> int:
    if platform.machine() not in _COLUMN:
        pytest.skip("the calls of this machine are not known")
    return _COLUMN[platform.machine()]


async def _ask(home: Path, mode: str, function: str, data: Any = None) -> Any:
    async with running_host(home, mode) as service:
        await _prepare(service)
        return await service.start("bld_1", f"main.py:{function}", data).result()


async def _prepare(service: FakeService) -> None:
    assert (await service.prepare("bld_1", {"main.py": _SOURCE}))["ok"]


async def test_calls_that_reach_beyond_the_session_are_refused(
    tmp_path: Path, bubblewrap: str, column: int
) -> None:
    numbers = {name: NUMBERS[name][column] for name in REFUSED - {"mount"}}  # asks who one is
    asked = {name: number for name, number in numbers.items() if number is not None}

    found = await _ask(tmp_path, bubblewrap, "calls", asked)

    assert set(found.values()) == {"EPERM"}


def test_keys_of_a_login_are_left_behind(column: int) -> None:
    add, ask = (NUMBERS[name][column] for name in ("add_key", "keyctl"))
    script = f"""
import ctypes
from hookline_runner.launch import join_new_keyring
libc = ctypes.CDLL(None)
def find():
    return libc.syscall({ask}, 10, ctypes.c_int(-3), b"user", b"ticket", 0) > 0
join_new_keyring()
assert libc.syscall({add}, b"user", b"ticket", b"secret", 6, ctypes.c_int(-3)) > 0 and find()
join_new_keyring()
print(find())
"""

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)

    if b"AssertionError" in done.stderr:
        pytest.skip("this system keeps no keys")
    assert done.stdout == b"False\n", done.stderr


async def test_without_a_network_there_is_a_loopback_of_ones_own(
    tmp_path: Path, bubblewrap: str, tether: Tether
) -> None:
    async with running_host(tmp_path, bubblewrap, network="none") as service:
        await _prepare(service)

        found = await service.start("bld_1", "main.py:connections", tether.port).result()

    assert found == ["refused", "own", "refused"]


async def test_without_a_sandbox_no_network_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(SandboxRequiredError, match="HOOKLINE_RUNNER_NETWORK=none"):
        make_runtime(some_settings(tmp_path, "off", network="none"))
    with pytest.raises(NetworkSettingError, match="host or none"):
        make_runtime(some_settings(tmp_path, "off", network="some"))


async def test_calls_newer_than_what_is_known_do_not_exist(tmp_path: Path, bubblewrap: str) -> None:
    found = await _ask(tmp_path, bubblewrap, "calls", {str(n): n for n in (435, 457, 470, 999)})

    assert set(found.values()) == {"ENOSYS"}


async def test_sockets_are_of_the_usual_kinds(tmp_path: Path, bubblewrap: str) -> None:
    found = await _ask(tmp_path, bubblewrap, "sockets", _KINDS)

    made = {name for name, what in found.items() if what == "made"}
    assert made == {"unix", "internet", "datagrams of version 6", "names"}


async def test_calls_of_another_architecture_end_the_process(
    tmp_path: Path, bubblewrap: str
) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("machine code for x86_64")
    getpid_of_32_bits, getpid_of_x32 = "b814000000cd80c3", "b8270000400f05c3"

    async with running_host(tmp_path, bubblewrap) as service:
        await _prepare(service)
        ends = [
            await service.start("bld_1", "main.py:foreign_call", code).result()
            for code in (getpid_of_32_bits, getpid_of_x32)
        ]

    assert ends == [-31, -31]


async def test_what_tells_of_the_machine_is_hidden(tmp_path: Path, bubblewrap: str) -> None:
    assert await _ask(tmp_path, bubblewrap, "facts", _FACTS) == []


async def test_a_session_takes_no_leases_and_few_instances_of_inotify(
    tmp_path: Path, bubblewrap: str
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        await _prepare(service)

        assert await service.start("bld_1", "main.py:lease").result() == "EPERM"
        assert await service.start("bld_1", "main.py:inotify").result() <= 16


async def test_ordinary_programs_notice_nothing(tmp_path: Path, bubblewrap: str) -> None:
    found = await _ask(tmp_path, bubblewrap, "ordinary_work")

    assert found == [
        [4, 3, 2, 1, 0],
        [0, 1, 4, 9, 16],
        "42\n",
        [[7]],
        ["hello\n", 0],
        True,
        100,
        True,
    ]
