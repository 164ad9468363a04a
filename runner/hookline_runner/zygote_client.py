"""The host's end of one zygote: started, told to fork, asked to kill, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from hookline_runner.cells import SHARED_MEMORY_PLACE
from hookline_runner.disk_watch import Keeper
from hookline_runner.forks_ahead import ForksAhead
from hookline_runner.memory_limits import over_limit
from hookline_runner.preparation import ReadyBuild
from hookline_runner.processes import descendants_of
from hookline_runner.project_process import ProjectRuntime, hash_seed_of
from hookline_runner.removal import remove_in_the_end
from hookline_runner.session_process import Applicant, SessionProcess
from hookline_runner.session_trees import REST, Watched
from hookline_runner.settings import RunnerSettings
from hookline_runner.work_directory import ProjectFiles, is_empty_directory
from hookline_runner.zygote_launch import ZygoteKey, zygote_command, zygote_config
from hookline_runner.zygote_messages import (
    ZygoteMessage,
    encode_message,
)
from hookline_runner.zygote_process import ZygoteProcess

logger = logging.getLogger(__name__)

_KILL_ANSWER_S = 5.0
_EARLY_DEATHS_ALLOWED = 3


class Zygote:
    """One zygote process and the session processes it has forked. Everything happens on the event loop.

    It restarts itself without a module that starts threads, and without any when preloading breaks it.
    """

    def __init__(
        self,
        key: ZygoteKey,
        build: ReadyBuild,
        *,
        runtime: ProjectRuntime,
        settings: RunnerSettings,
        directory: Path,
        on_lost: Callable[[Zygote], None],
    ) -> None:
        self.key = key
        self.build = build
        self.directory = directory
        self.used_at = 0.0
        self.problem = ""  # why it was given up, if it said what it must not
        self._runtime = runtime
        self._settings = settings
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._ahead = ForksAhead(settings.forks_ahead, settings.forks_ahead_max)
        self._files = ProjectFiles(str(build.build.files)) if key.reuse else None
        self._preload = build.preload
        self._warms_up = True
        self._waiting: deque[Applicant] = deque()
        self._idle: deque[SessionProcess] = deque()
        self._processes: dict[int, SessionProcess] = {}
        self._applicants: dict[int, Applicant] = {}  # process number → attempt at work
        self._refreshing: set[int] = set()  # processes whose directory is being put in order
        self._pids: dict[int, int] = {}  # process number → what the zygote knows it by
        self._over_limit: set[int] = set()  # processes that go because they have too much
        self._kill_timers: dict[int, asyncio.TimerHandle] = {}
        self.has_served = False  # whether an attempt got a process of it
        self._ordered = 0
        self._ordered_at = 0.0
        self._early_deaths = 0
        self._is_ready = False
        self._is_closed = False
        self._process = ZygoteProcess(self, is_contained=runtime.sandbox.is_active)
        self._former: list[ZygoteProcess] = []  # ended, perhaps not gone yet
        self._start_timer: asyncio.TimerHandle | None = None

    @property
    def pids(self) -> set[int]:
        """Processes that the host started: the zygote, or the sandbox around it, and former ones."""
        processes = (*self._former, self._process)
        return {process.pid for process in processes if process.pid is not None}

    @property
    def is_busy(self) -> bool:
        """Whether attempts run or wait here."""
        return bool(self._waiting or self._applicants)

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more attempts."""
        return self._is_closed

    @property
    def is_gone(self) -> bool:
        """Whether it is closed and its processes have ended."""
        self._former = [process for process in self._former if not process.is_gone]
        return self._is_closed and self._process.is_gone and not self._former

    def start(self) -> None:
        """Start the process; `request` may be called at once."""
        work = self.directory / "work"
        work.mkdir(parents=True, exist_ok=True)
        variables = self._runtime.environment_variables(self.build.environment)
        variables |= hash_seed_of(self.build.build.id)
        variables["LD_BIND_NOW"] = "1"  # or each forked process would look symbols up again
        self._process.start(
            lambda control_fd: zygote_command(self._runtime, self.build, work, control_fd),
            variables,
        )
        self._start_timer = self._loop.call_later(
            self._settings.zygote_start_timeout_s, self._start_is_late
        )
        config = zygote_config(self._runtime, self._settings, self.build, work, self.key)
        warmth = replace(config, preload=self._preload, warm_up=self._warms_up)
        self._send(warmth.encode())

    def request(self, applicant: Applicant) -> None:
        """Give the attempt a process, now or as soon as there is one."""
        self.used_at = self._loop.time()
        if self._idle:
            process = self._idle.pop() if self.key.reuse else self._idle.popleft()
            self._assign(process, applicant)
        else:
            self._waiting.append(applicant)
            self._ahead.note_shortage(self.used_at)
        self._order_forks()

    def withdraw(self, applicant: Applicant) -> None:
        """The attempt wants no process any longer."""
        with contextlib.suppress(ValueError):
            self._waiting.remove(applicant)

    def release(self, process: SessionProcess) -> None:
        """A process of a clean session may take the next one; its directory is put in order first if need be."""
        self._applicants.pop(process.number, None)
        process.detach()
        if process.is_gone or self._is_closed:
            return
        if not self._is_in_order(self._directory_of(process)):
            self._refreshing.add(process.number)
            self._send(encode_message("refresh", process.number))
        else:
            self._take_back(process)

    def _is_in_order(self, directory: str) -> bool:
        """Whether a session left the project's files and its temporary directory as it found them."""
        if self._files is None or not self._files.is_intact(directory + "/project"):
            return False
        return is_empty_directory(directory + "/tmp")  # noqa: S108 - the session's own

    def retire(self, process: SessionProcess, within_s: float) -> None:
        """The attempt is over and its process is to end by itself; if it does not, it is killed."""
        self._applicants.pop(process.number, None)
        process.detach()
        if not process.is_gone:
            self._kill_timers[process.number] = self._loop.call_later(within_s, self.kill, process)

    def terminate(self, process: SessionProcess) -> None:
        """Send the process a SIGTERM."""
        self._send(encode_message("term", process.number))

    def ask_stack(self, process: SessionProcess) -> None:
        """See `ProcessSource.ask_stack`."""
        self._send(encode_message("stack", process.number))

    def dump_stack(self, process: SessionProcess) -> None:
        """See `ProcessSource.dump_stack`."""
        self._send(encode_message("dump", process.number))

    def kill(self, process: SessionProcess) -> None:
        """Kill the process and everything below it; the whole zygote if it does not obey."""
        if process.is_gone or self._is_closed:
            return
        self._send(encode_message("kill", process.number))
        self._set_kill_timer(process.number, _KILL_ANSWER_S, partial(self._was_not_killed, process))

    def watched(self) -> Watched | None:
        """Whose memory is to be watched; nobody's while no session is at work."""
        pid = self._process.pid
        is_calm = self._is_ready and len(self._idle) == len(self._processes)
        if pid is None or self._is_closed or is_calm:
            return None
        return Watched(
            root=pid,
            limit_bytes=self.key.memory_limit_bytes,
            sessions=dict(self._pids),
            session_places=(SHARED_MEMORY_PLACE,) if self._runtime.sandbox.has_cells else (),
        )

    def keeper(self) -> Keeper | None:
        """Whose files are to be watched; nobody's while no session is at work."""
        watched = self.watched()
        if watched is None:
            return None
        directories = {
            number: self._directory_of(self._processes[number]) for number in self._applicants
        }
        return Keeper(watched=watched, directories=directories) if directories else None

    def is_bereft(self) -> bool:
        """Whether somebody removed what its processes are made of; not while it is being ended anyway."""
        return not self._is_closed and not (
            self.build.is_there() and os.path.isdir(self.directory / "work")  # noqa: PTH112 - asked again and again
        )

    def end_bereft(self) -> None:
        """End all processes: what they have not imported yet is gone."""
        self._end_all("the files of its build or environment were removed from the host")

    def end_oversized(self, number: int) -> None:
        """A session's processes have more memory than they may, or the zygote itself has."""
        detail = over_limit(self.key.memory_limit_bytes)
        if number == REST:
            self.problem = f"what it imports is {detail}"
            self._end_all(f"the process that all sessions of its build come from is {detail}")
        else:
            self._end_over_limit(number, "memory", detail)

    def end_overfull(self, number: int, detail: str) -> None:
        """A session's files take more of the disk than they may."""
        self._end_over_limit(number, "disk", detail)

    def _end_over_limit(self, number: int, reason: str, detail: str) -> None:
        if number not in self._processes or number in self._over_limit:
            return
        self._over_limit.add(number)
        if (applicant := self._applicants.get(number)) is not None:
            applicant.limit_exceeded(reason, detail)
        else:
            self.kill(self._processes[number])

    def tend(self, now: float) -> None:
        """Let surplus processes go; called every few seconds."""
        self._ahead.note_time(now)
        if self._is_order_late(now):
            self._process.catch_up()
            if self._is_order_late(now):
                self._disobeyed()
            return
        if self.is_busy and self._count_processes() > self._settings.process_limit:
            self._end_crowd()
            return
        idle_s = self._settings.reuse_idle_s if self.key.reuse else 0.0
        surplus = len(self._idle) - self._ahead.target
        for process in list(self._idle)[: max(surplus, 0)]:
            if now - process.idle_since >= idle_s:
                self._idle.remove(process)
                self.kill(process)

    def close(self) -> None:
        """End the zygote and every process below it, now; attempts at work are told."""
        if self._is_closed:
            return
        self._is_closed = True
        self._end_process()
        for timer in self._kill_timers.values():
            timer.cancel()
        self._idle.clear()
        for number, process in list(self._processes.items()):
            self._forget(number, process, None, None)
        for applicant in self.take_waiting():
            applicant.start_failed("the zygote was ended")

    def take_waiting(self) -> list[Applicant]:
        """The attempts that wait for a process; they are somebody else's from now on."""
        waiting, self._waiting = list(self._waiting), deque()
        return waiting

    def wait(self, timeout_s: float) -> None:
        """Wait until the processes of a closed zygote are gone, but not for ever."""
        for process in (*self._former, self._process):
            process.wait(timeout_s)

    def message_received(self, message: ZygoteMessage) -> None:
        """See `ZygoteListener.message_received`."""
        process = self._processes.get(message.number)
        if message.word == "ready":
            self._became_ready()
        elif message.word == "threads":
            self._drop_preload(message.text)
        elif message.word == "cold":
            self._go_without_warming_up()
        elif message.word == "exit" and process is not None:
            self._forget(message.number, process, message.status, message.signal)
            self._order_forks()
        elif message.word == "dumped":
            if (applicant := self._applicants.get(message.number)) is not None:
                applicant.stack_dumped(message.text)
        elif message.word == "left":
            self._remove_left(message.number)
        elif message.word == "refreshed" and process is not None:
            if message.number not in self._refreshing:
                self._lied("it put a directory in order that nobody asked for")
                return
            self._refreshing.remove(message.number)
            self._take_back(process)

    def _remove_left(self, directory: int) -> None:
        """Remove a working directory in which a session left more than the zygote has time for."""
        if any(process.directory == directory for process in self._processes.values()):
            self._lied("it gave up a directory that a process works in")
            return
        self._loop.run_in_executor(None, remove_in_the_end, f"{self.directory}/work/{directory}")

    def child_arrived(self, message: ZygoteMessage, descriptors: tuple[int, int, int]) -> None:
        """See `ZygoteListener.child_arrived`."""
        if not self._ordered or message.number in self._processes:
            for descriptor in descriptors:
                os.close(descriptor)
            self._lied("it sent a process that nobody ordered")
            return
        self._ordered -= 1
        try:
            process = SessionProcess(message.number, descriptors, directory=message.directory)
        except OSError as exc:
            self._lied(f"it sent a process that cannot be talked to: {exc.strerror}")
            return
        self._processes[message.number] = process
        self._pids[message.number] = message.pid
        self._take_back(process)

    def process_lost(self) -> None:
        """See `ZygoteListener.process_lost`. Before it was ever ready, try again without preloading."""
        if self._is_closed:
            return
        if not self._is_ready and (self._preload or self._warms_up):
            logger.warning(
                "zygote restarts without preloading", extra={"said": self._process.said()}
            )
            self._preload = ()
            self._warms_up = False
            self._restart()
            return
        if not self._is_ready:
            said = self._process.said()
            logger.error("zygote cannot be started", extra={"said": said})
            last_line = said.splitlines()[-1] if said else "it ended without a word"
            for applicant in self.take_waiting():
                applicant.start_failed(f"the project's process cannot be started: {last_line}")
        self._on_lost(self)

    def _directory_of(self, process: SessionProcess) -> str:
        return f"{self.directory}/work/{process.directory}"

    def _assign(self, process: SessionProcess, applicant: Applicant) -> None:
        self._early_deaths = 0
        self.has_served = True
        self._applicants[process.number] = applicant
        process.attach(applicant)
        applicant.process_found(self, process)

    def _take_back(self, process: SessionProcess) -> None:
        if self._waiting:
            self._assign(process, self._waiting.popleft())
        else:
            self._idle.append(process)

    def _order_forks(self) -> None:
        if not self._is_ready or self._is_closed:
            return
        count = self._ahead.missing(
            waiting=len(self._waiting), idle=len(self._idle), on_the_way=self._ordered
        )
        if count:
            self._ordered += count
            self._ordered_at = self._loop.time()
            self._send(encode_message("fork", count))

    def _send(self, message: bytes) -> None:
        self._process.send(message)

    def _count_processes(self) -> int:
        pid = self._process.pid
        return 0 if pid is None else len(descendants_of(pid))

    def _end_crowd(self) -> None:
        """Too many processes to tell whose they are in time: all of them go at once."""
        self._end_all(f"more than {self._settings.process_limit} processes ran in its sandbox")

    def _end_all(self, detail: str) -> None:
        logger.warning("zygote ended", extra={"build_id": self.key.build_id, "why": detail})
        for applicant in self._applicants.values():
            applicant.doomed(detail)
        self._on_lost(self)

    def _drop_preload(self, name: str) -> None:
        """Start again without a module that starts threads when imported."""
        logger.info("module not preloaded: it starts threads", extra={"module_name": name})
        top = _top_level(name)
        kept = tuple(entry for entry in self._preload if _top_level(entry) != top)
        if self._is_ready or kept == self._preload:  # it never ends if it is believed
            self._lied("it blamed a module that it had not imported")
            return
        self._preload = kept
        self._restart()

    def _go_without_warming_up(self) -> None:
        logger.info("zygote not warmed up", extra={"said": self._process.said()})
        if self._is_ready or not self._warms_up:  # as above
            self._lied("it told of a rehearsal that it had not made")
            return
        self._warms_up = False
        self._restart()

    def _became_ready(self) -> None:
        self._is_ready = True
        if self._start_timer is not None:
            self._start_timer.cancel()
        self._order_forks()

    def _forget(
        self, number: int, process: SessionProcess, status: int | None, signal_number: int | None
    ) -> None:
        """A process is gone: take its last words, then tell its attempt."""
        del self._processes[number]
        self._pids.pop(number, None)
        self._over_limit.discard(number)
        self._refreshing.discard(number)
        if (timer := self._kill_timers.pop(number, None)) is not None:
            timer.cancel()
        with contextlib.suppress(ValueError):
            self._idle.remove(process)
            self._idle_process_died()
        process.drain_socket()
        process.drain_output()
        applicant = self._applicants.pop(number, None)
        process.close()
        if applicant is not None:
            applicant.process_ended(status, signal_number)

    def _idle_process_died(self) -> None:
        """Processes that die before they get an attempt must not be forked again and again."""
        self._early_deaths += 1
        if self._early_deaths > _EARLY_DEATHS_ALLOWED and not self._is_closed:
            logger.warning(
                "zygote given up: its processes die at once", extra={"said": self._process.said()}
            )
            self._loop.call_soon(self.process_lost)

    def _set_kill_timer(self, number: int, delay_s: float, action: Callable[[], None]) -> None:
        if (timer := self._kill_timers.pop(number, None)) is not None:
            timer.cancel()
        self._kill_timers[number] = self._loop.call_later(delay_s, action)

    def _is_order_late(self, now: float) -> bool:
        is_late = now - self._ordered_at > self._settings.zygote_start_timeout_s
        return self._ordered > 0 and is_late and not self._is_closed

    def _was_not_killed(self, process: SessionProcess) -> None:
        """The zygote's time to answer is over, by a clock that also ran while the host itself may have been stopped."""
        self._process.catch_up()
        if not (process.is_gone or self._is_closed):
            self._disobeyed()

    def _disobeyed(self) -> None:
        logger.warning("zygote does not answer; it is killed")
        self.process_lost()

    def _lied(self, problem: str) -> None:
        """It is of no use: foreign code that was imported there speaks for it."""
        logger.warning("zygote broken", extra={"problem": problem})
        self.problem = problem
        self.process_lost()

    def _start_is_late(self) -> None:
        self._process.catch_up()
        if self._is_ready or self._is_closed:
            return
        logger.warning("zygote not ready in time", extra={"said": self._process.said()})
        self.process_lost()

    def _restart(self) -> None:
        self._end_process()
        self._process = ZygoteProcess(self, is_contained=self._runtime.sandbox.is_active)
        self._ordered = 0
        self.start()

    def _end_process(self) -> None:
        if self._start_timer is not None:
            self._start_timer.cancel()
        self._process.end()
        self._former.append(self._process)


def _top_level(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]
