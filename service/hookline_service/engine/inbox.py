"""Hears what runner hosts say and turns each frame into one step of the engine."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any, Protocol, cast

import anyio
import anyio.abc

from hookline.errors import HooklineError
from hookline_runner.fair_queue import FairQueue
from hookline_runner.frames import LINK_CHANNEL, Frame, FrameType
from hookline_service.engine.calls import CallRuns, OperationHandler
from hookline_service.engine.ending import Exit
from hookline_service.engine.hosts import Host, LiveAttempt
from hookline_service.engine.link import RunnerLink
from hookline_service.engine.parts import EngineDeps
from hookline_service.engine.stacks import take_report
from hookline_service.engine.wire import (
    WireError,
    names_of,
    read_done,
    read_entries,
    read_exit,
    read_header,
    read_log,
    read_suspend,
    text_of,
)
from hookline_service.model.errors import log_level_of
from hookline_service.model.ids import BuildId, new_runner_id
from hookline_service.model.sessions import LogKind, LogRecord

logger = logging.getLogger(__name__)

_WRITING_BYTES = (
    2 * 1024 * 1024
)  # of frames at the store at once: what comes to it later waits no longer
_WAITING_HIGH = 4 * 1024 * 1024
_WAITING_LOW = 3 * 1024 * 1024  # near: what others have to say may stand in the link
_BYTES_PER_TURN = 256 * 1024  # read in one turn of the loop
_PRESSURE_CHECK_S = 0.02
_FRAME_BYTES = 200
_MOST_BUILDS = 1_000
_LONGEST_ID = 200
_LOOKS_PER_LEASE = 4
_MOST_FEATURES = 100


class Runs(CallRuns, Protocol):
    """The engine, as far as attempts report to it."""

    def finish(self, attempt: LiveAttempt, how: Exit) -> None:
        """The attempt's process is gone."""
        ...

    def fill_hosts(self) -> None:
        """There may be room for more."""
        ...


