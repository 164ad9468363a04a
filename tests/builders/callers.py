"""Callers of webhooks who wait for the answer, part by part."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc
import uvicorn
from starlette.types import ASGIApp

from hookline_service.app.http_connections import CarefulHttpProtocol


@dataclass
class Caller:
    """One request and what was answered so far. `has_ended`: the application has nothing more to say."""

    start: dict[str, Any] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    is_complete: bool = False
    has_ended: bool = False
    gone: anyio.Event = field(default_factory=anyio.Event)
    news: anyio.Event = field(default_factory=anyio.Event)

    @property
    def status(self) -> int:
        return self.start["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.start["headers"]}

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        return self.start["headers"]

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    async def until(self, claim: Callable[[Caller], object]) -> None:
        with anyio.fail_after(10):
            while not claim(self):
                await self.news.wait()

    async def answer(self) -> Caller:
        """The whole answer."""
        await self.until(lambda caller: caller.has_ended)
        return self

    def leave(self) -> None:
        self.gone.set()

    def touch(self) -> None:
        self.news.set()
        self.news = anyio.Event()


def call(
    tasks: anyio.abc.TaskGroup,
    app: ASGIApp,
    path: str,
    *,
    method: str = "POST",
    body: bytes = b"{}",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Caller:
    """Make a request in the background."""
    caller = Caller()
    first = [{"type": "http.request", "body": body, "more_body": False}]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
    }

    async def receive() -> Any:
        if first:
            return first.pop()
        await caller.gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            caller.start = message
        else:
            caller.parts.append(message["body"])
            caller.is_complete = not message.get("more_body", False)
        caller.touch()

    async def run() -> None:
        await app(scope, receive, send)
        caller.has_ended = True
        caller.touch()

    tasks.start_soon(run)
    return caller


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncGenerator[int, None]:
    """The application on a real socket; its port."""
    config = uvicorn.Config(
        app, http=CarefulHttpProtocol, ws="none", lifespan="off", log_config=None
    )
    config.load()
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server._serve, [listener])  # without its handling of signals
            yield listener.getsockname()[1]
            server.should_exit = True
