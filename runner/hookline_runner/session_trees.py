"""Which processes belong to which session: those of a zygote are found below it, however they hide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hookline_runner.process_table import Process, ProcessTable

REST = 0
"""In place of a session's number: the zygote itself, and what is below it and no session's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A zygote with its sessions, or another program that the host started.

    `root` is the process that was started, `sessions` maps numbers of session processes to those by which the zygote
    knows them. `session_places` are file systems in memory that each session has of its own, `rest_places` those of `REST`.
    """

    root: int
    limit_bytes: int
    sessions: Mapping[int, int] = field(default_factory=dict[int, int])
    session_places: Sequence[str] = ()
    rest_places: Sequence[str] = ()


class SessionTrees:
    """Finds the processes of sessions. It remembers where it found them; one thread at a time."""

    def __init__(self, table: ProcessTable) -> None:
        self._table = table
        self._places: dict[tuple[int, int], tuple[int, int]] = {}  # session → process and its start

    def of(
        self,
        zygote: Watched,
        processes: Mapping[int, Process],
        children: Mapping[int, Sequence[int]],
    ) -> dict[int, list[int]]:
        """The processes of each session that can be found, and of the rest."""
        below = [pid for pid in tree_of(zygote.root, children) if pid in processes]
        tops = self._tops(zygote, below, processes)
        trees = {number: tree_of(top, children) for number, top in tops.items()}
        taken = {pid for pids in trees.values() for pid in pids}
        trees[REST] = [pid for pid in below if pid not in taken]
        return trees

    def _tops(
        self, zygote: Watched, below: Sequence[int], processes: Mapping[int, Process]
    ) -> dict[int, int]:
        """The first process of each session, by its number."""
        tops: dict[int, int] = {}
        for number in zygote.sessions:
            pid, started = self._places.get((zygote.root, number), (0, 0))
            if pid in processes and processes[pid].started == started:
                tops[number] = pid
        missing = {zygote.sessions[number]: number for number in zygote.sessions.keys() - tops}
        known = set(tops.values())
        for pid in below:  # the nearest first: what a session starts comes behind it
            if not missing:
                break
            inner = None if pid in known else self._table.inner_number(pid)
            if inner is not None and (number := missing.pop(inner, None)) is not None:
                tops[number] = pid
                self._places[zygote.root, number] = pid, processes[pid].started
        return tops

    def keep_only(self, alive: Iterable[tuple[int, int]]) -> None:
        """Forget all sessions but these, each named by its zygote's root and its number."""
        for key in self._places.keys() - set(alive):
            del self._places[key]


def tree_of(top: int, children: Mapping[int, Sequence[int]]) -> list[int]:
    """A process and all below it, the nearest before the farther."""
    found = [top]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def children_of(processes: Mapping[int, Process]) -> dict[int, list[int]]:
    """The children of each process."""
    children: dict[int, list[int]] = {}
    for pid, process in processes.items():
        children.setdefault(process.parent, []).append(pid)
    return children