class FrameInbox:
    """See `LinkListener`. Leases: a host that is silent for `lease_s` is dropped, and its attempts are lost.

    Frames of attempts are acted on at once while the store keeps up. When it does not, they wait here, project by
    project in turn, and at last in the links; never more than a little of them at the store, for webhooks go there too.
    """

    def __init__(self, parts: EngineDeps, engine: Runs) -> None:
        self._engine = engine
        self._calls = OperationHandler(parts, engine, self._let_in_soon)
        self._pool = parts.pool
        self._store = parts.store
        self._contexts = parts.contexts
        self._changes = parts.changes
        self._clock = parts.clock
        self._lease_s = parts.settings.lease_s
        self._heartbeat_s = min(parts.settings.heartbeat_s, self._lease_s / 3)
        self._log_limit_lines = parts.settings.limits.log_limit_lines
        self._log_limit_bytes = (
            2 * parts.settings.limits.log_limit_bytes or 1 << 62
        )  # prints, raw output
        self._tasks: anyio.abc.TaskGroup | None = None
        self._is_paused = False
        self._waiting: FairQueue[tuple[LiveAttempt, Frame]] = FairQueue()
        self._writing_bytes = 0
        self._has_turn = False  # whether the loop is about to let the next frames in

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Watch leases and answer requests for builds until cancelled."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            self._calls.open(tasks)
            task_status.started()
            while True:
                await anyio.sleep(self._lease_s / _LOOKS_PER_LEASE)
                self._drop_silent_hosts()

    # -- LinkListener ------------------------------------------------------------------------

    def link_opened(self, link: RunnerLink, hello: dict[str, object]) -> None:
        """See `LinkListener.link_opened`."""
        capacity = hello.get("capacity")
        labels = hello.get("labels")
        host = Host(
            link=link,
            id=new_runner_id(self._clock.now()),
            name=str(hello.get("name") or "runner"),
            sandbox=str(hello.get("sandbox") or "unknown"),
            python=str(hello.get("python") or ""),
            version=str(hello.get("version") or ""),
            features=_features_of(hello),
            labels=tuple(str(label) for label in labels) if isinstance(labels, list) else (),  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON list
            capacity=capacity if isinstance(capacity, int) and capacity > 0 else 1,
            last_heard=asyncio.get_running_loop().time(),
            pid=pid if isinstance(pid := hello.get("pid"), int) else 0,
        )
        self._pool.add(host)
        welcome = {
            "runner": host.id,
            "lease_s": self._lease_s,
            "heartbeat_s": self._heartbeat_s,
        }
        link.send(FrameType.WELCOME, LINK_CHANNEL, welcome)
        logger.info("runner host connected", extra={"runner": host.name, "sandbox": host.sandbox})
        if not host.sandbox.startswith("bubblewrap"):  # what it does not hold against may follow
            logger.warning(
                "sessions run without a sandbox; only resource limits contain them",
                extra={"runner": host.name, "reason": host.sandbox},
            )
        self._engine.fill_hosts()

    def bytes_received(self, link: RunnerLink) -> None:
        """See `LinkListener.bytes_received`."""
        host = self._pool.find(link)
        if host is not None:
            host.last_heard = asyncio.get_running_loop().time()

    def frame_received(self, link: RunnerLink, frame: Frame) -> None:
        """See `LinkListener.frame_received`."""
        host = self._pool.find(link)
        if host is None:
            return
        if frame.channel == LINK_CHANNEL:
            self._link_frame(host, frame)
            return
        attempt = host.attempts.get(frame.channel)
        if attempt is None:
            return
        if self._waiting or self._is_full():
            size_bytes = _size_of(frame)
            project = attempt.session.project_id
            self._waiting.push(project, attempt.session.id, size_bytes, (attempt, frame))
            self._ease_pressure()
            self._let_in_soon()
        else:
            self._act_for(attempt, frame)

    def _act_for(self, attempt: LiveAttempt, frame: Frame) -> None:
        if attempt.is_closed:
            return
        try:
            self._attempt_frame(attempt, frame)
        except WireError as exc:
            logger.warning(
                "an attempt broke the protocol",
                extra={"session_id": attempt.session.id, "error": str(exc)},
            )
            self._engine.abort(attempt, Exit(reason="protocol", detail=str(exc)))
        except Exception as exc:  # what one attempt says must not end the link of all
            facts = {"session_id": attempt.session.id, "frame": frame.type.name}
            logger.exception("a frame of an attempt was not acted on", extra=facts)
            detail = f"{frame.type.name}: {type(exc).__name__}"
            self._engine.abort(attempt, Exit(reason="internal", detail=detail))

    def link_closed(self, link: RunnerLink) -> None:
        """See `LinkListener.link_closed`."""
        while self._waiting:  # what was heard counts
            self._act_for(*self._waiting.pop())
        host = self._pool.remove(link)
        if host is None:
            return
        if self._pool.is_closed:
            logger.info("runner host gone with the service", extra={"runner": host.name})
        else:
            logger.warning("runner host lost", extra={"runner": host.name})
        for attempt in list(host.attempts.values()):
            self._engine.finish(attempt, Exit(reason="lost"))

    # -- frames of attempts ------------------------------------------------------------------

    def _attempt_frame(self, attempt: LiveAttempt, frame: Frame) -> None:
        if attempt.verdict is not None and frame.type is not FrameType.EXITED:
            return
        match frame.type:
            case FrameType.APPEND:
                self._append(attempt, frame)
            case FrameType.LOG:
                self._log(attempt, frame)
            case FrameType.CALL:
                self._calls.take(attempt, frame)
            case FrameType.DONE:
                attempt.done = read_done(frame, attempt.mask)
            case FrameType.SUSPEND if attempt.session.is_durable:
                attempt.suspension = read_suspend(frame)
            case FrameType.EXITED:
                self._engine.finish(attempt, read_exit(frame, attempt.mask))
            case FrameType.STACK_TAKEN:
                take_report(attempt, frame)
            case FrameType.STARTED if not attempt.has_started:
                attempt.has_started = True
            case _:
                raise WireError(f"an unexpected {frame.type.name}")

    def _append(self, attempt: LiveAttempt, frame: Frame) -> None:
        number, entries = read_entries(frame, attempt.position)
        attempt.seq += len(entries)
        size_bytes = self._begin_writing(frame)
        self._store.append_soon(entries, (), partial(self._appended, attempt, number, size_bytes))

    def _appended(
        self, attempt: LiveAttempt, number: int, size_bytes: int, error: Exception | None
    ) -> None:
        self._end_writing(size_bytes)
        if error is not None:
            facts = {"session_id": attempt.session.id, "error": str(error)}
            logger.log(
                log_level_of(error), "journal entries not recorded; ending the attempt", extra=facts
            )
            self._engine.abort(attempt, Exit(reason="store"))
            return
        attempt.has_recorded = True
        if not attempt.is_closed:
            header = b'{"n":%d}' % number
            attempt.host.link.send_encoded(FrameType.ACK, attempt.channel, header)
        self._changes.notify(attempt.session.id)

    def _log(self, attempt: LiveAttempt, frame: Frame) -> None:
        room = self._log_limit_lines - attempt.log_lines
        if room < 0 or attempt.log_bytes > self._log_limit_bytes:
            return
        gap, attempt.log_gap = attempt.log_gap, 0
        missing: list[LogRecord] = []
        if gap:
            text = f"{gap} records of this log are missing: the database could not be written"
            missing.append(attempt.record(self._clock.now(), LogKind.WARNING, text))
        records = read_log(frame, attempt.position)
        attempt.log_lines += len(records)
        attempt.log_bytes += sum(len(record.text) for record in records)
        attempt.seq += len(records)
        is_too_large = attempt.log_bytes > self._log_limit_bytes
        if len(records) > room or is_too_large:
            del records[0 if is_too_large else room :]
            text = "log cut: more records in this attempt, or longer ones, than the limits allow"
            records.append(attempt.record(self._clock.now(), LogKind.WARNING, text))
        size_bytes = self._begin_writing(frame)
        stored = partial(self._logged, attempt, gap + len(records), size_bytes)
        self._store.append_soon((), [*missing, *records], stored)

    def _logged(
        self, attempt: LiveAttempt, count: int, size_bytes: int, error: Exception | None
    ) -> None:
        self._end_writing(size_bytes)
        if error is not None:
            attempt.log_gap += count
            facts = {"session_id": attempt.session.id, "error": str(error)}
            logger.log(log_level_of(error), "log records not recorded", extra=facts)
        self._changes.notify(attempt.session.id)

    # -- frames of the link ------------------------------------------------------------------

    def _link_frame(self, host: Host, frame: Frame) -> None:
        facts = {"runner": host.name, "frame": frame.type.name}
        problem = ""
        try:
            self._act_on(host, frame.type, read_header(frame))
        except WireError as exc:
            problem = str(exc)
            logger.warning("a malformed frame from a runner host", extra=facts | {"error": problem})
        except Exception as exc:  # as above
            problem = type(exc).__name__
            logger.exception("a frame of a runner host was not acted on", extra=facts)
        if problem and frame.type is FrameType.PREPARED:
            self._pool.refuse_answer(host.link, problem)

    def _act_on(self, host: Host, frame_type: FrameType, header: dict[str, Any]) -> None:
        match frame_type:
            case FrameType.HEARTBEAT:
                self._heartbeat(host, header)
            case FrameType.PROGRESS:
                self._pool.deliver("progress", header)
            case FrameType.PREPARED:
                self._pool.deliver("prepared", header)
            case FrameType.NEED_BUILD if self._tasks is not None:
                build_id = BuildId(text_of(header.get("build"), _LONGEST_ID))
                self._tasks.start_soon(self._send_build, host, build_id, name=f"send {build_id}")
            case FrameType.IDLE_BUILDS if self._tasks is not None:
                wanted = [BuildId(each) for each in names_of(header.get("builds"), _MOST_BUILDS)]
                self._tasks.start_soon(self._send_unneeded, host, wanted, name="idle builds")
            case _:
                logger.warning(
                    "an unexpected frame from a runner host", extra={"runner": host.name}
                )

    def _heartbeat(self, host: Host, header: dict[str, Any]) -> None:
        rss_bytes, channels = header.get("rss_bytes"), header.get("channels")
        host.rss_bytes = rss_bytes if isinstance(rss_bytes, int) else 0
        if not isinstance(channels, list):
            raise WireError("a HEARTBEAT without channels")
        alive = {each for each in cast("list[object]", channels) if isinstance(each, int)}
        starts_read = header.get("starts")
        if not isinstance(starts_read, int) or isinstance(
            starts_read, bool
        ):  # an older host: nobody knows what it had heard
            return
        for channel, attempt in list(host.attempts.items()):
            was_known = attempt.is_launched and attempt.launch <= starts_read
            # Its end may be among what was read before this, and waits for its turn.
            if (
                channel not in alive
                and was_known
                and not self._waiting.bytes_of(attempt.session.id)
            ):
                how = Exit(reason="lost", detail="the host forgot it")
                self._engine.abort(attempt, how)
                self._engine.finish(attempt, how)

    def _drop_silent_hosts(self) -> None:
        """Drop who is silent for the second time in a row.

        Between two looks the loop has read what stood in the link, however long this process was stopped before.
        """
        if self._is_paused:  # we do not listen, so silence means nothing
            return
        now = asyncio.get_running_loop().time()
        for host in self._pool.hosts():
            was_suspected, host.is_suspected = (
                host.is_suspected,
                now - host.last_heard > self._lease_s,
            )
            if host.is_suspected and was_suspected:
                logger.warning("runner host silent; dropping it", extra={"runner": host.name})
                host.link.close()

    async def _send_build(self, host: Host, build_id: BuildId) -> None:
        try:
            material = await self._contexts.get_material(build_id)
        except HooklineError as exc:
            logger.error("build not found", extra={"build_id": build_id, "error": exc.message})  # noqa: TRY400 - the error is ours and needs no traceback
            header: dict[str, object] = {"build": build_id, "missing": True}
            host.link.send(FrameType.BUILD, LINK_CHANNEL, header)
            return
        header = {
            "build": build_id,
            "python": material.python,
            "requirements": material.requirements,
            "process": material.process,
        }
        host.link.send(FrameType.BUILD, LINK_CHANNEL, header, material.archive)

    async def _send_unneeded(self, host: Host, builds: list[BuildId]) -> None:
        try:
            needed = set(await self._store.list_needed_builds(builds))
        except HooklineError as exc:
            logger.warning("idle builds not looked up", extra={"reason": exc.message})
            return
        unneeded = [each for each in builds if each not in needed]
        host.link.send(FrameType.UNNEEDED, LINK_CHANNEL, {"builds": unneeded})

    # -- back-pressure -----------------------------------------------------------------------

    def _is_full(self) -> bool:
        """Whether there is enough for the store to write, and to read in threads."""
        return self._writing_bytes + self._calls.waiting_bytes >= _WRITING_BYTES

    def _begin_writing(self, frame: Frame) -> int:
        size_bytes = _size_of(frame)
        self._writing_bytes += size_bytes
        return size_bytes

    def _end_writing(self, size_bytes: int) -> None:
        self._writing_bytes -= size_bytes
        self._let_in_soon()

    def _let_in_soon(self) -> None:
        if self._waiting and not self._has_turn and not self._is_full():
            self._has_turn = True
            asyncio.get_running_loop().call_soon(self._let_in)

    def _let_in(self) -> None:
        """Act on frames that wait, a little at a time, for others wait for the loop."""
        self._has_turn = False
        size_bytes = 0
        while self._waiting and size_bytes < _BYTES_PER_TURN and not self._is_full():
            attempt, frame = self._waiting.pop()
            size_bytes += _size_of(frame)
            self._act_for(attempt, frame)
        self._let_in_soon()

    def _ease_pressure(self) -> None:
        """Stop reading from hosts while too much waits; what waits there has its turn, too."""
        if self._is_paused or self._waiting.size_bytes < _WAITING_HIGH:
            return
        self._is_paused = True
        for host in self._pool.hosts():
            host.link.pause()
        asyncio.get_running_loop().call_later(_PRESSURE_CHECK_S, self._resume_when_eased)

    def _resume_when_eased(self) -> None:
        self._let_in_soon()
        if self._waiting.size_bytes > _WAITING_LOW:
            asyncio.get_running_loop().call_later(_PRESSURE_CHECK_S, self._resume_when_eased)
            return
        self._is_paused = False
        now = asyncio.get_running_loop().time()
        for host in self._pool.hosts():
            host.last_heard = now
            host.link.resume()


def _features_of(hello: dict[str, object]) -> frozenset[str]:
    """What the host knows of the protocol beyond its first version."""
    try:
        return frozenset(names_of(hello.get("features", []), _MOST_FEATURES))
    except WireError:
        return frozenset()


def _size_of(frame: Frame) -> int:
    return len(frame.header) + len(frame.payload) + _FRAME_BYTES
