"""Removing what foreign code has left: trees of any depth, size, name and mode, with few descriptors and no recursion.

Standard library only: used inside the sandbox as well as outside.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

_OWNER_ALL = 0o700
_READ_AT_ONCE = 10_000
_PAUSES_S = (0.1, 1.0, 5.0)
_MORE_LOOKS = (
    100  # at directories that are not empty afterwards: somebody may still be writing there
)
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def remove_anything(path: str, *, most: int | None = None) -> bool:
    """Remove a file, link or whole directory, also one made unreadable; whether it is gone.

    Never raises for what it finds. Follows no link, opens no file, stays on one file system, and stops where a
    directory is moved away under its feet. What cannot be removed stays, and all else goes.

    Args:
        path: what to remove; nothing happens if it is not there.
        most: removals after which it stops, to be called again; None for no bound.
    """
    try:
        os.unlink(path)  # noqa: PTH108 - a hot path: no Path objects
    except FileNotFoundError:
        return True
    except OSError:  # a directory, whatever the system calls that
        with contextlib.suppress(_Exhausted, OSError):
            _Tree(path, most).remove()
        with contextlib.suppress(OSError):
            os.rmdir(path)  # noqa: PTH106 - as above
    return not os.path.lexists(path)


def remove_in_the_end(path: str) -> None:
    """As `remove_anything`, some more times if it does not work at once: what was killed may still be writing there."""
    for pause_s in _PAUSES_S:
        if remove_anything(path):
            return
        time.sleep(pause_s)  # noqa: TID251 - in a thread that has nothing else to do


def remove_left_zygotes(home: Path) -> None:
    """Remove the working directories that runner hosts of this home left behind which are gone."""
    try:
        left = list((home / "zygotes").iterdir())
    except OSError:
        return
    for path in left:
        if not (path.name.isdigit() and Path("/proc", path.name).exists()):
            remove_anything(str(path))


class _Exhausted(Exception):  # noqa: N818 - it is no error
    """As many entries as allowed were removed."""


@dataclass(slots=True)
class _Level:
    """A directory under removal: which one it is, its name above, what is to be removed in it, and what cannot be."""

    identity: tuple[int, int]
    name: str
    subdirectories: list[str] = field(default_factory=list[str])
    stuck: set[str] = field(default_factory=set[str])


class _Tree:
    """One walk. It holds one directory open, goes down by name and up by "..", and checks where it comes out."""

    def __init__(self, root: str, most: int | None) -> None:
        self._root = root
        self._left = most
        self._device = 0
        self._here = -1
        self._looks_left = _MORE_LOOKS

    def remove(self) -> None:
        """Remove everything below the root."""
        self._here = _open_directory(self._root, None)
        try:
            levels = [self._arrive("")]
            self._device = levels[0].identity[0]
            while levels:
                self._step(levels)
        finally:
            os.close(self._here)

    def _step(self, levels: list[_Level]) -> None:
        """Go down into the next directory, or up when there is none left."""
        level = levels[-1]
        if level.subdirectories:
            name = level.subdirectories.pop()
            if self._enter(name):
                levels.append(self._arrive(name))
            else:
                level.stuck.add(name)
        elif self._looks_left and self._has_entries(level.stuck):
            self._looks_left -= 1
            self._look(level)
        else:
            levels.pop()
            if levels:
                self._leave(level.name, levels[-1])

    def _arrive(self, name: str) -> _Level:
        found = os.fstat(self._here)
        level = _Level((found.st_dev, found.st_ino), name)
        self._look(level)
        return level

    def _look(self, level: _Level) -> None:
        """Remove what is no directory here, and note what is."""
        for entry in self._entries():
            if entry.name in level.stuck:
                continue
            if entry.is_dir(follow_symlinks=False):
                level.subdirectories.append(entry.name)
                continue
            try:
                os.unlink(entry.name, dir_fd=self._here)
                self._count()
            except OSError:
                level.stuck.add(entry.name)

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        """What is here, read in portions, so that none is skipped because others go."""
        with contextlib.suppress(OSError), os.scandir(self._here) as entries:
            while portion := list(islice(entries, _READ_AT_ONCE)):
                yield from portion

    def _has_entries(self, stuck: set[str]) -> bool:
        """Whether there is something besides what cannot be removed."""
        return any(entry.name not in stuck for entry in self._entries())

    def _enter(self, name: str) -> bool:
        """Be in the directory of that name; false if it cannot be, or lies on another file system."""
        try:
            below = _open_directory(name, self._here)
        except OSError:
            return False
        if os.fstat(below).st_dev != self._device:
            os.close(below)
            return False
        os.close(self._here)
        self._here = below
        return True

    def _leave(self, name: str, above: _Level) -> None:
        """Be in the directory above again, and remove this one. Raises OSError if what is above is another one."""
        parent = os.open("..", _OPEN, dir_fd=self._here)
        os.close(self._here)
        self._here = parent
        found = os.fstat(parent)
        if (found.st_dev, found.st_ino) != above.identity:
            raise OSError("a directory was moved while it was removed")
        try:
            os.rmdir(name, dir_fd=self._here)
            self._count()
        except OSError:
            above.stuck.add(name)

    def _count(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                raise _Exhausted


def _open_directory(name: str, above: int | None) -> int:
    """Open a directory for reading, and make it its owner's first if need be."""
    try:
        descriptor = os.open(name, _OPEN, dir_fd=above)
    except PermissionError:
        _open_up(name, above)
        descriptor = os.open(name, _OPEN, dir_fd=above)
    with contextlib.suppress(OSError):
        if os.fstat(descriptor).st_mode & _OWNER_ALL != _OWNER_ALL:
            os.fchmod(descriptor, _OWNER_ALL)
    return descriptor


def _open_up(name: str, above: int | None) -> None:
    """Let the owner read a directory. By way of a descriptor: a name could be a link by then."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=above)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.chmod(f"/proc/self/fd/{descriptor}", _OWNER_ALL)  # noqa: PTH101 - as above
    finally:
        os.close(descriptor)
