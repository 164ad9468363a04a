"""The filters of system calls that code in the sandbox lives under, as programs for the kernel.

A program is assembled here instruction by instruction, for no library that does it can be installed by itself: all want
libseccomp. Each rule is a check of the call's number followed by what becomes of it. Standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from hookline_runner.system_calls import (
    AARCH64,
    NEWEST,
    NUMBERS,
    REFUSED,
    X86_64,
    ZYGOTES,
)

FILTERED: Final = "filtered"
"""The wall that filters are, by name."""

Instructions = list[tuple[int, int, int, int]]
"""Code, steps to skip if the check holds, steps to skip if not, operand."""

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_GREATER, _IF_ANY_BIT = 0x15, 0x25, 0x45
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _KILL, _FAIL = 0x7FFF_0000, 0x8000_0000, 0x0005_0000
_X32 = 0x4000_0000
_MACHINES: Final = {"x86_64": (X86_64, 0xC000_003E), "aarch64": (AARCH64, 0xC000_00B7)}

_NEW_NAMESPACES = 0x7E02_0080  # every CLONE_NEW…
NEW_USER = 0x1000_0000
NEW_CELL = NEW_USER | 0x0002_0000 | 0x0800_0000  # user, mount and IPC namespace
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_SOCKET_KIND, _SOCK_RAW, _SOCK_PACKET = 0xF, 3, 10
_MULTIPATH_TCP = 262
_SAME_PERSONALITY = 0xFFFF_FFFF
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_F_SETLEASE = 1024
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


class Filter(StrEnum):
    """Whom a filter is for."""

    ORDINARY = "ordinary"  # installs, preparation: whatever is not a zygote
    ZYGOTE = "zygote"  # forks sessions, which inherit it
    SESSION = "session"  # what a zygote adds to its own before it forks the first of them


def build_filter(kind: Filter, machine: str = "") -> bytes:
    """The program; empty where the machine's calls are not known here.

    Args:
        kind: whom it is for.
        machine: as `platform.machine` says it; this one if empty.
    """
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return b""
    column, architecture = known
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    rules = _session_rules(column) if kind is Filter.SESSION else _all_rules(kind, column)
    program += [*rules, (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def install(program: bytes) -> bool:
    """Put this process, and what it forks, under a filter for good; false if the system does not do it."""
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(instructions))
    return not libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.create_string_buffer(head), 0, 0)


def _all_rules(kind: Filter, column: int) -> Instructions:
    is_zygote = kind is Filter.ZYGOTE
    rules: Instructions = []
    if column == X86_64:
        rules += [(_IF_GREATER, 0, 1, _X32 - 1), (_RETURN, 0, 0, _KILL)]
    rules += [(_IF_GREATER, 0, 1, NEWEST), *_fail(errno.ENOSYS)]
    refused = REFUSED - ZYGOTES if is_zygote else REFUSED
    for name in sorted(refused):
        rules += _on(name, column, _fail(errno.EPERM))
    rules += _on("clone3", column, _fail(errno.ENOSYS))  # its flags cannot be seen; `clone` follows
    rules += _on("clone", column, _refuse_bits(0, _NEW_NAMESPACES))
    cells = [*_allow_values(0, (NEW_CELL, NEW_USER))] if is_zygote else []
    rules += _on("unshare", column, [*cells, *_refuse_bits(0, _NEW_NAMESPACES)])
    rules += _on("socket", column, _check_socket())
    rules += _on("personality", column, [*_allow_values(0, (0, _SAME_PERSONALITY)), *_fail()])
    rules += _on("ioctl", column, _refuse_values(1, (_TIOCSTI, _TIOCLINUX)))
    rules += _on("fcntl", column, _refuse_values(1, (_F_SETLEASE,)))
    for name in ("prlimit64", "sched_setattr", "sched_setparam", "sched_setscheduler"):
        rules += _on(name, column, [*_allow_values(0, (0,)), *_fail()])  # its own alone
    for name, which in (("setpriority", 0), ("ioprio_set", 1)):
        itself = [*_allow_values(1, (0,)), *_fail()]
        rules += _on(
            name, column, [(_LOAD, 0, 0, _argument(0)), *_if_equal(which, itself), *_fail()]
        )
    return rules


def _session_rules(column: int) -> Instructions:
    rules: Instructions = []
    for name in sorted(ZYGOTES - {"mount"}):
        rules += _on(name, column, _fail(errno.EPERM))
    # The zygote looks through its sessions' children, and could not if one made itself invisible: that is not done.
    undone = [(_LOAD, 0, 0, _argument(1)), *_if_equal(0, _fail(0)), (_RETURN, 0, 0, _ALLOW)]
    dumpable = [(_LOAD, 0, 0, _argument(0)), *_if_equal(_PR_SET_DUMPABLE, undone)]
    return rules + _on("prctl", column, [*dumpable, (_RETURN, 0, 0, _ALLOW)])


def _check_socket() -> Instructions:
    """Unix and internet sockets of the usual kinds, and the netlink socket by which names are looked up."""
    internet = [
        (_LOAD, 0, 0, _argument(1)),
        (_AND, 0, 0, _SOCKET_KIND),
        *_if_equal(_SOCK_RAW, _fail()),
        *_if_equal(_SOCK_PACKET, _fail()),
        (_LOAD, 0, 0, _argument(2)),
        *_if_equal(_MULTIPATH_TCP, _fail(errno.EPROTONOSUPPORT)),
        (_RETURN, 0, 0, _ALLOW),
    ]
    routes = [*_allow_values(2, (0,)), *_fail()]
    return [
        *_allow_values(0, (_AF_UNIX,)),
        *_if_equal(_AF_INET, internet),
        *_if_equal(_AF_INET6, internet),
        *_if_equal(_AF_NETLINK, routes),
        *_fail(errno.EAFNOSUPPORT),
    ]


def _on(name: str, column: int, then: Instructions) -> Instructions:
    """What becomes of one call; `then` must end in a return."""
    number = NUMBERS[name][column]
    return [] if number is None else _if_equal(number, then)


def _if_equal(value: int, then: Instructions) -> Instructions:
    return [(_IF_EQUAL, 0, len(then), value), *then]


def _allow_values(argument: int, values: Iterable[int]) -> Instructions:
    checks = (_if_equal(value, [(_RETURN, 0, 0, _ALLOW)]) for value in values)
    return [(_LOAD, 0, 0, _argument(argument)), *(step for check in checks for step in check)]


def _refuse_values(argument: int, values: Iterable[int]) -> Instructions:
    checks = (_if_equal(value, _fail()) for value in values)
    steps = [step for check in checks for step in check]
    return [(_LOAD, 0, 0, _argument(argument)), *steps, (_RETURN, 0, 0, _ALLOW)]


def _refuse_bits(argument: int, bits: int) -> Instructions:
    return [
        (_LOAD, 0, 0, _argument(argument)),
        (_IF_ANY_BIT, 0, 1, bits),
        *_fail(),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _fail(number: int = errno.EPERM) -> Instructions:
    return [(_RETURN, 0, 0, _FAIL | number)]


def _argument(index: int) -> int:
    """Where the lower half of an argument stands; none that is checked uses the upper one."""
    return _ARGUMENTS_AT + 8 * index
