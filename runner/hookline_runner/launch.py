"""Starts a sandbox: with a session keyring of its own, and its filter of system calls on an open descriptor.

Run as ``python -I -S launch.py FILTER BWRAP [ARGUMENT]…``; FILTER may be empty. Keys that a person's login holds (tickets,
passphrases) are inherited by whatever it starts; here that ends. Standard library only, and nothing else of this package.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Sequence

_KEYCTL = {"x86_64": 250, "aarch64": 219}
_JOIN_SESSION_KEYRING = 1


def join_new_keyring() -> None:
    """Leave the inherited session keyring for an anonymous, empty one, where the system has any."""
    number = _KEYCTL.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None).syscall(ctypes.c_long(number), ctypes.c_int(_JOIN_SESSION_KEYRING), None)


def main(arguments: Sequence[str]) -> None:
    """Become the sandbox."""
    program_file, program, *rest = arguments
    join_new_keyring()
    options: list[str] = []
    if program_file:
        descriptor = os.open(program_file, os.O_RDONLY)
        os.set_inheritable(descriptor, True)
        options = ["--seccomp", str(descriptor)]
    os.execv(program, [program, *options, *rest])  # noqa: S606 - this is what it is for


if __name__ == "__main__":
    main(sys.argv[1:])
