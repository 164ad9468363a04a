"""Directories that are kept while somebody uses them: their time of last change says when that was.

Several hosts, and replays, may share a home. A lock on the directory makes sure that it is either marked as used
or taken away, never both.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hookline_runner.work_directory import remove_anything

_GOING = ".removing-"
_HALF_DONE = (_GOING, ".unpacking-")


def mark_used(path: Path) -> bool:
    """Keep the directory from being removed as idle from now on; false if it is not there."""
    try:
        with _locked(path, fcntl.LOCK_SH) as descriptor:
            if not _is_still(path, descriptor):
                return False
            os.utime(descriptor)
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
        with _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB) as descriptor:
            if not _is_still(path, descriptor) or os.fstat(descriptor).st_mtime >= before_s:
                return False
            path.rename(going)
    except OSError:  # in use, or gone
        return False
    remove_anything(str(going))
    return True


def remove_half_done(directory: Path, before_s: float) -> None:
    """Remove what somebody began to unpack or remove before a time, and never ended."""
    for path in _subdirectories(directory):
        if _is_half_done(path) and _used_at_s(path) < before_s:
            remove_anything(str(path))


@contextmanager
def _locked(path: Path, how: int) -> Generator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the open directory is the one of that name, and not one that is on its way out."""
    return os.path.samestat(path.lstat(), os.fstat(descriptor))


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
