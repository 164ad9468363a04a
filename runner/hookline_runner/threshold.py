"""The first program in a zygote's sandbox: does what needs privileges over the sandbox, gives them up for good, and goes on.

Run as ``python -I -S threshold.py COMMAND [ARGUMENT]…`` by the host's own interpreter, as root of the sandbox's user
namespace, before anything of a project is there. COMMAND then runs in a user namespace below it, as an ordinary user without
privileges, to whom the mounts of the sandbox are as unchangeable as they were to bubblewrap. Standard library only, and
nothing else of this package.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence

_USER = 1000
_NEW_USER = 0x1000_0000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_PROGRAMS, _REMOUNT, _BIND = 1, 2, 4, 8, 32, 4096
_LIMITS = "/proc/sys/user"
_INOTIFY_INSTANCES = 64
_PR_CAPBSET_DROP = 24

_libc = ctypes.CDLL(None, use_errno=True)


def main(command: Sequence[str]) -> None:
    """Set the sandbox up and become the command. Raises `OSError`."""
    _open_limits()
    _write(f"{_LIMITS}/max_inotify_instances", str(_INOTIFY_INSTANCES))
    _hide_processes()
    _become_ordinary()
    os.execv(command[0], [*command])  # noqa: S606 - this is what it is for


def _open_limits() -> None:
    """Let namespaces below set the limits on what is in them; they can write to nothing else there."""
    _mount(_LIMITS, _LIMITS, "", _BIND)
    _mount("", _LIMITS, "", _BIND | _REMOUNT | _NO_SUID | _NO_DEVICES | _NO_PROGRAMS)


def _hide_processes() -> None:
    """Show in /proc only processes whose memory one might read."""
    flags = _REMOUNT | _NO_SUID | _NO_DEVICES | _NO_PROGRAMS
    try:
        _mount("", "/proc", "hidepid=4", flags)
    except OSError:  # before Linux 5.8; the group of root is let through there
        _mount("", "/proc", "hidepid=2", flags)


def _become_ordinary() -> None:
    user, group = os.getuid(), os.getgid()
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            break
    if _libc.unshare(_NEW_USER):
        raise _last_error("unshare")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{_USER} {user} 1")
    _write("/proc/self/gid_map", f"{_USER} {group} 1")


def _mount(source: str, target: str, options: str, flags: int) -> None:
    if _libc.mount(source.encode(), target.encode(), b"proc", flags, options.encode() or None):
        raise _last_error(target)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _last_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)


if __name__ == "__main__":
    main(sys.argv[1:])
