"""What each frame of the service sets off on this host."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import anyio
from anyio.abc import TaskGroup

from hookline.errors import HooklineError
from hookline_runner import fast_json
from hookline_runner.attempts import (
    Attempt,
    LinkSender,
    StartRequest,
    exit_header,
    read_start,
    text_in,
)
from hookline_runner.builds import Build, BuildSpec
from hookline_runner.errors import BuildNotSentError, StartUnreadableError
from hookline_runner.frames import LINK_CHANNEL, FrameType
from hookline_runner.preparation import Preparation, ReadyBuild
from hookline_runner.relay import RawFrame
from hookline_runner.settings import RunnerSettings
from hookline_runner.zygote_launch import ZygoteKey
from hookline_runner.zygote_pool import ZygotePool

logger = logging.getLogger(__name__)

_BUILD_WAIT_S = 60.0
_MUCH_UNREAD_BYTES = 4 * 1024 * 1024
_MOST_UNREAD_BYTES = 512 * 1024 * 1024


class Dispatch:
    """Attempts by channel, builds by id. Frames are handled on the event loop; what takes time is a task."""

    def __init__(
        self,
        *,
        link: LinkSender,
        settings: RunnerSettings,
        preparation: Preparation,
        pool: ZygotePool,
        tasks: TaskGroup,
        now: Callable[[], float],
    ) -> None:
        self._link = link
        self._settings = settings
        self._preparation = preparation
        self._pool = pool
        self._tasks = tasks
        self._now = now
        self._attempts: dict[int, Attempt] = {}
        self._starts_read = 0
        self._ready: dict[str, ReadyBuild] = {}
        self._awaiting: dict[str, list[Attempt]] = {}  # attempts whose build is being fetched
        self._sent_builds: dict[str, RawFrame] = {}
        self._build_sent: dict[str, anyio.Event] = {}

    @property
    def channels(self) -> list[int]:
        """Channels of the attempts alive."""
        return list(self._attempts)

    @property
    def starts_read(self) -> int:
        """How many STARTs of the service were read on this link: of later ones the host cannot know."""
        return self._starts_read

    def receive(self, frame: RawFrame) -> None:
        """Act on a frame of the service. What it does not say harms at most its own attempt."""
        try:
            self._act_on(frame)
        except Exception as exc:  # everything on this host hangs on one link
            facts = {"frame": frame.type, "channel": frame.channel}
            logger.exception("a frame of the service was not acted on", extra=facts)
            problem = f"a frame of the service was not acted on: {type(exc).__name__}"
            if (attempt := self._attempts.get(frame.channel)) is not None:
                attempt.give_up(problem)

    def _act_on(self, frame: RawFrame) -> None:
        attempt = self._attempts.get(frame.channel)
        if frame.type == FrameType.START:
            self._starts_read += 1
            if attempt is None and frame.channel != LINK_CHANNEL:
                self._start(frame)
        elif frame.channel != LINK_CHANNEL:
            if attempt is None:
                return
            if frame.type == FrameType.STOP:
                attempt.stop(frame)
            elif frame.type == FrameType.STACK:
                attempt.take_stack()
            else:
                attempt.pass_on(frame)
                if attempt.unread_bytes > _MUCH_UNREAD_BYTES:
                    self._bound_unread()
        elif frame.type == FrameType.PREPARE:
            self._tasks.start_soon(self._prepare, frame, name="prepare")
        elif frame.type == FrameType.BUILD:
            self._receive_build(frame)

    def hold(self, channel: int) -> None:
        """Read nothing more of an attempt: the service does not keep up with it."""
        if (attempt := self._attempts.get(channel)) is not None:
            attempt.flow.hold_for_link()

    def ease(self, channel: int) -> None:
        """The service has caught up with an attempt."""
        if (attempt := self._attempts.get(channel)) is not None:
            attempt.flow.ease_link()

    def _bound_unread(self) -> None:
        """End the attempt that leaves the most unread, when all together leave too much."""
        attempts = self._attempts.values()
        if sum(attempt.unread_bytes for attempt in attempts) > _MOST_UNREAD_BYTES:
            most = max(attempts, key=lambda attempt: attempt.unread_bytes)
            most.reads_too_little(_MOST_UNREAD_BYTES)

    def _start(self, frame: RawFrame) -> None:
        try:
            request = read_start(frame.header)
        except StartUnreadableError as exc:
            logger.warning("start not readable", extra={"channel": frame.channel})
            self._link.send(
                FrameType.EXITED, frame.channel, exit_header("start_failed", detail=exc.message)
            )
            return
        attempt = Attempt(
            frame, request, link=self._link, now=self._now, on_ended=self._attempt_ended
        )
        self._attempts[frame.channel] = attempt
        ready = self._ready.get(request.build_id)
        if ready is not None and self._can_start(ready, request):
            self._request_process(ready, attempt)
        elif request.build_id in self._awaiting:
            self._awaiting[request.build_id].append(attempt)
        else:
            self._awaiting[request.build_id] = [attempt]
            self._tasks.start_soon(self._fetch, request.build_id, name="fetch build")

    def _attempt_ended(self, attempt: Attempt) -> None:
        self._attempts.pop(attempt.channel, None)
        if not attempt.has_process:
            self._pool.withdraw(attempt)

    def _can_start(self, ready: ReadyBuild, request: StartRequest) -> bool:
        """Whether there is a zygote, or everything that one is made of; a tidy person may have removed it."""
        limit = request.memory_limit_bytes
        key = self._key_of(ready, reuse=request.reuse, memory_limit_bytes=limit)
        return self._pool.has(key) or ready.is_whole()

    def _request_process(self, ready: ReadyBuild, attempt: Attempt) -> None:
        request = attempt.request
        key = self._key_of(
            ready, reuse=request.reuse, memory_limit_bytes=request.memory_limit_bytes
        )
        try:
            self._pool.request(ready, attempt, key)
        except Exception as exc:  # one session's start must not end the others
            logger.exception("no process for an attempt", extra={"build_id": request.build_id})
            attempt.give_up(f"no process was available: {type(exc).__name__}: {exc}")

    def _key_of(self, ready: ReadyBuild, *, reuse: bool, memory_limit_bytes: int) -> ZygoteKey:
        limit = memory_limit_bytes or self._settings.memory_limit_bytes
        return ZygoteKey(ready.build.id, reuse, limit)

    async def _fetch(self, build_id: str) -> None:
        """Get a build that attempts wait for, from disk or from the service, and start them."""
        try:
            build = await self._preparation.find(build_id) or await self._ask_for(build_id)
            ready, _ = await self._preparation.make_ready(build, _ignore_progress)
        except (HooklineError, OSError) as exc:
            logger.warning("build not available", extra={"build_id": build_id, "error": str(exc)})
            self._fail_awaiting(build_id, str(exc))
            return
        except Exception as exc:  # one build must not end the sessions of others
            logger.exception("build not made ready", extra={"build_id": build_id})
            self._fail_awaiting(build_id, f"{type(exc).__name__}: {exc}")
            return
        self._ready[build_id] = ready
        for attempt in self._awaiting.pop(build_id):
            if not attempt.is_ended:
                self._request_process(ready, attempt)

    def _fail_awaiting(self, build_id: str, problem: str) -> None:
        for attempt in self._awaiting.pop(build_id):
            attempt.start_failed(problem)

    async def _ask_for(self, build_id: str) -> Build:
        sent = self._build_sent[build_id] = anyio.Event()
        self._link.send(FrameType.NEED_BUILD, LINK_CHANNEL, {"build": build_id})
        try:
            with anyio.fail_after(_BUILD_WAIT_S):
                await sent.wait()
        except TimeoutError as exc:
            raise BuildNotSentError(build_id) from exc
        finally:
            del self._build_sent[build_id]
        frame = self._sent_builds.pop(build_id)
        return await self._preparation.keep(build_id, _spec_of(read_fields(frame)), frame.payload)

    def _receive_build(self, frame: RawFrame) -> None:
        build_id = read_fields(frame).get("build")
        if isinstance(build_id, str) and (sent := self._build_sent.get(build_id)):
            self._sent_builds[build_id] = frame
            sent.set()

    async def _prepare(self, frame: RawFrame) -> None:
        """Carry out a PREPARE and answer it, whatever comes."""
        fields = read_fields(frame)
        request = fields.get("request")
        if not isinstance(request, int):
            logger.warning("a request of the service without a number", extra={"frame": frame.type})
            return

        async def report(text: str) -> None:
            progress = {"request": request, "text": text}
            self._link.send(FrameType.PROGRESS, LINK_CHANNEL, progress)

        build_id = ""
        try:
            build_id = text_in(fields, "build")
            build = await self._preparation.keep(build_id, _spec_of(fields), frame.payload)
            ready, facts = await self._preparation.make_ready(build, report)
        except (HooklineError, OSError) as exc:
            code = exc.code if isinstance(exc, HooklineError) else "runner.host_failed"
            self._refuse(request, code, str(exc))
            return
        except Exception as exc:  # one build must not end the sessions of others
            logger.exception("build not made ready", extra={"build_id": build_id})
            self._refuse(request, "runner.host_failed", f"{type(exc).__name__}: {exc}")
            return
        self._ready[build_id] = ready
        answer = {
            **{name: facts[name] for name in ("modules", "provided", "stdlib", "python")},
            "request": request,
            "ok": True,
            "error": None,
            "environment": ready.environment.id,
        }
        self._link.send(FrameType.PREPARED, LINK_CHANNEL, answer)
        reuse = fields.get("process") == "reuse"
        try:
            self._pool.warm(ready, self._key_of(ready, reuse=reuse, memory_limit_bytes=0))
        except Exception:  # the first session meets it again, and ends by it alone
            logger.exception("no process made ahead", extra={"build_id": build_id})

    def _refuse(self, request: int, code: str, message: str) -> None:
        answer = {"request": request, "ok": False, "error": {"code": code, "message": message}}
        self._link.send(FrameType.PREPARED, LINK_CHANNEL, answer)


async def _ignore_progress(text: str) -> None:
    del text


def read_fields(frame: RawFrame) -> dict[str, Any]:  # Any: JSON of the service
    """The fields of a frame of the service; none when they cannot be read, which is logged."""
    try:
        fields: object = fast_json.read_header(frame.header)
    except (ValueError, RecursionError) as exc:
        facts = {"frame": frame.type, "problem": str(exc)}
        logger.warning("a frame of the service cannot be read", extra=facts)
        return {}
    return cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}


def _spec_of(fields: dict[str, Any]) -> BuildSpec:  # Any: as above
    return BuildSpec(python=text_in(fields, "python"), requirements=text_in(fields, "requirements"))
