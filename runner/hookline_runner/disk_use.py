"""How much room a directory of foreign code takes on disk: trees of any depth, size and mode, looked at in bounded work.

It holds one directory open, goes down by name and up by "..", follows no link, and stays on one file system, as
`removal` does. What changes while it looks is counted as it was met.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field

_BLOCK_BYTES = 512  # of `st_blocks`
_OWNER_READS = 0o500
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes of blocks, and entries. A file with several names counts once."""

    used_bytes: int = 0
    files: int = 0


@dataclass(slots=True)
class _Walk:
    most_files: int
    used_bytes: int = 0
    files: int = 0
    linked: set[int] = field(default_factory=set[int])  # files with several names


@dataclass(slots=True)
class _Level:
    """A directory on the way: which one it is, and what is to be looked at in it."""

    identity: tuple[int, int]
    names: list[str]


def disk_use_of(path: str, *, most_files: int) -> DiskUse:
    """What is below a directory; nothing if it is not there.

    Args:
        path: the directory; it does not count itself.
        most_files: entries after which the walk ends: so many are more than there may be.
    """
    walk = _Walk(most_files)
    try:
        here = _open(path, None)
    except OSError:
        return DiskUse()
    try:
        device = os.fstat(here).st_dev
        levels = [_arrive(here, walk)]
        while levels and walk.files <= walk.most_files:
            level = levels[-1]
            if level.names:
                below = _enter(level.names.pop(), here, device)
                if below is not None:
                    os.close(here)
                    here = below
                    levels.append(_arrive(here, walk))
                continue
            levels.pop()
            if levels:
                above = os.open("..", _OPEN, dir_fd=here)
                os.close(here)
                here = above
                if _identity_of(here) != levels[-1].identity:
                    break  # moved away under its feet: the next look finds it where it is
    except OSError:
        pass  # as above
    finally:
        os.close(here)
    return DiskUse(walk.used_bytes, walk.files)


def _arrive(here: int, walk: _Walk) -> _Level:
    """Count what is in a directory, and note what is to be entered."""
    names: list[str] = []
    with contextlib.suppress(OSError), os.scandir(here) as entries:
        for entry in entries:
            walk.files += 1
            if walk.files > walk.most_files:
                break
            with contextlib.suppress(OSError):  # taken away meanwhile
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    names.append(entry.name)
                elif found.st_nlink > 1:
                    if found.st_ino in walk.linked:
                        continue
                    walk.linked.add(found.st_ino)
                walk.used_bytes += found.st_blocks * _BLOCK_BYTES
    return _Level(_identity_of(here), names)


def _enter(name: str, above: int, device: int) -> int | None:
    """The directory of that name; None if it cannot be entered, or lies on another file system."""
    try:
        below = _open(name, above)
    except OSError:
        return None
    if os.fstat(below).st_dev != device:
        os.close(below)
        return None
    return below


def _open(name: str, above: int | None) -> int:
    """Open a directory, also one that its owner made unreadable: that is so again afterwards."""
    try:
        return os.open(name, _OPEN, dir_fd=above)
    except PermissionError:
        pass
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=above)
    place = f"/proc/self/fd/{descriptor}"
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        os.chmod(place, mode | _OWNER_READS)  # noqa: PTH101 - by way of a descriptor
        try:
            return os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        finally:
            os.chmod(place, mode)  # noqa: PTH101 - as above
    finally:
        os.close(descriptor)


def _identity_of(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino
