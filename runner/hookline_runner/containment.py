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
# Events about paths: where in the arguments a path stands, and the directory that it may be relative to.
_PATHS: Final[dict[str, tuple[tuple[int, int | None], ...]]] = {
    **dict.fromkeys(("os.remove", "os.rmdir", "shutil.rmtree"), ((0, 1),)),
    **dict.fromkeys(("os.mkdir", "os.chmod"), ((0, 2),)),
    **dict.fromkeys(("os.chown", "os.utime"), ((0, 3),)),
    **dict.fromkeys(("os.rename", "os.link"), ((0, 2), (1, 3))),
    "os.symlink": ((1, 2),),
    **dict.fromkeys(("os.truncate", "os.setxattr", "os.removexattr"), ((0, None),)),
    "sqlite3.connect": ((0, None),),
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

    def judge(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _FORBIDDEN:
            raise OutsideCallError(event, arguments)
        for path, directory in _written(event, arguments):
            if not _is_below(roots, path, directory):
                raise OutsideCallError("open to write" if event == "open" else event, path)

    sys.addaudithook(judge)


def _written(event: str, arguments: tuple[Any, ...]) -> list[tuple[Any, object]]:
    """Paths that this changes, each with the descriptor of the directory that it is relative to, if there is one."""
    if event == "open":
        path, _, flags = arguments
        return [(path, None)] if (flags or 0) & _WRITING else []
    places = _PATHS.get(event, ())
    known: tuple[Any, ...] = (*arguments, None, None, None)
    return [(known[at], None if base is None else known[base]) for at, base in places]


def _is_below(roots: tuple[str, ...], path: Any, directory: object) -> bool:
    if isinstance(path, int) or path in {":memory:", b":memory:"}:
        return True
    place = os.fsdecode(path)
    if isinstance(directory, int) and directory >= 0:
        place = os.path.join(f"/proc/self/fd/{directory}", place)  # noqa: PTH118 - as the event says it
    place = os.path.realpath(place)
    return place in _DEVICES or f"{place}/".startswith(roots)
