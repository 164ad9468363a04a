"""A session's working directory: a private, writable copy of the project's files.

A directory is used again by later sessions of the same build: `refresh` makes it equal to the files again, and
costs one look per file when nothing was changed. What a copy was like is noted beside the directory, by what no owner of a
file can set: its number and the time of its last change as the system saw it. A session sees neither the notes nor the
directories of others, where there are walls (see `cells`). Copies carry a fixed time of writing, by which a session knows
that it need not read them. Standard library only: used inside the sandbox.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from itertools import islice
from pathlib import Path

from hookline_runner.disk_use import disk_use_of
from hookline_runner.foreign_files import read_foreign_file
from hookline_runner.removal import remove_anything

COPY_TIME_NS = 1_000_000_000 * 1_000_000_000  # in 2001: no real write carries it
NOTES_SUFFIX = ".notes"  # behind the name of a directory: what is noted about it
_KEPT_IN_MEMORY_BYTES = 256 * 1024
_OWNER_ALL = 0o700
_FEW_ENTRIES = 100
_FEW_BYTES = 16 * 1024 * 1024
_BLOCK_BYTES = 512  # of `st_blocks`
_MAX_NOTES_BYTES = 16 * 1024 * 1024
_CLOCK_OF_FILES = 5  # CLOCK_REALTIME_COARSE, which the standard library has no name for
_CLOCK_TRIES = 100
_CLOCK_PAUSE_S = 0.001

_Notes = Mapping[
    str, tuple[int, int]
]  # relative path → number of the file and time of its last change, in ns


class Left(Enum):
    """What a session left in its working directory, once little things are removed."""

    NOTHING = "nothing"  # it is as it was when the session began
    GAPS = "gaps"  # files of the project are missing
    MUCH = "much"  # it takes time to remove


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
        if not _is_own(directory):
            return False
        notes = _read_notes(directory)
        seen = 0
        known = len(self._directories) + len(self._sizes)
        for path, entry in _walk(directory, most=known + 1):
            if not self._is_untouched(path, entry, notes):
                return False
            seen += 1
        return seen == known

    def refresh(self, directory: str) -> None:
        """Make the directory equal to the files: what is missing or changed is written, the rest removed."""
        _make_own(directory)
        notes = _read_notes(directory)
        good: set[str] = set()
        is_changed = False
        for path, entry in _walk(directory, most=sys.maxsize):
            if self._is_untouched(path, entry, notes):
                good.add(path)
            else:
                is_changed = True
                remove_anything(f"{directory}/{path}")
        if is_changed or len(good) < len(self._directories) + len(self._sizes):
            self._complete(directory, good)

    def clear(self, directory: str) -> Left:
        """Remove what is not as it was copied, as long as that is little."""
        if not _is_own(directory):
            return Left.MUCH
        notes = _read_notes(directory)
        room = _Little()
        good = 0
        for path, entry in _walk(directory, most=sys.maxsize):
            if self._is_untouched(path, entry, notes):
                good += 1
            elif not room.remove(f"{directory}/{path}", entry):
                return Left.MUCH
        return Left.NOTHING if good == len(self._directories) + len(self._sizes) else Left.GAPS

    def _complete(self, directory: str, good: Container[str]) -> None:
        """Write what is not there, and note what all is like."""
        _forget_notes(directory)
        for path in self._directories:
            if path not in good:
                os.mkdir(f"{directory}/{path}", 0o700)  # noqa: PTH102 - a hot path: no Path objects
        for path in self._sizes:
            if path not in good:
                self._write(path, f"{directory}/{path}")
        _write_notes(directory, (*self._directories, *self._sizes))

    def _add(self, path: str) -> None:
        source = f"{self._root}/{path}"
        size = Path(source).stat().st_size
        self._sizes[path] = size
        if size <= _KEPT_IN_MEMORY_BYTES:
            self._contents[path] = Path(source).read_bytes()

    def _is_untouched(self, path: str, entry: os.DirEntry[str], notes: _Notes) -> bool:
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:  # taken away meanwhile
            return False
        noted = notes.get(path)
        if noted is None or noted[0] != found.st_ino:
            return False
        if stat.S_ISDIR(found.st_mode):  # its entries are looked at one by one
            return path in self._directories and stat.S_IMODE(found.st_mode) == _OWNER_ALL
        return path in self._sizes and noted[1] == found.st_ctime_ns

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


class _Little:
    """How much is removed at once: who waits for it has other things to do."""

    __slots__ = ("_bytes", "_entries")

    def __init__(self) -> None:
        self._entries = _FEW_ENTRIES
        self._bytes = _FEW_BYTES

    def remove(self, path: str, entry: os.DirEntry[str]) -> bool:
        """Remove an entry with what is below it; false if that was too much, or did not work."""
        found = entry.stat(follow_symlinks=False)
        self._entries -= 1
        if self._entries < 0:
            return False
        if stat.S_ISDIR(found.st_mode):
            use = disk_use_of(path, most_files=self._entries)
            self._entries -= use.files
            self._bytes -= use.used_bytes
        else:
            self._bytes -= found.st_blocks * _BLOCK_BYTES
        return self._entries >= 0 and self._bytes >= 0 and remove_anything(path)


def clear_directory(directory: str) -> bool:
    """Empty a directory, as long as that is little; whether it is empty now."""
    if not _is_own(directory):
        return False
    room = _Little()
    with os.scandir(directory) as entries:
        for entry in entries:
            if not room.remove(entry.path, entry):
                return False
    return True


def empty_directory(directory: str) -> None:
    """Have an existing, empty, private directory of that name; one that is there stays the same, for it may be mounted."""
    _make_own(directory)
    for name in os.listdir(directory):  # noqa: PTH208 - a hot path: no Path objects
        remove_anything(f"{directory}/{name}")


def is_empty_directory(path: str) -> bool:
    """Whether there is a directory of that name that its owner can use, and nothing in it. Follows no link."""
    if not _is_own(path):
        return False
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def _make_own(directory: str) -> None:
    """Have a directory of that name that its owner alone can use, if need be in the place of something else."""
    try:
        os.mkdir(directory, _OWNER_ALL)  # noqa: PTH102 - a hot path: no Path objects
    except FileExistsError:
        mode = os.lstat(directory).st_mode
        if not stat.S_ISDIR(mode):
            remove_anything(directory)
            os.mkdir(directory, _OWNER_ALL)  # noqa: PTH102 - as above
        elif stat.S_IMODE(mode) != _OWNER_ALL:
            os.chmod(directory, _OWNER_ALL)  # noqa: PTH101 - as above


def _notes_of(directory: str) -> str:
    return directory + NOTES_SUFFIX


def _read_notes(directory: str) -> _Notes:
    """What was noted; nothing if it cannot be read, for without walls foreign code can write there."""
    try:
        content = read_foreign_file(Path(_notes_of(directory)), most=_MAX_NOTES_BYTES) or b""
        lines = (line.split(b" ", 2) for line in content.split(b"\0") if line)
        return {os.fsdecode(path): (int(number), int(at)) for number, at, path in lines}
    except (OSError, ValueError):
        return {}


def _forget_notes(directory: str) -> None:
    remove_anything(_notes_of(directory))


def _write_notes(directory: str, paths: Iterable[str]) -> None:
    """Note what the copies are like, once the system's clock for files has gone on: a later change has a later time."""
    notes: dict[str, tuple[int, int]] = {}
    for path in paths:
        found = os.lstat(f"{directory}/{path}")
        notes[path] = (found.st_ino, found.st_ctime_ns)
    latest = max((changed for _, changed in notes.values()), default=0)
    for _ in range(_CLOCK_TRIES):
        if time.clock_gettime_ns(_CLOCK_OF_FILES) > latest:
            break
        time.sleep(_CLOCK_PAUSE_S)  # noqa: TID251 - nothing tells that a clock has gone on
    else:
        return  # it was set back: next time all is copied again
    lines = (b"%d %d %b\0" % (*noted, os.fsencode(path)) for path, noted in notes.items())
    with suppress(OSError), open(_notes_of(directory), "xb") as file:  # noqa: PTH123 - as above
        file.write(b"".join(lines))


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _is_own(path: str) -> bool:
    """Whether it is a directory that its owner alone can use; the super-user notices no other difference."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and stat.S_IMODE(mode) == _OWNER_ALL


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
