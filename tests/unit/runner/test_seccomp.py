"""Filters of system calls, run here instruction by instruction as the kernel would."""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from hookline_runner.seccomp import NEW_CELL, NEW_USER, Filter, build_filter
from hookline_runner.system_calls import AARCH64, NUMBERS, REFUSED, X86_64

_MACHINES = {"x86_64": (X86_64, 0xC000_003E), "aarch64": (AARCH64, 0xC000_00B7)}
_ALLOW, _KILL = 0x7FFF_0000, 0x8000_0000


def _judge(
    kind: Filter, machine: str, call: str | int, arguments: Sequence[int] = (), arch: int = 0
) -> str:
    """What becomes of a call: "allow", "kill" or the name of an error."""
    column, architecture = _MACHINES[machine]
    number = call if isinstance(call, int) else NUMBERS[call][column]
    assert number is not None
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, arch or architecture, 0, *padded)
    verdict = _run(build_filter(kind, machine), data)
    if verdict in {_ALLOW, _KILL}:
        return "allow" if verdict == _ALLOW else "kill"
    code = verdict & 0xFFFF
    return errno.errorcode[code] if code else "pretended"


def _run(program: bytes, data: bytes) -> int:
    value, at = 0, 0
    while True:
        code, on_true, on_false, operand = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, operand)
        elif code == 0x54:
            value &= operand
        elif code == 0x06:
            return operand
        else:
            holds = {0x15: value == operand, 0x25: value > operand, 0x45: bool(value & operand)}
            at += on_true if holds[code] else on_false


_CASES: list[tuple[Filter, str | int, Sequence[int], str]] = [
    *((Filter.ORDINARY, name, (), "EPERM") for name in sorted(REFUSED)),
    (Filter.ORDINARY, "clone3", (), "ENOSYS"),
    (Filter.ORDINARY, 457, (), "ENOSYS"),
    (Filter.ORDINARY, "clone", (0x0100_0011,), "allow"),
    (Filter.ORDINARY, "clone", (0x1000_0011,), "EPERM"),
    (Filter.ORDINARY, "unshare", (0x400,), "allow"),
    (Filter.ORDINARY, "unshare", (NEW_CELL,), "EPERM"),
    (Filter.ZYGOTE, "unshare", (NEW_CELL,), "allow"),
    (Filter.ZYGOTE, "unshare", (NEW_USER,), "allow"),
    (Filter.ZYGOTE, "unshare", (NEW_CELL | 0x4000_0000,), "EPERM"),
    (Filter.ZYGOTE, "mount", (), "allow"),
    (Filter.ZYGOTE, "umount2", (), "EPERM"),
    (Filter.ZYGOTE, "io_uring_setup", (), "allow"),
    (Filter.ZYGOTE, "io_uring_enter", (), "EPERM"),
    (Filter.SESSION, "io_uring_setup", (), "EPERM"),
    (Filter.SESSION, "prctl", (4, 0), "pretended"),
    (Filter.SESSION, "prctl", (4, 1), "allow"),
    (Filter.SESSION, "prctl", (15, 0), "allow"),
    (Filter.ORDINARY, "socket", (1, 2, 0), "allow"),
    (Filter.ORDINARY, "socket", (2, 0x80001, 6), "allow"),
    (Filter.ORDINARY, "socket", (10, 0x80003, 1), "EPERM"),
    (Filter.ORDINARY, "socket", (2, 1, 262), "EPROTONOSUPPORT"),
    (Filter.ORDINARY, "socket", (16, 3, 0), "allow"),
    (Filter.ORDINARY, "socket", (16, 3, 12), "EPERM"),
    (Filter.ORDINARY, "socket", (40, 1, 0), "EAFNOSUPPORT"),
    (Filter.ORDINARY, "personality", (0xFFFF_FFFF,), "allow"),
    (Filter.ORDINARY, "personality", (0x0040_0000,), "EPERM"),
    (Filter.ORDINARY, "ioctl", (0, 0x5401), "allow"),
    (Filter.ORDINARY, "ioctl", (0, 0x5412), "EPERM"),
    (Filter.ORDINARY, "ioctl", (0, 0x1_0000_5412), "EPERM"),
    (Filter.ORDINARY, "fcntl", (0, 1024), "EPERM"),
    (Filter.ORDINARY, "fcntl", (0, 1030), "allow"),
    (Filter.ORDINARY, "prlimit64", (0, 7), "allow"),
    (Filter.ORDINARY, "prlimit64", (12, 7), "EPERM"),
    (Filter.ORDINARY, "setpriority", (0, 0, 5), "allow"),
    (Filter.ORDINARY, "setpriority", (0, 9, 5), "EPERM"),
    (Filter.ORDINARY, "setpriority", (2, 0, 5), "EPERM"),
    (Filter.ORDINARY, "ioprio_set", (1, 0), "allow"),
    (Filter.ORDINARY, "ioprio_set", (3, 0), "EPERM"),
    (Filter.ORDINARY, 0, (), "allow"),
]


@pytest.mark.parametrize("machine", _MACHINES)
def test_each_call_is_judged_as_it_should_be(machine: str) -> None:
    column = _MACHINES[machine][0]
    cases = [case for case in _CASES if isinstance(case[1], int) or NUMBERS[case[1]][column]]

    wrong = [case for case in cases if _judge(case[0], machine, *case[1:3]) != case[3]]

    assert wrong == []


@pytest.mark.parametrize("kind", Filter)
@pytest.mark.parametrize("machine", _MACHINES)
def test_calls_of_another_architecture_are_the_end(kind: Filter, machine: str) -> None:
    assert _judge(kind, machine, 0, arch=0x4000_0003) == "kill"


def test_calls_by_the_numbers_of_x32_are_the_end() -> None:
    assert _judge(Filter.ZYGOTE, "x86_64", 0x4000_0000) == "kill"


def test_there_is_no_filter_for_a_machine_whose_calls_are_not_known() -> None:
    assert build_filter(Filter.ORDINARY, "riscv64") == b""


@pytest.mark.parametrize(
    ("column", "header"),
    [
        (X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        (AARCH64, "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_numbers_are_those_of_the_system(column: int, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"there is no {header}")
    words = [line.split() for line in Path(header).read_text().splitlines()]
    known = {
        line[1].removeprefix("__NR_").removeprefix("__NR3264_"): int(line[2])
        for line in words
        if len(line) == 3 and line[1].startswith("__NR") and line[2].isdigit()
    }

    wrong = {
        name: numbers[column]
        for name, numbers in NUMBERS.items()
        if name in known and numbers[column] != known[name]
    }

    assert wrong == {}
