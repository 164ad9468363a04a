"""Directories that are kept while somebody uses them: their time of last change says when that was.

Several hosts, and replays, may share a home. A lock makes sure that a directory is either marked as used or taken away,
never both. It is on a file that no sandbox sees, and nobody waits for it for long: foreign code can lock whatever it can
open, and hold it for ever.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from hookline_runner.removal import remove_anything

_GOING = ".removing-"
_HALF_DONE = (_GOING, ".unpacking-")
_TRIES = 50
_PAUSE_S = 0.01


def mark_used(path: Path) -> bool:
    """Keep the directory from being removed as idle from now on; false if it is not there."""
    try:
        with _locked(path.parent, fcntl.LOCK_SH):
            if not stat.S_ISDIR(path.lstat().st_mode):
                return False
            os.utime(path, follow_symlinks=False)
    except OSError:
        return False
    return True


def list_idle(directory: Path, before_s: float) -> list[str]:
    """Names of the directories below that nobody has used since a time."""
    return sorted(
        path.name
        for path in _subdirectories(directory)
        if not _is_half_done(path) and _used_at_s(path) < before_s
    )


def remove_idle(path: Path, before_s: float) -> bool:
    """Remove a directory unless somebody has used it since a time; whether it is gone."""
    going = path.with_name(f"{path.name}{_GOING}{os.getpid()}")
    try:
        with _locked(path.parent, fcntl.LOCK_EX) as is_locked:
            found = path.lstat()
            if not is_locked or not stat.S_ISDIR(found.st_mode) or found.st_mtime >= before_s:
                return False
            path.rename(going)
    except OSError:  # gone
        return False
    remove_anything(str(going))
    return True


def remove_half_done(directory: Path, before_s: float) -> None:
    """Remove what somebody began to unpack or remove before a time, and never ended."""
    for path in _subdirectories(directory):
        if _is_half_done(path) and _used_at_s(path) < before_s:
            remove_anything(str(path))


@contextmanager
def _locked(directory: Path, how: int) -> Generator[bool]:
    """Lock what is below a directory; whether that was possible. On a full disk, what is there already does."""
    place = directory.with_name(f"{directory.name}.lock")
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        yield False
        return
    try:
        yield _lock_soon(descriptor, how)
    finally:
        os.close(descriptor)


def _lock_soon(descriptor: int, how: int) -> bool:
    """Lock the file. Whoever holds it renames or marks a directory; if that takes long, it was stopped half-way."""
    for _ in range(_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            return True
        time.sleep(_PAUSE_S)  # noqa: TID251 - a lock offers no event, and those who call have no loop or cannot wait
    return False


def _is_half_done(path: Path) -> bool:
    return any(mark in path.name for mark in _HALF_DONE)


def _used_at_s(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return float("inf")


def _subdirectories(directory: Path) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []
