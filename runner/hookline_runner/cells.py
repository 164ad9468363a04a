"""The walls round one session's processes, against other sessions of the same build and their zygote.

A session's process walls itself in, right after the fork and before any code of the project runs. As a *private* cell it
gets a user, mount and IPC namespace of its own: it sees its own working directory, /tmp and /dev/shm and nobody else's, and
neither reads the memory of processes outside nor takes their descriptors. A Landlock domain, where the kernel has that,
keeps it from sending them signals and from connecting to their abstract sockets. Standard library only, and nothing else of
this package: as a program it tells which walls hold here.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Container, Sequence
from typing import Final

PRIVATE: Final = "private"
SCOPED: Final = "scoped"
PROJECT_PLACE: Final = "/session/project"
TEMPORARY_PLACE: Final = "/tmp"  # noqa: S108 - a session's own
_MASK_PLACE: Final = "/session/nothing"
PLACES: Final = (PROJECT_PLACE, _MASK_PLACE)
"""Directories that must be there for it."""

SHARED_MEMORY_PLACE: Final = "/dev/shm"  # noqa: S108 - as above
_INOTIFY_INSTANCES = 16
_MAX_SHARED_FILES = 4096

_NEW_CELL = 0x1000_0000 | 0x0002_0000 | 0x0800_0000  # user, mount and IPC namespace
_BIND, _NO_SUID_NO_DEVICES = 4096, 6
_RULESET_CREATE, _RULESET_ENTER = 444, 446  # alike on all machines
_ONLY_VERSION = 1
_SCOPES_SINCE = 6
_NO_ABSTRACT_SOCKETS_NO_SIGNALS = 3
_CAPABILITIES_VERSION = 0x2008_0522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class Cells:
    """Walls for session processes.

    Args:
        walls: those that hold here; a session that cannot have one of them does not start.
        work_dir: holds the working directories of all sessions.
        shared_memory_bytes: how much a session may keep in /dev/shm.
    """

    __slots__ = ("_is_private", "_is_scoped", "_shared_memory", "_work_dir")

    def __init__(self, *, walls: Container[str], work_dir: str, shared_memory_bytes: int) -> None:
        self._is_private = PRIVATE in walls
        self._is_scoped = SCOPED in walls
        self._work_dir = work_dir.encode()
        options = f"size={shared_memory_bytes},nr_inodes={_MAX_SHARED_FILES},mode=1777"
        self._shared_memory = options.encode()

    @property
    def is_private(self) -> bool:
        """Whether a session sees no directory of another."""
        return self._is_private

    def enter(self, directory: str) -> tuple[str, str]:
        """Wall this process in, with a working directory that holds `project` and `tmp`.

        Returns:
            The paths of both from now on.

        Raises:
            OSError: a wall that ought to hold does not.
        """
        project, temporary = directory + "/project", directory + "/tmp"  # noqa: S108 - its own
        if self._is_private:
            user, group = os.getuid(), os.getgid()
            _check(_libc.unshare(_NEW_CELL), "unshare")
            _write("/proc/self/setgroups", b"deny")
            _write("/proc/self/uid_map", b"%d %d 1" % (user, user))
            _write("/proc/self/gid_map", b"%d %d 1" % (group, group))
            self._mount_own(project, temporary)
            _write("/proc/sys/user/max_user_namespaces", b"0")
            _write("/proc/sys/user/max_inotify_instances", b"%d" % _INOTIFY_INSTANCES)
            project, temporary = PROJECT_PLACE, TEMPORARY_PLACE
        if self._is_scoped:
            _enter_domain()
        if self._is_private:
            _drop_capabilities()
        return project, temporary

    def _mount_own(self, project: str, temporary: str) -> None:
        for source, target in ((project, PROJECT_PLACE), (temporary, TEMPORARY_PLACE)):
            _check(_libc.mount(source.encode(), target.encode(), None, _BIND, None), target)
        _check(_libc.mount(_MASK_PLACE.encode(), self._work_dir, None, _BIND, None), "mask")
        place, flags = SHARED_MEMORY_PLACE.encode(), _NO_SUID_NO_DEVICES
        _check(_libc.mount(b"tmpfs", place, b"tmpfs", flags, self._shared_memory), "/dev/shm")  # noqa: S108


def has_scopes() -> bool:
    """Whether the kernel's Landlock keeps signals and abstract sockets in."""
    version = _libc.syscall(_RULESET_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_ONLY_VERSION))
    return version >= _SCOPES_SINCE


def _enter_domain() -> None:
    rules = (ctypes.c_uint64 * 3)(0, 0, _NO_ABSTRACT_SOCKETS_NO_SIGNALS)
    size = ctypes.c_size_t(ctypes.sizeof(rules))
    ruleset = _libc.syscall(_RULESET_CREATE, ctypes.byref(rules), size, ctypes.c_uint(0))
    _check(min(ruleset, 0), "landlock_create_ruleset")
    _check(
        _libc.syscall(_RULESET_ENTER, ctypes.c_int(ruleset), ctypes.c_uint(0)),
        "landlock_restrict_self",
    )
    os.close(ruleset)


def _drop_capabilities() -> None:
    head = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(ctypes.byref(head), ctypes.byref(none)), "capset")


def _write(path: str, text: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text)
    finally:
        os.close(descriptor)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def main(arguments: Sequence[str]) -> int:
    """Try the walls of a session out and print the names of those that hold. Raises `OSError`.

    Args:
        arguments: a directory for working directories; without one, only what needs no namespaces is tried.
    """
    walls = [SCOPED] if has_scopes() else []
    if arguments:
        (work_dir,) = arguments
        walls = [PRIVATE, *walls]
        for name in ("", "/project", "/tmp"):  # noqa: S108 - a session's own
            os.makedirs(f"{work_dir}/probe{name}", exist_ok=True)  # noqa: PTH103 - no Path objects in sessions
        Cells(walls=walls, work_dir=work_dir, shared_memory_bytes=1 << 20).enter(
            work_dir + "/probe"
        )
    os.write(1, " ".join(walls).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
