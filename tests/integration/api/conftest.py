"""The API behind a real HTTP server on a loopback port, in a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.from_thread
import pytest
import uvicorn

from hookline_service.storage.sqlite import open_sqlite_store
from tests.builders.service import ServiceInMemory, a_service


@dataclass
class ServedService:
    """A service that listens. `call` runs one of its coroutine functions where it lives."""

    port: int
    service: ServiceInMemory
    call: Callable[..., Any]
    webhook: str

    def exchange(self, request: bytes, *, timeout_s: float = 1) -> bytes:
        """Send these bytes on a connection of their own, and read until the service closes it or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            connection.sendall(request)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    chunks: list[bytes] = []
    try:
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    except (TimeoutError, ConnectionResetError):
        pass
    return b"".join(chunks)


@pytest.fixture
def served(tmp_path) -> Iterator[ServedService]:
    with anyio.from_thread.start_blocking_portal() as portal:
        store = portal.call(open_sqlite_store, tmp_path / "hookline.db")
        service = portal.call(lambda: a_service(store, scratch=tmp_path, body_timeout_s=0.3))
        deployed = portal.call(service.deploy)
        config = uvicorn.Config(
            service.app,
            port=0,
            http="httptools",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        server = uvicorn.Server(config)
        ready = threading.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        done = portal.start_task_soon(_serve, server, listener, ready)
        ready.wait(5)
        yield ServedService(
            port=listener.getsockname()[1],
            service=service,
            call=portal.call,
            webhook=deployed["triggers"][0]["url"].partition("9980")[2],
        )
        server.should_exit = True
        server.force_exit = True
        done.result(10)
        portal.call(store.aclose)


async def _serve(server: uvicorn.Server, listener: socket.socket, ready: threading.Event) -> None:
    async def announce() -> None:
        while not server.started:  # noqa: ASYNC110 (uvicorn offers no event for this)
            await anyio.sleep(0.005)
        ready.set()

    async with anyio.create_task_group() as group:
        group.start_soon(announce)
        await server._serve([listener])
