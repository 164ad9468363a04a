"""Clients that never finish their request, on a real socket: they are sent away, and others are served."""

from __future__ import annotations

import gc
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ClassVar

import anyio
import pytest
import uvicorn
from anyio.abc import ByteStream
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from hookline_service.app.http_connections import CarefulHttpProtocol

pytestmark = pytest.mark.slow  # a server takes a while to end

DEADLINE_S = 30
AHEAD = 16
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
async def _serving(
    protocol: type[CarefulHttpProtocol], application: ASGIApp = _application
) -> AsyncIterator[int]:
    """A server with this protocol; its port."""
    config = uvicorn.Config(application, http=protocol, ws="none", lifespan="off", log_config=None)
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


class _Gate:
    """An application that answers when it is let; it counts who came, and whose client left."""

    def __init__(self) -> None:
        self.came = 0
        self.left = 0
        self.opened = anyio.Event()
        self.changed = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        self.came += 1
        self._tell()
        await receive()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, receive)
            await self.opened.wait()
            tasks.cancel_scope.cancel()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left += 1
        self._tell()

    async def until(self, claim: Callable[[_Gate], bool]) -> None:
        """Wait for the claim to come true."""
        with anyio.fail_after(DEADLINE_S):
            while not claim(self):
                await self.changed.wait()

    def _tell(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


def _waiting_requests() -> int:
    """How many requests the process holds whose answer is not complete."""
    cycles = [each for each in gc.get_objects() if isinstance(each, RequestResponseCycle)]
    return sum(not cycle.response_complete for cycle in cycles)


async def test_a_client_that_sends_ahead_for_ever_is_not_read_ahead_for_ever() -> None:
    gate = _Gate()
    async with (
        _serving(_Patient, gate) as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        with anyio.move_on_after(1):  # the sender is held up, or sent away
            while True:
                await stream.send((REQUEST + b"\r\n") * 500)

        held = _waiting_requests()

        gate.opened.set()
        assert gate.came == 1
        assert held <= AHEAD + 1


async def test_what_was_read_ahead_is_answered_before_the_connection_ends() -> None:
    async with _serving(_Patient) as port:
        answer = await _talk(port, (REQUEST + b"\r\n") * 300)

        assert answer.count(b"HTTP/1.1 200 OK") == AHEAD + 1
        assert answer.count(b"HTTP/1.1") == AHEAD + 1


async def test_a_few_requests_sent_ahead_are_all_answered() -> None:
    last = REQUEST + b"Connection: close\r\n\r\n"
    async with _serving(_Patient) as port:
        answer = await _talk(port, (REQUEST + b"\r\n") * AHEAD + last)

        assert answer.count(b"HTTP/1.1 200 OK") == AHEAD + 1


async def _until_so_many_wait(count: int) -> None:
    with anyio.fail_after(DEADLINE_S):
        while _waiting_requests() != count:
            await anyio.sleep(0.02)
            gc.collect()


async def test_a_closed_connection_leaves_nothing_of_what_it_sent_ahead() -> None:
    gate = _Gate()
    async with _serving(_Patient, gate) as port:
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send((REQUEST + b"\r\n") * 5)
            await _until_so_many_wait(5)
        gate.opened.set()

    await _until_so_many_wait(0)


async def test_a_client_that_leaves_is_told_of_to_the_request_under_way() -> None:
    gate = _Gate()
    async with _serving(_Patient, gate) as port:
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(REQUEST + b"\r\n")
            await gate.until(lambda gate: gate.came == 1)

        await gate.until(lambda gate: gate.left == 1)
        gate.opened.set()

        assert gate.came == 1


@pytest.mark.parametrize(
    "broken",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        REQUEST + b"X: " + b"a" * LIMIT + b"\r\n\r\n",
        REQUEST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["no request", "no host", "a long header", "a broken body"],
)
async def test_a_refusal_comes_after_the_answers_that_are_due(broken: bytes) -> None:
    gate = _Gate()
    async with _serving(_Patient, gate) as port, anyio.create_task_group() as tasks:
        tasks.start_soon(_open_when_someone_came, gate)
        answer = await _talk(port, REQUEST + b"\r\n" + broken)

        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"ok" in answer.partition(b"HTTP/1.1 4")[0]


async def _open_when_someone_came(gate: _Gate) -> None:
    await gate.until(lambda gate: gate.came == 1)
    gate.opened.set()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (REQUEST + b"Host: localhost\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (REQUEST + b"Authorization: a\r\nAUTHORIZATION: b\r\n\r\n", b"400"),
        (REQUEST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"501"),
        (REQUEST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\n\r\n", b"200"),
        (REQUEST + b"Connection: close\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", b"200"),
    ],
)
async def test_a_head_that_two_readers_read_differently_is_refused(
    request_bytes: bytes, status: bytes
) -> None:
    async with _serving(_Patient) as port:
        answer = await _talk(port, request_bytes)

        assert answer.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/0.9\r\nHost: x\r\n", b"505"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n", b"505"),
        (b"PRI * HTTP/2.0\r\n", b"400"),
        (b"GET / HTTP/1.2\r\nHost: x\r\n", b"400"),
        (b"GET / HTTP/3.0\r\nHost: x\r\n", b"400"),
        (b"GET / http/1.1\r\nHost: x\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\n", b"417"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect:\r\n", b"417"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nexpect: 100-continue, tea\r\n", b"417"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n", b"100"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nExpect: tea\r\n", b"417"),
        (b"GET / HTTP/1.0\r\n", b"200"),
    ],
)
async def test_what_is_not_spoken_or_met_here_is_refused(head: bytes, status: bytes) -> None:
    async with _serving(_Patient) as port:
        answer = await _talk(port, head + b"Connection: close\r\n\r\n")

    assert answer.split(b" ", 2)[1] == status
