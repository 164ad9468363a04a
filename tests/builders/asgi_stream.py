"""Reads a live answer of an ASGI application in process, event by event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import anyio
import orjson
from anyio.streams.memory import MemoryObjectReceiveStream
from starlette.types import ASGIApp

from tests.builders.service import TOKEN


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """One server-sent event; a comment has the name ":"."""

    name: str
    data: Any = None
    id: str = ""


@dataclass
class LiveAnswer:
    """The answer so far. `next_event` waits for the next event, None at the end; `leave` goes away."""

    chunks: MemoryObjectReceiveStream[bytes]
    gone: anyio.Event = field(default_factory=anyio.Event)
    start: dict[str, Any] = field(default_factory=dict)
    pending: list[StreamedEvent] = field(default_factory=list)

    async def next_event(self) -> StreamedEvent | None:
        with anyio.fail_after(5):
            while not self.pending:
                try:
                    chunk = await self.chunks.receive()
                except anyio.EndOfStream:
                    return None
                self.pending += [_parse(block) for block in chunk.split(b"\n\n") if block]
        return self.pending.pop(0)

    async def rest(self) -> list[StreamedEvent]:
        events: list[StreamedEvent] = []
        while (event := await self.next_event()) is not None:
            events.append(event)
        return events

    def leave(self) -> None:
        self.gone.set()


@asynccontextmanager
async def open_stream(
    app: ASGIApp,
    target: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> AsyncGenerator[LiveAnswer, None]:
    """Ask for server-sent events; at the end the client goes away."""
    parts = urlsplit(target)
    given = {
        "host": "127.0.0.1",
        "accept": "text/event-stream",
        "authorization": f"Bearer {TOKEN}",
        **(headers or {}),
    }
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": method,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
    }
    send_chunk, chunks = anyio.create_memory_object_stream[bytes](10_000)
    answer = LiveAnswer(chunks)
    first = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if first:
            return first.pop()
        await answer.gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.start = message
        elif message.get("body"):
            send_chunk.send_nowait(message["body"])

    async def run() -> None:
        with send_chunk:
            await app(scope, receive, send)

    with chunks:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            yield answer
            answer.leave()


def _parse(block: bytes) -> StreamedEvent:
    fields: dict[str, str] = {}
    for line in block.decode().split("\n"):
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")
    if "" in fields:
        return StreamedEvent(":")
    return StreamedEvent(fields["event"], orjson.loads(fields["data"]), fields.get("id", ""))
