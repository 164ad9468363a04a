"""A process that is kept from reaching outside, by Python's audit events: no network, no other programs, no writing.

It keeps well-meant code from doing in a replay what it does in earnest. It is no wall against code that wants out.
Standard library only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_DEVICES: Final = ("/dev/null", "/dev/tty")
_FORBIDDEN: Final = frozenset(
    {
        *("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"),
        *("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"),
        *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"),
        *("os.fork", "os.forkpty", "pty.spawn"),
    }
)
# Events about paths, and how many of their first arguments are some.
_PATHS: Final = {
    **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod"), 1),
    **dict.fromkeys(("os.chown", "os.utime", "os.setxattr", "os.removexattr"), 1),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), 2),
    "sqlite3.connect": 1,
}


class OutsideCallError(PermissionError):
    """In a replay nothing outside is reached."""

    def __init__(self, event: str, target: object) -> None:
        super().__init__(
            f"a replay reaches nothing outside, and this would ({event} {target!r:.200}); it was not recorded, "
            "and --unrecorded lets it happen"
        )


def contain(writable: Sequence[str]) -> None:
    """From now on, and for good, refuse what reaches outside; files may be written below these directories.

    What is refused raises `OutsideCallError`, which is an `OSError`, so that libraries that can do without do.
    """
    roots = tuple(f"{os.path.realpath(path)}/" for path in writable)
    sys.dont_write_bytecode = True

    def is_ours(path: object) -> bool:
        if isinstance(path, int) or path in {":memory:", b":memory:"}:
            return True
        place = os.path.realpath(os.fsdecode(path))  # pyright: ignore[reportArgumentType] - a path, as the event says
        return place in _DEVICES or f"{place}/".startswith(roots)

    def judge(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if (flags or 0) & _WRITING and not is_ours(path):
                raise OutsideCallError("open to write", path)
        elif event in _FORBIDDEN:
            raise OutsideCallError(event, arguments)
        elif event in _PATHS:
            for path in arguments[: _PATHS[event]]:
                if not is_ours(path):
                    raise OutsideCallError(event, path)

    sys.addaudithook(judge)
