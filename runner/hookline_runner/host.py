"""The runner host: holds the link to the service, and ends with it."""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import anyio
from anyio.abc import TaskGroup

from hookline.errors import HooklineError
from hookline_runner.builds import Builds
from hookline_runner.cache_eviction import CacheEviction
from hookline_runner.child_processes import ChildProcesses
from hookline_runner.clock import now_s
from hookline_runner.disk_watch import DiskLimits, keep_disk_watch
from hookline_runner.dispatch import Dispatch, read_fields
from hookline_runner.environments import Environments
from hookline_runner.errors import (
    LinkRefusedError,
    NetworkSettingError,
    SandboxRequiredError,
    ServiceUnreachableError,
)
from hookline_runner.footing import Footing
from hookline_runner.frames import LINK_CHANNEL, FrameType
from hookline_runner.launch import join_new_keyring
from hookline_runner.link import ServiceLink
from hookline_runner.log_format import log_to_stderr
from hookline_runner.memory_watch import Excess, keep_watch
from hookline_runner.preparation import Preparation
from hookline_runner.processes import adopt_orphans, die_with_parent
from hookline_runner.project_process import ProjectRuntime, service_python
from hookline_runner.relay import RawFrame
from hookline_runner.sandbox import Sandbox, probe_sandbox
from hookline_runner.session_trees import Watched
from hookline_runner.settings import RunnerSettings, read_environment, read_token, wants_json_log
from hookline_runner.zygote_pool import ZygotePool

logger = logging.getLogger(__name__)

_CONNECT_WAIT_S = 10.0
_CONNECT_RETRY_S = 0.05
_CLEAN_UP_AFTER_S = 15.0
_DEFAULT_HEARTBEAT_S = 2.0
_SHORTEST_HEARTBEAT_S, _LONGEST_HEARTBEAT_S = 0.01, 60.0
_ANSWER_WAIT_S = 60.0
_FOOTING_S = 1.0
_DESCRIPTORS = 16_384
_EXIT_STATUS = {"unauthenticated": 3, "unavailable": 4, "internal": 70}


