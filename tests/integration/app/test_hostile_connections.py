"""Clients that never finish their request, on a real socket: they are sent away, and others are served."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import anyio
import pytest
import uvicorn
from anyio.abc import ByteStream
from starlette.types import Receive, Scope, Send

from hookline_service.app.http_connections import CarefulHttpProtocol

pytestmark = pytest.mark.slow  # a server takes a while to end

DEADLINE_S = 10
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
LIMIT = 4096


class _Patient(CarefulHttpProtocol):
    head_limit_bytes: ClassVar[int] = LIMIT
    head_timeout_s: ClassVar[float] = 60.0


class _Impatient(CarefulHttpProtocol):
    head_timeout_s: ClassVar[float] = 0.05


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    del scope
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    text = str(size).encode()
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def _serving(protocol: type[CarefulHttpProtocol]) -> AsyncIterator[int]:
    """A server with this protocol; its port."""
    config = uvicorn.Config(_application, http=protocol, ws="none", lifespan="off", log_config=None)
    config.load()
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server._serve, [listener])  # without its handling of signals
            yield listener.getsockname()[1]
            server.should_exit = True


async def _talk(port: int, *parts: bytes) -> bytes:
    """Send these parts and return everything that comes until the server closes."""
    received = b""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        with anyio.fail_after(DEADLINE_S):
            try:
                for part in parts:
                    await stream.send(part)
                async for data in stream:
                    received += data
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass
    return received


async def _send_for_ever(stream: ByteStream, start: bytes) -> None:
    await stream.send(start)
    while True:
        await stream.send(b"a" * 1024)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"\r\n"],
        [b"GET"],
        [REQUEST],
        [REQUEST + b"X: y"],
        [REQUEST + b"\r\n", b"GET / HTTP/1.1\r\n"],
    ],
    ids=["nothing", "a blank line", "half a line", "no end", "half a header", "a second one"],
)
async def test_a_request_that_does_not_arrive_is_given_up(parts: list[bytes]) -> None:
    async with _serving(_Impatient) as port:
        answer = await _talk(port, *parts)

        assert answer.rpartition(b"HTTP/1.1 ")[2].startswith(b"408 ")


@pytest.mark.parametrize(
    "parts",
    [
        [REQUEST + b"X: " + b"a" * LIMIT + b"\r\n\r\n"],
        [REQUEST + b"".join(b"X%d: y\r\n" % n for n in range(LIMIT)) + b"\r\n"],
        [b"GET /" + b"a" * LIMIT + b" HTTP/1.1\r\n\r\n"],
        [REQUEST + b"\r\n" + REQUEST + b"X: " + b"a" * LIMIT + b"\r\n\r\n"],
    ],
    ids=["a long header", "many headers", "a long target", "a second request"],
)
async def test_a_head_that_is_too_large_is_refused(parts: list[bytes]) -> None:
    async with _serving(_Patient) as port:
        answer = await _talk(port, *parts)

        assert (
            b"HTTP/1.1 431 " in answer or answer == b""
        )  # what the client still sends may reset it


async def test_a_header_without_end_is_cut_off() -> None:
    async with _serving(_Patient) as port:
        stream = await anyio.connect_tcp("127.0.0.1", port)
        async with stream:
            with anyio.fail_after(DEADLINE_S), pytest.raises(anyio.BrokenResourceError):
                await _send_for_ever(stream, REQUEST + b"X: ")


async def test_a_large_body_is_not_taken_for_a_head() -> None:
    body = b"b" * LIMIT * 100
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % len(body)
    async with _serving(_Patient) as port:
        first = head + b"\r\n" + body
        last = head + b"Connection: close\r\n\r\n"
        answer = await _talk(port, first + last[:40], last[40:] + body)

        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert answer.count(b"%d" % len(body)) == 2
