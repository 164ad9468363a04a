"""A session's working directory: a private, writable copy of the project's files.

A directory is used again by later sessions of the same build: `refresh` makes it equal to the files again, and
costs one look per file when nothing was changed. Copies carry a fixed time of last change, so any write shows.
Standard library only: used inside the sandbox.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from hookline_runner.removal import remove_anything

COPY_TIME_NS = 1_000_000_000 * 1_000_000_000  # in 2001: no real write carries it
_KEPT_IN_MEMORY_BYTES = 256 * 1024
_OWNER_ALL = 0o700
_OWNER_READS_AND_WRITES = 0o600


class ProjectFiles:
    """The files of a build, read once; small ones are kept in memory."""

    __slots__ = ("_contents", "_directories", "_root", "_sizes")

    def __init__(self, root: str) -> None:
        self._root = root
        self._directories: dict[str, None] = {}  # relative, parents first
        self._sizes: dict[str, int] = {}  # relative path → size
        self._contents: dict[str, bytes] = {}
        for directory, names, files in os.walk(root):
            relative = os.path.relpath(directory, root)
            prefix = "" if relative == "." else relative + "/"
            self._directories.update((prefix + name, None) for name in sorted(names))
            for name in files:
                self._add(prefix + name)

    @property
    def contents(self) -> Mapping[str, bytes]:
        """The files kept in memory: path relative to the root → content."""
        return self._contents

    def is_intact(self, directory: str) -> bool:
        """Whether the directory holds these files, untouched, and nothing else. Follows no links."""
        seen = 0
        known = len(self._directories) + len(self._sizes)
        for path, entry in _walk(directory, most=known + 1):
            if not self._is_untouched(path, entry):
                return False
            seen += 1
        return seen == known

    def refresh(self, directory: str) -> None:
        """Make the directory equal to the files: what is missing or changed is written, the rest removed."""
        if not _is_real_directory(directory):
            remove_anything(directory)
            os.mkdir(directory, 0o700)  # noqa: PTH102 - a hot path: no Path objects
        good: set[str] = set()
        for path, entry in _walk(directory, most=sys.maxsize):
            if self._is_untouched(path, entry):
                good.add(path)
            else:
                remove_anything(f"{directory}/{path}")
        for path in self._directories:
            if path not in good:
                os.mkdir(f"{directory}/{path}", 0o700)  # noqa: PTH102 - as above
        for path in self._sizes:
            if path not in good:
                self._write(path, f"{directory}/{path}")

    def _add(self, path: str) -> None:
        source = f"{self._root}/{path}"
        size = Path(source).stat().st_size
        self._sizes[path] = size
        if size <= _KEPT_IN_MEMORY_BYTES:
            self._contents[path] = Path(source).read_bytes()

    def _is_untouched(self, path: str, entry: os.DirEntry[str]) -> bool:
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:  # taken away meanwhile
            return False
        if entry.is_dir(follow_symlinks=False):
            return path in self._directories and found.st_mode & _OWNER_ALL == _OWNER_ALL
        size = self._sizes.get(path)
        return (
            stat.S_ISREG(found.st_mode)
            and found.st_size == size
            and found.st_mtime_ns == COPY_TIME_NS
            and found.st_nlink == 1
            and found.st_mode & _OWNER_READS_AND_WRITES == _OWNER_READS_AND_WRITES
        )

    def _write(self, path: str, target: str) -> None:
        content = self._contents.get(path)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if content is None:
                with open(f"{self._root}/{path}", "rb") as source:  # noqa: PTH123 - as above
                    while chunk := source.read(1 << 20):
                        _write_all(descriptor, chunk)
            elif content:
                _write_all(descriptor, content)
            os.utime(descriptor, ns=(COPY_TIME_NS, COPY_TIME_NS))
        finally:
            os.close(descriptor)


def empty_directory(directory: str) -> None:
    """Have an existing, empty, private directory of that name."""
    try:
        os.mkdir(directory, 0o700)  # noqa: PTH102 - a hot path: no Path objects
    except FileExistsError:
        if _is_real_directory(directory) and not os.listdir(directory):  # noqa: PTH208 - as above
            return
        remove_anything(directory)
        os.mkdir(directory, 0o700)  # noqa: PTH102 - as above


def is_empty_directory(path: str) -> bool:
    """Whether there is a directory of that name, and nothing in it. Follows no link."""
    if not _is_real_directory(path):
        return False
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _is_real_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _walk(root: str, *, most: int) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every entry below by its relative path, parents first, about so many at most; what cannot be read looks empty.

    An entry is looked into after whoever asks has seen it, and may have removed it.
    """
    waiting = [""]
    while waiting and most > 0:
        prefix = waiting.pop()
        try:
            with os.scandir(f"{root}/{prefix}") as entries:
                found = list(islice(entries, most))
        except OSError:
            continue
        most -= len(found)
        for entry in found:
            path = prefix + entry.name
            yield path, entry
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path + "/")