class RunnerHost:
    """One link and everything that runs on it. See `LinkListener` for the callbacks."""

    def __init__(self, settings: RunnerSettings, runtime: ProjectRuntime) -> None:
        self._settings = settings
        self._runtime = runtime
        self._processes = ChildProcesses()
        self._pool = ZygotePool(settings, runtime)
        self._link = ServiceLink(self)
        self._dispatch: Dispatch | None = None
        self._unneeded: tuple[str, ...] = ()
        self._has_answer = anyio.Event()
        self._welcomed = anyio.Event()
        self._lost = anyio.Event()
        self._problem = ""
        self._heartbeat_s = _DEFAULT_HEARTBEAT_S
        home = settings.home
        places = (home / "environments", home / "builds", self._pool.directory)
        self._footing = Footing((home, *places))

    async def run(self) -> None:
        """Serve until the link is lost or this task is cancelled; then end every process.

        Raises `ServiceUnreachableError`, `LinkRefusedError`.
        """
        await self._connect()
        try:
            async with anyio.create_task_group() as tasks:
                self._dispatch = self._make_dispatch(tasks)
                self._say_hello()
                tasks.start_soon(self._clean_up, name="clean up")
                tasks.start_soon(self._beat, name="heartbeat")
                tasks.start_soon(keep_watch, self._watched, self._end_oversized, name="memory")
                tasks.start_soon(self._watch_disk, name="disk")
                tasks.start_soon(self._watch_footing, name="footing")
                await self._lost.wait()
                tasks.cancel_scope.cancel()
        finally:
            self._link.close()
            self._pool.close()
            self._pool.end_orphans(self._processes.pids)
            self._footing.close()
        if not self._welcomed.is_set():
            raise LinkRefusedError
        logger.info(
            "link to the service lost, all processes ended", extra={"problem": self._problem}
        )

    def frame_received(self, frame: RawFrame) -> None:
        """See `LinkListener.frame_received`."""
        if frame.type == FrameType.WELCOME:
            fields = read_fields(frame)
            self._heartbeat_s = _heartbeat_of(fields.get("heartbeat_s"))
            self._welcomed.set()
            runner = fields.get("runner")
            facts = {"runner": runner if isinstance(runner, str) else None}
            logger.info("welcomed by the service", extra=facts)
        elif frame.type == FrameType.UNNEEDED:
            builds = read_fields(frame).get("builds")
            if isinstance(builds, list):
                named = cast("list[object]", builds)
                self._unneeded = tuple(each for each in named if isinstance(each, str))
            self._has_answer.set()
        elif self._dispatch is not None:
            self._dispatch.receive(frame)

    def channel_held(self, channel: int) -> None:
        """See `LinkListener.channel_held`."""
        if self._dispatch is not None:
            self._dispatch.hold(channel)

    def channel_eased(self, channel: int) -> None:
        """See `LinkListener.channel_eased`."""
        if self._dispatch is not None:
            self._dispatch.ease(channel)

    def link_lost(self, problem: str) -> None:
        """See `LinkListener.link_lost`."""
        self._problem = problem
        self._lost.set()

    async def _connect(self) -> None:
        """Connect to the service, which may just be starting."""
        import asyncio  # noqa: PLC0415 - the loop alone; tasks are anyio's

        loop = asyncio.get_running_loop()
        path = str(self._settings.socket)
        with anyio.move_on_after(_CONNECT_WAIT_S):
            while True:
                with suppress(OSError):
                    await loop.create_unix_connection(lambda: self._link, path)
                    return
                await anyio.sleep(_CONNECT_RETRY_S)
        raise ServiceUnreachableError(path)

    def _make_dispatch(self, tasks: TaskGroup) -> Dispatch:
        settings, runtime = self._settings, self._runtime
        self._environments = Environments(
            settings.home / "environments",
            sandbox=runtime.sandbox,
            processes=self._processes,
            install_environment=settings.install_environment,
            timeout_s=settings.environment_timeout_s,
            memory_bytes=settings.build_memory_bytes,
        )
        builds = Builds(settings.home / "builds")
        self._tidying = CacheEviction(
            builds,
            self._environments,
            days=settings.cache_days,
            now=now_s,
            ask=self._ask_unneeded,
            in_use=self._pool.warm_builds,
        )
        preparation = Preparation(builds, self._environments, runtime, self._processes)
        return Dispatch(
            link=self._link,
            settings=settings,
            preparation=preparation,
            pool=self._pool,
            tasks=tasks,
            now=now_s,
        )

    def _say_hello(self) -> None:
        settings = self._settings
        hello = {
            "token": settings.token,
            "name": settings.name,
            "pid": os.getpid(),
            "version": _own_version(),
            "python": service_python(),
            "capacity": settings.capacity,
            "labels": list(settings.labels),
            "features": ["stack"],
            "sandbox": self._runtime.sandbox.description,
        }
        self._link.send(FrameType.HELLO, LINK_CHANNEL, hello)

    def _watched(self) -> list[Watched]:
        return [*self._pool.watched(), *self._processes.watched()]

    def _end_oversized(self, excess: Excess) -> None:
        self._pool.end_oversized(excess)
        self._processes.end_oversized(excess)

    async def _watch_disk(self) -> None:
        settings = self._settings
        limits = DiskLimits(used_bytes=settings.disk_limit_bytes, files=settings.files_limit)
        await keep_disk_watch(
            str(settings.home), limits, self._pool.keepers, self._pool.end_overfull
        )

    async def _watch_footing(self) -> None:
        """End when a directory of the home was taken away: another host makes it anew, and sessions go on there."""
        while True:
            lost = await anyio.to_thread.run_sync(self._footing.find_lost)
            if lost:
                logger.error("a directory of the runner host is gone", extra={"directory": lost})
                self.link_lost(f"{lost} was taken away")
                return
            await anyio.sleep(_FOOTING_S)

    async def _clean_up(self) -> None:
        """Remove what earlier hosts left on disk, and from then on what has been idle for long."""
        await anyio.to_thread.run_sync(self._environments.remove_unfinished)
        await anyio.sleep(_CLEAN_UP_AFTER_S)  # a crash left them: sessions that go on come first
        await anyio.to_thread.run_sync(self._pool.remove_unfinished)
        await self._tidying.run()

    async def _ask_unneeded(self, builds: Sequence[str]) -> Collection[str]:
        """Which of these builds nothing needs; none if the service does not say."""
        self._unneeded, self._has_answer = (), anyio.Event()
        self._link.send(FrameType.IDLE_BUILDS, LINK_CHANNEL, {"builds": list(builds)})
        with anyio.move_on_after(_ANSWER_WAIT_S):
            await self._has_answer.wait()
        return self._unneeded

    async def _beat(self) -> None:
        await self._welcomed.wait()
        while True:
            dispatch = self._dispatch
            channels = [] if dispatch is None else dispatch.channels
            beat = {
                # An end that has not left yet may come behind this: until then its attempt lives.
                "channels": [*({*channels, *self._link.waiting_channels()} - {LINK_CHANNEL})],
                "starts": 0 if dispatch is None else dispatch.starts_read,
                "free": max(0, self._settings.capacity - len(channels)),
                "rss_bytes": _own_rss_bytes(),
            }
            self._link.send(FrameType.HEARTBEAT, LINK_CHANNEL, beat)
            self._pool.tend()
            self._link.large.tend()
            self._pool.end_orphans(self._processes.pids)
            await anyio.sleep(self._heartbeat_s)


