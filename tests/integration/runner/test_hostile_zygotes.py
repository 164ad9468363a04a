"""A zygote runs what a project's packages do when they are imported; the host believes it nothing."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from hookline_runner.session_process import SessionProcess
from tests.builders.runner_host import running_host
from tests.builders.wheels import a_wheel
from tests.fakes.service_link import FakeService

_HELLO = "def hello(_):\n    return 'hello'\n"
_START = """
import os, socket, sys, time
if "zygote" in sys.orig_argv:
    control = socket.socket(fileno=int(sys.orig_argv[-1]))
    control.recv(200_000)
    def send_child(number):
        one, other = socket.socketpair()
        outputs, errors = os.pipe(), os.pipe()
        for descriptor in (one.fileno(), outputs[0], errors[0]):
            os.set_blocking(descriptor, True)
        kept.append((one, other, outputs, errors))
        socket.send_fds(control, [b"child %d 1" % number], [one.fileno(), outputs[0], errors[0]])
    kept = []
"""
_ATTACKS = {
    "dies when it is ready": "control.send(b'ready'); os._exit(0)",
    "blames threads for ever": "control.send(b'threads nothing'); time.sleep(100)",
    "is never warm": "control.send(b'cold'); time.sleep(100)",
    "never forks": "control.send(b'ready'); time.sleep(100)",
    "forks unasked": "send_child(1); time.sleep(100)",
    "forks without end": "control.send(b'ready')\n    for n in range(9999): send_child(n)",
    "sends a process twice": "control.send(b'ready'); send_child(1); send_child(1); time.sleep(100)",
    "sends files for pipes": (
        "control.send(b'ready')\n"
        "    socket.send_fds(control, [b'child 1 1'], [os.open('/dev/zero', 0) for _ in range(3)])\n"
        "    time.sleep(100)"
    ),
    "sends a file for the socket": (
        "control.send(b'ready')\n"
        "    outputs, errors = os.pipe(), os.pipe()\n"
        "    ends = [os.open('/dev/null', 0), outputs[0], errors[0]]\n"
        "    socket.send_fds(control, [b'child 1 1'], ends); time.sleep(100)"
    ),
    "sends a listening socket": (
        "control.send(b'ready')\n"
        "    outputs, errors = os.pipe(), os.pipe()\n"
        "    lazy = socket.socket(socket.AF_UNIX); lazy.bind('\\0lazy'); lazy.listen()\n"
        "    ends = [lazy.fileno(), outputs[0], errors[0]]\n"
        "    socket.send_fds(control, [b'child 1 1'], ends); time.sleep(100)"
    ),
    "gives back what is in use": (
        "control.send(b'ready'); send_child(1); time.sleep(0.3)\n"
        "    control.send(b'refreshed 1'); time.sleep(100)"
    ),
    "gives up what is in use": (
        "control.send(b'ready'); send_child(1); time.sleep(0.3)\n"
        "    control.send(b'left 1'); time.sleep(100)"
    ),
    "is cold late": "control.send(b'ready'); send_child(1); control.send(b'cold'); time.sleep(100)",
    "blames threads late": (
        "control.send(b'ready'); send_child(1); control.send(b'threads json'); time.sleep(100)"
    ),
    "ends with a huge status": (
        "control.send(b'ready'); send_child(1)\n"
        "    control.send(b'exit 1 ' + b'9' * 3000 + b' -'); time.sleep(100)"
    ),
}


async def _prepare(service: FakeService, tmp_path: Path, attack: str) -> None:
    a_wheel(
        tmp_path / "wheels",
        "evil",
        {"evil.py": f"{_START}    {attack}\n", "evil.pth": "import evil\n"},
    )
    assert (await service.prepare("bld_1", {"main.py": _HELLO}, requirements="evil\n"))["ok"]
    assert (await service.prepare("bld_2", {"main.py": _HELLO}))["ok"]


@pytest.mark.slow
@pytest.mark.parametrize("attack", _ATTACKS.values(), ids=_ATTACKS.keys())
async def test_a_hostile_zygote_ends_its_own_attempts_alone(
    tmp_path: Path, bubblewrap: str, attack: str
) -> None:
    variables = {"PATH": os.defpath, "UV_OFFLINE": "1", "UV_FIND_LINKS": str(tmp_path / "wheels")}
    settings = {"install_environment": variables, "zygote_start_timeout_s": 1.0}
    async with running_host(tmp_path, bubblewrap, **settings) as service:
        await _prepare(service, tmp_path, attack)

        hostile = service.start("bld_1", "main.py:hello")
        other = service.start("bld_2", "main.py:hello")

        assert await other.result() == "hello"
        assert (await hostile.exited())["reason"] in {"start_failed", "exited"}
        assert await service.start("bld_2", "main.py:hello").result() == "hello"


def test_ends_of_a_process_that_are_none_leave_no_descriptor_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))

    for make in (_a_file, _a_listener, _a_datagram_socket, _a_lone_socket, _a_file_for_a_pipe):
        for _ in range(100):
            with pytest.raises(OSError, match=r"descriptors|kind|connected|Permission"):
                asyncio.run(_take(make()))

    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def _take(descriptors: tuple[int, int, int]) -> None:
    SessionProcess(1, descriptors, directory=1)


def _two_pipes() -> tuple[int, int]:
    pairs = os.pipe(), os.pipe()
    for _, write_end in pairs:
        os.close(write_end)
    return pairs[0][0], pairs[1][0]


def _a_file() -> tuple[int, int, int]:
    return os.open("/dev/null", os.O_RDONLY), *_two_pipes()


def _a_file_for_a_pipe() -> tuple[int, int, int]:
    one, other = socket.socketpair()
    other.close()
    stdout, unused = _two_pipes()
    os.close(unused)
    return one.detach(), stdout, os.open("/dev/null", os.O_WRONLY)


def _a_lone_socket() -> tuple[int, int, int]:
    return socket.socket(socket.AF_UNIX).detach(), *_two_pipes()


def _a_listener() -> tuple[int, int, int]:
    listener = socket.socket(socket.AF_INET)
    listener.listen()
    return listener.detach(), *_two_pipes()


def _a_datagram_socket() -> tuple[int, int, int]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    other.close()
    return one.detach(), *_two_pipes()


async def test_reading_from_what_a_hostile_zygote_can_make_block_never_blocks(
    tmp_path: Path, bubblewrap: str
) -> None:
    attack = (
        "control.send(b'ready'); control.recv(100); send_child(1)\n"
        "    while True:\n"
        "        for one, other, outputs, errors in kept:\n"
        "            for descriptor in (one.fileno(), outputs[0], errors[0]):\n"
        "                os.set_blocking(descriptor, True)\n"
        "            other.send(b'x'); os.write(outputs[1], b'x'); os.write(errors[1], b'x')\n"
    )
    variables = {"PATH": os.defpath, "UV_OFFLINE": "1", "UV_FIND_LINKS": str(tmp_path / "wheels")}
    async with running_host(tmp_path, bubblewrap, install_environment=variables) as service:
        await _prepare(service, tmp_path, attack)

        service.start("bld_1", "main.py:hello")

        for _ in range(5):
            assert await service.start("bld_2", "main.py:hello").result() == "hello"
