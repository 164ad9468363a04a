"""A runner host for tests of the engine: a real link over a real socket, and sessions that do as they are told."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import anyio
import anyio.lowlevel

from hookline_runner.frames import LINK_CHANNEL, Frame, FrameReader, FrameType, encode_frame


@dataclass(frozen=True)
class Reply:
    """What the service said to a call."""

    header: dict[str, Any]
    value: Any

    @property
    def code(self) -> str:
        return (self.header["error"] or {}).get("code", "")


@dataclass
class Seen:
    """One attempt as this host sees it: its START and what came after."""

    channel: int
    start: dict[str, Any]
    body: bytes
    journal: list[list[Any]] = field(default_factory=list)
    values: bytes = b""
    acks: list[int] = field(default_factory=list)
    stops: list[dict[str, Any]] = field(default_factory=list)
    replies: dict[int, Reply] = field(default_factory=dict["int", "Reply"])
    wakes: int = 0
    stack_requests: int = 0
    topics: list[str] = field(default_factory=list)  # that the wakes named
    changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def session(self) -> str:
        return self.start["session"]

    @property
    def number(self) -> int:
        return self.start["attempt"]

    async def reply(self, n: int) -> Reply:
        """The reply to call `n`."""
        await self.until(lambda seen: n in seen.replies)
        return self.replies[n]

    async def until(self, claim: Callable[[Seen], object]) -> None:
        """Wait until the claim holds."""
        with anyio.fail_after(10):
            while not claim(self):
                await self.changed.wait()

    def touch(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


Script = Callable[["FakeRunnerHost", Seen], Awaitable[object]]


class FakeRunnerHost:
    """Connects and says hello. Each attempt (once its journal came) goes to `script`, or waits for `next_start`."""

    def __init__(
        self, path: Path, token: str, *, capacity: int = 10, script: Script | None = None
    ) -> None:
        self.script = script
        self.attempts: dict[int, Seen] = {}
        self.heard: list[Frame] = []
        self.is_closed_by_service = anyio.Event()
        self._path = path
        self._hello: dict[str, Any] = {
            "token": token,
            "name": "fake",
            "capacity": capacity,
            "labels": [],
        }
        self._hello["sandbox"] = "bubblewrap"
        self.features: object = ["stack"]
        self._waiting, self._starts = anyio.create_memory_object_stream[Seen](math.inf)

    async def __aenter__(self) -> Self:
        self._running = self._run()
        await self._running.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._running.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def _run(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as self._tasks:
            made = await loop.create_unix_connection(lambda: _Reading(self), str(self._path))
            self._transport = cast("asyncio.Transport", made[0])
            try:
                hello = self._hello | {"features": self.features}
                await self.send(FrameType.HELLO, LINK_CHANNEL, hello)
                yield
            finally:
                self._transport.abort()
                self._waiting.close()
                self._starts.close()
                self._tasks.cancel_scope.cancel()

    async def disconnect(self) -> None:
        """Drop the link, as a host that died."""
        self._transport.abort()
        await anyio.lowlevel.checkpoint()

    def drop(self) -> None:
        """Let whoever waits for `is_closed_by_service` end this host, whether it has connected yet or not."""
        self.is_closed_by_service.set()

    async def next_start(self, timeout_s: float = 10) -> Seen:
        """The next attempt that was sent here."""
        with anyio.fail_after(timeout_s):
            return await self._starts.receive()

    @property
    def has_start(self) -> bool:
        """Whether an attempt waits for `next_start`."""
        return self._starts.statistics().current_buffer_used > 0

    async def send(
        self, kind: FrameType, channel: int, header: dict[str, Any], payload: bytes = b""
    ) -> None:
        """Send one frame."""
        await self.send_raw(kind, channel, json.dumps(header).encode(), payload)

    async def send_raw(
        self, kind: FrameType, channel: int, header: bytes, payload: bytes = b""
    ) -> None:
        """Send one frame with a header that may be anything."""
        if self._transport.is_closing():
            raise anyio.ClosedResourceError
        self._transport.write(encode_frame(kind, channel, header, payload))
        await anyio.lowlevel.checkpoint()

    def send_bytes(self, data: bytes) -> None:
        """Send bytes that need not be frames."""
        self._transport.write(data)

    async def beat(self, *channels: int, starts: int | None = None) -> None:
        """Say which attempts are alive, having read so many STARTs (by default all that came)."""
        read = len(self.attempts) if starts is None else starts
        header = {"channels": list(channels), "starts": read, "free": 1, "rss_bytes": 1000}
        await self.send(FrameType.HEARTBEAT, LINK_CHANNEL, header)

    async def append(
        self, seen: Seen, n: int, *names: str, first: int | None = None, value: bytes = b"1"
    ) -> None:
        """Report recorded activities as number `n`, at positions from `first` on (by default from `n` - 1)."""
        start = n - 1 if first is None else first
        entries = [an_entry_row(start + i, name, value) for i, name in enumerate(names)]
        await self.send(
            FrameType.APPEND, seen.channel, {"n": n, "entries": entries}, value * len(names)
        )

    async def log(self, seen: Seen, *texts: str) -> None:
        """Report prints."""
        records = [[1.0, "print", "", text] for text in texts]
        await self.send(FrameType.LOG, seen.channel, {"r": records})

    async def call(
        self, seen: Seen, n: int, op: str, /, *, at: int | None = None, **args: Any
    ) -> Reply:
        """Make a call, recorded at index `at` of the main flow if that is given; its reply."""
        shown = args.pop("arguments", "{}")
        entry = None if at is None else ["", at, op, "main.py", 3, shown, 1.0]
        await self.send_call(seen, n, op, args, entry)
        return await seen.reply(n)

    async def send_call(self, seen: Seen, n: Any, op: Any, args: Any, entry: Any = None) -> None:
        """Send a call, and wait for nothing."""
        header = {"n": n, "op": op, "args": args, "entry": entry}
        await self.send(FrameType.CALL, seen.channel, header)

    async def done(
        self, seen: Seen, *, ok: bool = True, stopped: bool = False, answer: Any = None
    ) -> None:
        """Report the end of the function, and of the attempt."""
        error = None if ok else {"type": "ValueError", "message": "no", "traceback": "line 3"}
        header = {"ok": ok, "display": "1", "error": error, "stopped": stopped, "dirty": None}
        if seen.start["answers"] == "caller":
            header["reply"] = json.dumps(answer)
        else:
            header["answer"] = answer
        await self.send(FrameType.DONE, seen.channel, header)
        await self.exited(seen)

    async def suspend(self, seen: Seen, wake_at: float | None, *topics: str) -> None:
        """Report that the session waits."""
        header = {"wake_at": wake_at, "topics": list(topics)}
        await self.send(FrameType.SUSPEND, seen.channel, header)
        await self.exited(seen)

    async def exited(self, seen: Seen, *, signal: int | None = None) -> None:
        """Report that the attempt's process is gone."""
        status = 0 if signal is None else None
        header = {"status": status, "signal": signal, "reason": "exited", "detail": ""}
        await self.send(FrameType.EXITED, seen.channel, header)

    async def ended_with_others(self, seen: Seen) -> None:
        """Report that the process went down with all others of its build; nobody knows how."""
        header = {"status": None, "signal": None, "reason": "exited", "detail": ""}
        await self.send(FrameType.EXITED, seen.channel, header)

    def take(self, frame: Frame) -> None:
        if frame.channel == LINK_CHANNEL:
            self.heard.append(frame)
            return
        header = json.loads(frame.header)
        if frame.type is FrameType.START:
            seen = Seen(channel=frame.channel, start=header, body=frame.payload)
            assert frame.channel not in self.attempts, "a channel was used twice"
            self.attempts[frame.channel] = seen
            if header["journal_count"] == 0:
                self._begin(seen)
            return
        seen = self.attempts[frame.channel]
        if frame.type is FrameType.JOURNAL:
            seen.journal += header["entries"]
            seen.values += frame.payload
            if header["last"]:
                self._begin(seen)
        elif frame.type is FrameType.ACK:
            seen.acks.append(header["n"])
        elif frame.type is FrameType.STOP:
            seen.stops.append(header)
        elif frame.type in {FrameType.WAKE, FrameType.STACK}:
            _note_request(seen, frame.type, header)
        elif frame.type is FrameType.REPLY:
            seen.replies[header["n"]] = Reply(header, json.loads(frame.payload))
        seen.touch()

    def _begin(self, seen: Seen) -> None:
        if self.script is None:
            self._waiting.send_nowait(seen)
        else:
            self._tasks.start_soon(self._run_script, self.script, seen)

    async def _run_script(self, script: Script, seen: Seen) -> None:
        try:
            await script(self, seen)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return  # the link is gone, and the attempt with it


def _note_request(seen: Seen, kind: FrameType, header: dict[str, Any]) -> None:
    if kind is FrameType.STACK:
        seen.stack_requests += 1
    else:
        seen.wakes += 1
        seen.topics += header["topics"]


class _Reading(asyncio.Protocol):
    def __init__(self, host: FakeRunnerHost) -> None:
        self._host = host
        self._reader = FrameReader()

    def data_received(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            self._host.take(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._host.is_closed_by_service.set()


def an_entry_row(index: int, name: str = "fetch", value: bytes = b"1") -> list[Any]:
    """One entry of an APPEND."""
    place = ["", index, "activity", name, "main.py", 3, True, False, "json", len(value)]
    return [*place, "{}", "1", 1.0, 2.0, None]