def make_runtime(settings: RunnerSettings) -> ProjectRuntime:
    """Find out how user code is contained here. Raises `SandboxRequiredError`."""
    sandbox: Sandbox = probe_sandbox(settings.sandbox, settings.home)
    if settings.sandbox == "require" and not sandbox.is_active:
        raise SandboxRequiredError(sandbox.description)
    if settings.network not in {"host", "none"}:
        raise NetworkSettingError(settings.network)
    if settings.network == "none" and not sandbox.is_active:
        raise SandboxRequiredError(sandbox.description, "HOOKLINE_RUNNER_NETWORK=none")
    return ProjectRuntime(
        sandbox=sandbox,
        has_network=settings.network == "host",
        variables=settings.passed_variables,
        scratch_limit_bytes=settings.scratch_limit_bytes,
        prepare_memory_bytes=settings.prepare_memory_bytes,
    )


async def serve(settings: RunnerSettings, runtime: ProjectRuntime) -> None:
    """Be a runner host until the link is lost or a SIGTERM or SIGINT comes. Raises as `RunnerHost.run`."""
    adopt_orphans()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_on_signal, tasks, name="signals")
        await RunnerHost(settings, runtime).run()
        tasks.cancel_scope.cancel()


def run(settings: RunnerSettings) -> int:
    """Be a runner host; the exit status of the process."""
    if settings.dies_with_parent:
        die_with_parent()
    join_new_keyring()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _allow_many_descriptors()
    problem: HooklineError | None = None
    try:
        runtime = make_runtime(settings)
        anyio.run(serve, settings, runtime, backend_options={"use_uvloop": True})
    except* HooklineError as group:
        problem = _first_leaf(group)
    if problem is None:
        return 0
    logger.error("runner host ended: %s", problem)
    return _EXIT_STATUS.get(problem.kind, 1)


def _heartbeat_of(value: object) -> float:
    """How often to beat, in seconds; as usual when the service does not say it, or what cannot be."""
    if isinstance(value, int | float) and _SHORTEST_HEARTBEAT_S <= value <= _LONGEST_HEARTBEAT_S:
        return float(value)
    return _DEFAULT_HEARTBEAT_S


def _first_leaf(group: BaseExceptionGroup[HooklineError]) -> HooklineError:
    first = group.exceptions[0]
    return _first_leaf(first) if isinstance(first, BaseExceptionGroup) else first


def main(arguments: Sequence[str] | None = None) -> int:
    """The program: `python -m hookline_runner --socket PATH --home DIR [--name NAME] [--token-file FILE]`."""
    parser = argparse.ArgumentParser(
        prog="hookline_runner", description="Runs sessions for a service."
    )
    parser.add_argument("--socket", type=Path, required=True, help="the service's runner socket")
    parser.add_argument("--home", type=Path, required=True, help="where environments and builds go")
    parser.add_argument("--name", default="local", help="shown to people")
    parser.add_argument(
        "--token-file", type=Path, help="holds the token; else HOOKLINE_RUNNER_TOKEN does"
    )
    parser.add_argument(
        "--child", action="store_true", help="end with the process that started this"
    )
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    log_to_stderr(as_json=wants_json_log())
    fields: dict[str, Any] = {  # Any: fields of several types
        **read_environment(),
        "socket": options.socket,
        "home": options.home.resolve(),
        "name": options.name,
        "token": read_token(options.token_file),
        "dies_with_parent": options.child,
    }
    return run(RunnerSettings(**fields))


async def _cancel_on_signal(tasks: TaskGroup) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            tasks.cancel_scope.cancel()
            return


def _allow_many_descriptors() -> None:
    """Each session process takes three; a process that the host starts gets its own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _own_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow to import

    try:
        return version("hookline")
    except PackageNotFoundError:
        return "0"


def _own_rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
