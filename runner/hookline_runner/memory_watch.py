"""Limits on memory that hold for all processes of a session together.

The kernel limits one process at a time, and only its own data. So a thread of the host looks, several times a second, at what
each session's tree has: first at sums that cost little and are never too small, and closely only where these are over the limit.
A close look counts a page that several processes share in parts, so that a session answers for nothing of its zygote, and files
without a disk also where nobody has mapped them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.to_thread

from hookline_runner.process_table import Process, ProcessTable, SharesMemory, share_memory
from hookline_runner.session_trees import REST, SessionTrees, Watched, children_of

_SHORTEST_S, _LONGEST_S = 0.25, 2.0
_REST_PER_LOOK = 30  # so the thread has some three percent of one processor at most
_CONFIRM_AFTER_S = (0.02, 0.1, None)  # None: the last look
_MOST_DESCRIPTORS = 50_000


@dataclass(frozen=True, slots=True)
class Excess:
    """A session, or `REST`, that has more than its limit."""

    root: int
    number: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class _Note:
    """What was found by the last close look at a session, and when.

    `estimate` is the cheap sum of that moment, `all_unseen` what the whole machine had that such a sum does not show.
    """

    looked_at: float
    used: int
    unseen: int
    estimate: int
    all_unseen: int


class MemoryWatch:
    """Looks for sessions with more memory than allowed. It keeps notes between looks; one thread at a time."""

    def __init__(
        self, table: ProcessTable | None = None, shares_memory: SharesMemory = share_memory
    ) -> None:
        self._table = table or ProcessTable()
        self._shares_memory = shares_memory
        self._trees = SessionTrees(self._table)
        self._notes: dict[tuple[int, int], _Note] = {}
        self._all_unseen = 0

    def look(self, watched: Sequence[Watched], now: float) -> list[Excess]:
        """Those that have more than they may.

        Args:
            watched: zygotes with sessions at work.
            now: seconds of a clock that only goes on.
        """
        processes = self._table.read()
        children = children_of(processes)
        before, self._all_unseen = self._all_unseen, self._table.unseen_bytes()
        found: list[Excess] = []
        alive: set[tuple[int, int]] = set()
        for zygote in watched:
            for number, pids in self._trees.of(zygote, processes, children).items():
                key = zygote.root, number
                alive.add(key)
                note = self._notes.setdefault(key, _Note(0.0, 0, 0, 0, before))
                estimate = self._estimate(pids, processes, note)
                if not _is_worth_a_look(estimate, note, zygote.limit_bytes, now):
                    continue
                places = zygote.rest_places if number == REST else zygote.session_places
                used, unseen = self._look_closely(pids, processes, places)
                self._notes[key] = _Note(now, used, unseen, estimate, self._all_unseen)
                if used > zygote.limit_bytes:
                    found.append(Excess(zygote.root, number, used))
        self._trees.keep_only(alive)
        for key in self._notes.keys() - alive:
            del self._notes[key]
        return found

    def _estimate(self, pids: Iterable[int], processes: Mapping[int, Process], note: _Note) -> int:
        """What they may have, in bytes; hardly ever too little."""
        seen = sum(processes[pid].resident_bytes for pid in pids)
        return seen + note.unseen + max(0, self._all_unseen - note.all_unseen)

    def _look_closely(
        self, pids: Sequence[int], processes: Mapping[int, Process], places: Sequence[str]
    ) -> tuple[int, int]:
        """What the processes have together, and how much of it no cheap sum shows, in bytes."""
        private = shared = unseen = 0
        files: dict[tuple[int, int], int] = {}
        together = set(pids)
        looks = _MOST_DESCRIPTORS
        for pid in pids:
            process = processes[pid]
            if process.parent in together and self._shares_memory(pid, process.parent):
                continue
            share = self._table.share_of(process.reader)
            if share is None:  # it may not be looked at, or has just ended
                private += process.resident_bytes
            else:
                private, shared = private + share.private, shared + share.shared
                unseen += share.unseen
            held, looked = self._table.memory_files(process.reader, looks)
            files |= held
            looks -= looked
        kept = sum(files.values())
        if places:
            kept += self._used_of(pids, processes, places)
        return private + max(shared, kept), unseen + kept  # what is kept may be what is mapped

    def _used_of(
        self, pids: Sequence[int], processes: Mapping[int, Process], places: Sequence[str]
    ) -> int:
        """Bytes in these places, as one of the processes sees them."""
        for pid in reversed(
            pids
        ):  # the first may stand outside of the sandbox, and any may have ended
            used = [self._table.used_of(processes[pid].reader, place) for place in places]
            known = [size for size in used if size is not None]
            if known:
                return sum(known)
        return 0


def _is_worth_a_look(estimate: int, note: _Note, limit: int, now: float) -> bool:
    """Not where the last look has just found little, and not much can have come since."""
    has_little = note.used <= limit // 2 and estimate - note.estimate <= limit // 4
    return estimate > limit and not (has_little and now - note.looked_at < _LONGEST_S)


async def keep_watch(
    watched: Callable[[], Sequence[Watched]], tell: Callable[[Excess], None]
) -> None:
    """Look again and again, for ever, and tell who has too much."""
    watch = MemoryWatch()
    while True:
        began = time.monotonic()
        for excess in await _look_again_and_again(watch, watched):
            tell(excess)
        spent_s = time.monotonic() - began
        await anyio.sleep(min(max(spent_s * _REST_PER_LOOK, _SHORTEST_S), _LONGEST_S))


@asynccontextmanager
async def watching(
    watched: Callable[[], Sequence[Watched]], tell: Callable[[Excess], None]
) -> AsyncGenerator[None]:
    """As `keep_watch`, as long as it is entered. What is raised inside comes out as it is."""
    problem: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_watch, watched, tell, name="memory")
        try:
            yield
        except Exception as exc:  # noqa: BLE001 - a task group would wrap it
            problem = exc
        tasks.cancel_scope.cancel()
    if problem is not None:
        raise problem


async def _look_again_and_again(
    watch: MemoryWatch, watched: Callable[[], Sequence[Watched]]
) -> list[Excess]:
    """What is over its limit, and still is some moments later.

    A program that is just being started counts twice, and what processes share is told of one after the other, so that
    those that come and go meanwhile count for too much.
    """
    suspects: set[tuple[int, int]] | None = None
    for pause_s in _CONFIRM_AFTER_S:
        if not (targets := watched()):
            return []
        found = await anyio.to_thread.run_sync(watch.look, targets, time.monotonic())
        if suspects is not None:
            found = [each for each in found if (each.root, each.number) in suspects]
        if not found or pause_s is None:
            return found
        suspects = {(each.root, each.number) for each in found}
        await anyio.sleep(pause_s)
    return []
