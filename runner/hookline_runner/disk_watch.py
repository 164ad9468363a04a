"""Limits on what the files of a session take on disk.

No quota of the kernel can be relied on to be there. So a thread of the host looks at the directories of sessions: often at
how full the whole file system is, which costs next to nothing, and into a directory only when it may be over the limit by
what was added since, or when it was not looked at for long. Files without a name that a session holds open count as well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio
import anyio.to_thread

from hookline_runner.disk_use import disk_use_of
from hookline_runner.process_table import ProcessTable
from hookline_runner.session_trees import SessionTrees, Watched, children_of

FILES_SETTING: Final = "HOOKLINE_FILES_LIMIT"
DISK_SETTING: Final = "HOOKLINE_DISK_LIMIT_MB"

_SHORTEST_S, _LONGEST_S = 0.25, 2.0
_REST_PER_LOOK = 30  # so the thread has some three percent of one processor at most
_LOOK_AGAIN_S = 10.0
_MOST_DESCRIPTORS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLimits:
    """What the files of one session may take: bytes of blocks, and entries."""

    used_bytes: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """A zygote, and the working directory of each of its sessions at work by its number."""

    watched: Watched
    directories: Mapping[int, str] = field(default_factory=dict[int, str])


@dataclass(frozen=True, slots=True)
class DiskExcess:
    """A session whose files take more than they may, and what that is in words."""

    root: int
    number: int
    detail: str


@dataclass(frozen=True, slots=True)
class Room:
    """What is taken of a file system by everybody: bytes, and files."""

    used_bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class _Note:
    """What the last look into a directory found, and when; and what all together took then."""

    looked_at: float
    used_bytes: int
    files: int
    room: Room


class DiskWatch:
    """Looks for sessions whose files take too much. It keeps notes between looks; one thread at a time."""

    def __init__(
        self,
        limits: DiskLimits,
        table: ProcessTable | None = None,
        room_of: Callable[[str], Room | None] | None = None,
    ) -> None:
        self._limits = limits
        self._table = table or ProcessTable()
        self._trees = SessionTrees(self._table)
        self._room_of = room_of or room_of_file_system
        self._notes: dict[tuple[int, int], _Note] = {}
        self._room = Room(0, 0)

    def look(self, home: str, keepers: Sequence[Keeper], now: float) -> list[DiskExcess]:
        """Those whose files take more than they may.

        Args:
            home: a directory on the file system where the working directories are.
            keepers: zygotes with sessions at work.
            now: seconds of a clock that only goes on.
        """
        before, self._room = self._room, self._room_of(home) or self._room
        found: list[DiskExcess] = []
        alive: set[tuple[int, int]] = set()
        for keeper in keepers:
            due: dict[int, _Note | None] = {}
            for number in keeper.directories:
                key = keeper.watched.root, number
                alive.add(key)
                note = self._notes.get(key)
                if note is None or self._may_be_over(note, now):
                    due[number] = note
            if due:
                found += self._look_into(keeper, due, before, now)
        self._trees.keep_only(alive)
        for key in self._notes.keys() - alive:
            del self._notes[key]
        return found

    def _may_be_over(self, note: _Note, now: float) -> bool:
        added = self._room.used_bytes - note.room.used_bytes
        new_files = self._room.files - note.room.files
        return (
            note.used_bytes + max(0, added) > self._limits.used_bytes
            or note.files + max(0, new_files) > self._limits.files
            or now - note.looked_at >= _LOOK_AGAIN_S
        )

    def _look_into(
        self, keeper: Keeper, due: Mapping[int, _Note | None], before: Room, now: float
    ) -> list[DiskExcess]:
        found: list[DiskExcess] = []
        root = keeper.watched.root
        # A session that is seen for the first time has just begun: it is looked into when something was added since.
        held = self._held_by(keeper) if any(due.values()) else {}
        for number, note in due.items():
            if note is None:
                self._notes[root, number] = _Note(now, 0, 0, before)
                continue
            use = disk_use_of(keeper.directories[number], most_files=self._limits.files)
            nameless = held.get(number, {})
            used_bytes = use.used_bytes + sum(nameless.values())
            files = use.files + len(nameless)
            self._notes[root, number] = _Note(now, used_bytes, files, self._room)
            if used_bytes > self._limits.used_bytes:
                found.append(DiskExcess(root, number, over_bytes(used_bytes, self._limits)))
            elif files > self._limits.files:
                found.append(DiskExcess(root, number, over_files(self._limits)))
        return found

    def _held_by(self, keeper: Keeper) -> dict[int, dict[tuple[int, int], int]]:
        """Files without a name that sessions hold open, with their bytes, by session."""
        device = _device_of(next(iter(keeper.directories.values())))
        if device is None:
            return {}
        processes = self._table.read()
        trees = self._trees.of(keeper.watched, processes, children_of(processes))
        held: dict[int, dict[tuple[int, int], int]] = {}
        for number, pids in trees.items():
            left = _MOST_DESCRIPTORS
            for pid in pids if number in keeper.directories else ():
                files, looked = self._table.nameless_files(processes[pid].reader, left, device)
                held.setdefault(number, {}).update(files)
                left -= looked
        return held


def _device_of(path: str) -> int | None:
    try:
        return os.stat(path).st_dev  # noqa: PTH116 - a hot path: no Path objects
    except OSError:
        return None


def room_of_file_system(place: str) -> Room | None:
    """What is taken of the file system of a place; None if it does not say."""
    try:
        found = os.statvfs(place)
    except OSError:
        return None
    used_bytes = (found.f_blocks - found.f_bfree) * found.f_frsize
    return Room(used_bytes, found.f_files - found.f_ffree)


def over_bytes(used_bytes: int, limits: DiskLimits) -> str:
    """That files take too much, and what sets the limit."""
    limit = f"the limit of {limits.used_bytes >> 20} MiB; {DISK_SETTING} sets it"
    return f"files of {used_bytes >> 20} MiB, over {limit}"


def over_files(limits: DiskLimits) -> str:
    """That there are too many files, and what sets the limit."""
    return f"more than {limits.files} files; {FILES_SETTING} sets the limit"


async def keep_disk_watch(
    home: str,
    limits: DiskLimits,
    keepers: Callable[[], Sequence[Keeper]],
    tell: Callable[[DiskExcess], None],
) -> None:
    """Look again and again, for ever, and tell whose files take too much."""
    watch = DiskWatch(limits)
    while True:
        began = time.monotonic()
        if targets := keepers():
            for excess in await anyio.to_thread.run_sync(
                watch.look, home, targets, time.monotonic()
            ):
                tell(excess)
        spent_s = time.monotonic() - began
        await anyio.sleep(min(max(spent_s * _REST_PER_LOOK, _SHORTEST_S), _LONGEST_S))
