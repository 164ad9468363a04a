"""All zygotes of a host: found or started for an attempt, ended when idle or too many."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
from pathlib import Path

from hookline_runner.disk_watch import DiskExcess, Keeper
from hookline_runner.memory_watch import Excess
from hookline_runner.preparation import ReadyBuild
from hookline_runner.processes import adopted_children, kill_tree
from hookline_runner.project_process import ProjectRuntime
from hookline_runner.removal import remove_anything, remove_left_zygotes
from hookline_runner.session_process import Applicant
from hookline_runner.session_trees import Watched
from hookline_runner.settings import RunnerSettings
from hookline_runner.zygote_client import Zygote
from hookline_runner.zygote_launch import ZygoteKey

logger = logging.getLogger(__name__)

_END_WAIT_S = 2.0
_LOSSES_ALLOWED = 3


class ZygotePool:
    """Zygotes by build, process mode and memory limit."""

    def __init__(self, settings: RunnerSettings, runtime: ProjectRuntime) -> None:
        self._settings = settings
        self._runtime = runtime
        self._directory = settings.home / "zygotes" / str(os.getpid())
        self._numbers = itertools.count(1)
        self._zygotes: dict[ZygoteKey, Zygote] = {}
        self._ended: list[Zygote] = []
        self._losses: dict[ZygoteKey, int] = {}  # in a row, of zygotes that never served anybody
        self._loop = asyncio.get_running_loop()

    @property
    def pids(self) -> set[int]:
        """Processes that the host started for zygotes."""
        zygotes = (*self._zygotes.values(), *self._ended)
        return {pid for zygote in zygotes for pid in zygote.pids}

    @property
    def directory(self) -> Path:
        """Where the zygotes of this host have their directories."""
        return self._directory

    def warm_builds(self) -> list[ReadyBuild]:
        """The builds that zygotes work with."""
        return [zygote.build for zygote in (*self._zygotes.values(), *self._ended)]

    def has(self, key: ZygoteKey) -> bool:
        """Whether there is such a zygote."""
        return key in self._zygotes

    def request(self, build: ReadyBuild, applicant: Applicant, key: ZygoteKey) -> None:
        """Give an attempt a process of the build, now or soon."""
        zygote = self._zygotes.get(key)
        if zygote is None:
            zygote = self._start(build, key)
        zygote.request(applicant)

    def warm(self, build: ReadyBuild, key: ZygoteKey) -> None:
        """Have a zygote ready before the first attempt."""
        if key not in self._zygotes:
            self._start(build, key)

    def withdraw(self, applicant: Applicant) -> None:
        """The attempt wants no process any longer."""
        for zygote in self._zygotes.values():
            zygote.withdraw(applicant)

    def watched(self) -> list[Watched]:
        """Whose memory is to be watched."""
        seen = [zygote.watched() for zygote in self._zygotes.values()]
        return [each for each in seen if each is not None]

    def end_oversized(self, excess: Excess) -> None:
        """End those who have more memory than they may, if they are still there."""
        for zygote in list(self._zygotes.values()):
            target = zygote.watched()
            if target is not None and target.root == excess.root:
                zygote.end_oversized(excess.number)

    def keepers(self) -> list[Keeper]:
        """Whose files are to be watched."""
        found = [zygote.keeper() for zygote in self._zygotes.values()]
        return [each for each in found if each is not None]

    def end_overfull(self, excess: DiskExcess) -> None:
        """End the session whose files take too much, if it is still there."""
        for zygote in list(self._zygotes.values()):
            target = zygote.watched()
            if target is not None and target.root == excess.root:
                zygote.end_overfull(excess.number, excess.detail)

    def tend(self) -> None:
        """End what has been idle for long; called every few seconds."""
        now = self._loop.time()
        for zygote in list(self._zygotes.values()):
            zygote.tend(now)
            if zygote.is_bereft():
                zygote.end_bereft()
                continue
            if not zygote.is_busy and now - zygote.used_at > self._settings.zygote_idle_s:
                self._end(zygote)
        self._forget_ended()

    def close(self) -> None:
        """End every zygote and wait, briefly, until all their processes are gone."""
        for zygote in list(self._zygotes.values()):
            self._end(zygote)
        for zygote in self._ended:
            zygote.wait(_END_WAIT_S)
        self._forget_ended()
        remove_anything(str(self._directory))

    def remove_unfinished(self) -> None:
        """Remove the working directories that hosts which are gone left behind."""
        remove_left_zygotes(self._settings.home)

    def end_orphans(self, known: frozenset[int] | None) -> None:
        """What a dead zygote left behind lands with this host, if it adopts orphans: end and reap it.

        Args:
            known: children of the host besides the zygotes; nothing happens while they are not all known.
        """
        if known is None:
            return
        for pid in set(adopted_children()) - self.pids - known:
            kill_tree(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def _start(self, build: ReadyBuild, key: ZygoteKey) -> Zygote:
        self._make_room()
        zygote = Zygote(
            key,
            build,
            runtime=self._runtime,
            settings=self._settings,
            directory=self._directory / str(next(self._numbers)),
            on_lost=self._lost,
        )
        zygote.used_at = self._loop.time()
        self._zygotes[key] = zygote
        zygote.start()
        return zygote

    def _make_room(self) -> None:
        if len(self._zygotes) < self._settings.zygotes_max:
            return
        idle = [zygote for zygote in self._zygotes.values() if not zygote.is_busy]
        if idle:
            self._end(min(idle, key=lambda zygote: zygote.used_at))

    def _lost(self, zygote: Zygote) -> None:
        """A zygote died or was given up: its attempts are told, those that wait get another."""
        waiting = zygote.take_waiting()
        self._end(zygote)
        losses = self._losses.pop(zygote.key, 0) + 1 if not zygote.has_served else 0
        if losses == _LOSSES_ALLOWED:
            problem = zygote.problem and f": {zygote.problem}"
            for applicant in waiting:
                applicant.start_failed(
                    f"the project's process ended again and again at its start{problem}"
                )
        elif waiting:
            self._losses[zygote.key] = losses
            for applicant in waiting:
                self.request(zygote.build, applicant, zygote.key)

    def _end(self, zygote: Zygote) -> None:
        if self._zygotes.get(zygote.key) is zygote:
            del self._zygotes[zygote.key]
        zygote.close()
        self._ended.append(zygote)

    def _forget_ended(self) -> None:
        for zygote in list(self._ended):
            if zygote.is_gone:
                self._ended.remove(zygote)
                self._loop.run_in_executor(None, remove_anything, str(zygote.directory))
