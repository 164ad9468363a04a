"""The connected runner hosts: who is there, who has room, and builds made ready by them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from hookline_runner.frames import LINK_CHANNEL, MAX_FRAME_BYTES, FrameType
from hookline_service.engine.hosts import Host
from hookline_service.engine.link import RunnerLink
from hookline_service.engine.protocol import Prepared, PrepareRequest, RunnerInfo
from hookline_service.model.errors import RunnerUnavailableError

logger = logging.getLogger(__name__)

_CONNECT_WAIT_S = 10.0
_POLL_S = 0.05
_MOST_BUILD_MB = MAX_FRAME_BYTES // 1024**2 - 1

# A message about one PREPARE: ("progress", header) or ("prepared", header) or ("lost", {}).
_Message = tuple[str, dict[str, Any]]  # Any: JSON of the wire, parsed in `_prepared_of`


class RunnerPool:
    """See `Runners` and `Preparer`."""

    def __init__(self, *, prepare_timeout_s: float) -> None:
        self._prepare_timeout_s = prepare_timeout_s
        self._is_closed = False
        self._hosts: dict[RunnerLink, Host] = {}
        self._arrived = anyio.Event()
        self._requests: dict[int, tuple[RunnerLink, MemoryObjectSendStream[_Message]]] = {}
        self._next_request = 1

    def add(self, host: Host) -> None:
        """A host said hello."""
        self._hosts[host.link] = host
        self._arrived.set()

    def remove(self, link: RunnerLink) -> Host | None:
        """A link is gone; builds it was preparing fail."""
        host = self._hosts.pop(link, None)
        for number, (owner, _) in list(self._requests.items()):
            if owner is link:
                self._tell(number, ("lost", {}))
                self._requests.pop(number)
        if not self._hosts:
            self._arrived = anyio.Event()
        return host

    def find(self, link: RunnerLink) -> Host | None:
        """The host of a link."""
        return self._hosts.get(link)

    def is_linked(self, pid: int) -> bool:
        """Whether a host with this process id is connected."""
        return any(host.pid == pid for host in self._hosts.values())

    def hosts(self) -> list[Host]:
        """All connected hosts."""
        return list(self._hosts.values())

    def pick(self) -> Host | None:
        """The host with the most room, or None when all are full, none is there, or the pool takes no more."""
        if self._is_closed:
            return None
        best: Host | None = None
        best_room = 0
        for host in self._hosts.values():
            room = host.capacity - len(host.attempts)
            if room > best_room:
                best, best_room = host, room
        return best

    def list_runners(self) -> list[RunnerInfo]:
        """See `Runners.list_runners`."""
        infos = [
            RunnerInfo(
                id=host.id,
                name=host.name,
                sandbox=host.sandbox,
                python=host.python,
                version=host.version,
                capacity=host.capacity,
                busy=len(host.attempts),
                rss_bytes=host.rss_bytes,
                labels=host.labels,
            )
            for host in self._hosts.values()
        ]
        return sorted(infos, key=lambda info: info.name)

    async def prepare(
        self, request: PrepareRequest, on_progress: Callable[[str], Awaitable[None]]
    ) -> Prepared:
        """See `Preparer.prepare`."""
        if len(request.archive) + len(request.requirements) > _MOST_BUILD_MB * 1024 * 1024:
            text = (
                f"the project has more than the {_MOST_BUILD_MB} MiB that a runner host can be sent"
            )
            return _failed("project.too_large", text)
        host = await self._pick_preparer()
        number = self._next_request
        self._next_request += 1
        send, receive = anyio.create_memory_object_stream[_Message](10_000)
        self._requests[number] = (host.link, send)
        header = {
            "request": number,
            "project": request.project,
            "build": request.build_id,
            "python": request.python,
            "requirements": request.requirements,
            "process": request.process,
        }
        host.link.send(FrameType.PREPARE, LINK_CHANNEL, header, request.archive)
        try:
            with send, receive, anyio.fail_after(self._prepare_timeout_s):
                async for kind, message in receive:
                    if kind == "progress":
                        await on_progress(_text_of(message.get("text")))
                    elif kind == "prepared":
                        return prepared_of(message)
                    else:
                        break
        except TimeoutError:
            text = f"the environment was not ready within {self._prepare_timeout_s:g} s"
            return _failed("environment.timeout", text)
        finally:
            self._requests.pop(number, None)
        return _failed("runner.lost", "the runner host was lost while it prepared the build")

    def deliver(self, kind: str, header: dict[str, Any]) -> None:
        """Pass a PROGRESS or PREPARED on to the request that waits for it."""
        request = header.get("request")
        if isinstance(request, int) and not isinstance(request, bool):
            self._tell(request, (kind, header))

    def refuse_answer(self, link: RunnerLink, problem: str) -> None:
        """A host's answer to a PREPARE cannot be read, nor to which: what it was preparing fails, with this reason."""
        error = {"code": "environment.failed", "message": f"the runner host's answer: {problem}"}
        for number, (owner, _) in list(self._requests.items()):
            if owner is link:
                self._tell(number, ("prepared", {"ok": False, "error": error}))

    def _tell(self, request: int, message: _Message) -> None:
        entry = self._requests.get(request)
        if entry is None:
            return
        try:
            entry[1].send_nowait(message)
        except anyio.WouldBlock:
            logger.warning("message about a build dropped: too many that nobody reads")

    @property
    def is_closed(self) -> bool:
        """Whether the service is about to stop, and takes no more attempts."""
        return self._is_closed

    def has_host(self) -> bool:
        """Whether a runner host is connected."""
        return bool(self._hosts)

    async def finish_undurable(self) -> None:
        """Take no more attempts, and wait for those that could not be resumed later."""
        self._is_closed = True
        while any(  # noqa: ASYNC110 - happens once, at the very end
            not attempt.session.is_durable
            for host in self._hosts.values()
            for attempt in host.attempts.values()
        ):
            await anyio.sleep(_POLL_S)

    async def wait_for_host(self) -> None:
        """Wait until a runner host is connected."""
        await self._arrived.wait()

    async def _pick_preparer(self) -> Host:
        with anyio.move_on_after(_CONNECT_WAIT_S):
            await self._arrived.wait()
        for host in self._hosts.values():
            return host
        raise RunnerUnavailableError


def prepared_of(header: dict[str, Any]) -> Prepared:
    """The value of a PREPARED header; foreign code in the environment may have written what it found."""
    found: object = header.get("error")
    error = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return Prepared(
        environment=_text_of(header.get("environment")),
        python=_text_of(header.get("python")),
        modules=header["modules"] if isinstance(header.get("modules"), dict) else {},
        provided=_texts_of(header.get("provided")),
        stdlib=_texts_of(header.get("stdlib")),
        error_code=_text_of(error.get("code"))
        or ("" if header.get("ok") else "environment.failed"),
        error_message=_text_of(error.get("message")),
    )


def _text_of(value: Any) -> str:  # Any: a JSON value not yet looked at
    return value if isinstance(value, str) else ""


def _texts_of(value: Any) -> frozenset[str]:  # Any: a JSON value not yet looked at
    if not isinstance(value, list):
        return frozenset()
    items: list[Any] = value  # pyright: ignore[reportUnknownVariableType] - a JSON list
    return frozenset(item for item in items if isinstance(item, str))


def _failed(code: str, message: str) -> Prepared:
    return Prepared(
        environment="",
        python="",
        modules={},
        provided=frozenset(),
        stdlib=frozenset(),
        error_code=code,
        error_message=message,
    )
