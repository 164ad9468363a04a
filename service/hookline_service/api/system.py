"""Routes about the service itself: versions, runner hosts, backup, health."""

from __future__ import annotations

import platform
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from hookline.errors import HooklineError
from hookline_service.api.endpoints import (
    BASE,
    Answer,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    NoQuery,
    PageQuery,
)
from hookline_service.api.services import ApiServices
from hookline_service.api.serving import json_response
from hookline_service.api.version import version
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.backup import backup_file

SQLITE = "application/vnd.sqlite3"
_CHUNK_BYTES = 256 * 1024
_WRITE_S = 5.0


class VersionAnswer(Answer):
    """What runs here."""

    version: str
    api: str
    python: str


class RunnerAnswer(Answer):
    """A connected runner host; `busy` of `capacity` sessions run on it."""

    id: str
    name: str
    sandbox: str
    python: str
    version: str
    capacity: int
    busy: int
    rss_bytes: int
    labels: list[str]


class RunnerPage(Answer):
    """Runner hosts connected now, by name."""

    items: list[RunnerAnswer]
    next: str | None = None


async def show_version(_: Call[NoQuery, NoBody]) -> VersionAnswer:
    """What runs here."""
    return VersionAnswer(version=version(), api="v1", python=platform.python_version())


async def list_runners(call: Call[PageQuery, NoBody]) -> RunnerPage:
    """Runner hosts connected now."""
    return RunnerPage(
        items=[
            RunnerAnswer(
                id=runner.id,
                name=runner.name,
                sandbox=runner.sandbox,
                python=runner.python,
                version=runner.version,
                capacity=runner.capacity,
                busy=runner.busy,
                rss_bytes=runner.rss_bytes,
                labels=list(runner.labels),
            )
            for runner in call.services.runners.list_runners()
        ]
    )


async def download_backup(call: Call[NoQuery, NoBody]) -> Response:
    """A consistent copy of the database."""
    content = _backup_chunks(call.services)
    await anext(
        content
    )  # the copy is made before the answer begins, so that a failure is an answer too
    headers = {"Content-Disposition": 'attachment; filename="hookline-backup.sqlite3"'}
    return _ClosingStream(content, headers=headers, media_type=SQLITE)


async def _backup_chunks(services: ApiServices) -> AsyncGenerator[bytes, None]:
    """An empty chunk when the copy is there, then its bytes."""
    async with backup_file(services.store, services.scratch) as path:
        yield b""
        async for chunk in _chunks(path):
            yield chunk


async def _chunks(path: Path) -> AsyncGenerator[bytes, None]:
    async with await anyio.open_file(path, "rb") as file:
        while chunk := await file.read(_CHUNK_BYTES):
            yield chunk


class _ClosingStream(StreamingResponse):
    """A stream that lets go of its source also when the client leaves early."""

    async def stream_response(self, send: Any) -> None:
        content: Any = self.body_iterator
        async with aclosing(content):
            await super().stream_response(send)


_FRONT = """\
Hookline {version} is up.

  hookline deploy DIR          deploy a project to it
  hookline session list        what ran, and what runs
  hookline status              how it does

The API is under {base}, and described by {base}/openapi.json. It needs the token, which is in the file `token` of the service's home.
"""


def front_handler(services: ApiServices) -> Callable[[Request], Awaitable[Response]]:
    """`/`: what this is, for somebody who opens the URL."""
    text = _FRONT.format(version=version(), base=f"{services.settings.base_url}{BASE}")

    async def front(_: Request) -> Response:
        return PlainTextResponse(text)

    return front


def health_handler() -> Callable[[Request], Awaitable[Response]]:
    """`/healthz`: the process answers."""

    async def healthz(_: Request) -> Response:
        return json_response({"status": "ok"})

    return healthz


def ready_handler(services: ApiServices) -> Callable[[Request], Awaitable[Response]]:
    """`/readyz`: sessions can run, and what they do can be written."""

    async def readyz(_: Request) -> Response:
        if reason := await reason_not_ready(services):
            return json_response({"status": "not ready", "reason": reason}, 503)
        return json_response({"status": "ready"})

    return readyz


async def reason_not_ready(services: ApiServices) -> str:
    """Why sessions cannot run now, or what they do not be written; "" if they can.

    Anybody may ask, so a disk in trouble is tried by one at a time.
    """
    if not services.is_ready():
        return "no runner host is connected"
    if services.write_check.locked():
        return "whether the database takes writes again is being tried"
    async with services.write_check:
        return await _refusal_of_writes(services.store)


async def _refusal_of_writes(store: Store) -> str:
    try:
        with anyio.fail_after(_WRITE_S):
            await store.check_writes()
    except HooklineError as exc:
        return exc.message
    except TimeoutError:
        return f"the database did not take a write within {_WRITE_S:g} s"
    return ""


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/version",
        summary="What runs here",
        handle=show_version,
        query=NoQuery,
        body=NoBody,
        answer=VersionAnswer,
    ),
    Endpoint(
        method="GET",
        path="/runners",
        summary="Runner hosts connected now",
        handle=list_runners,
        query=PageQuery,
        body=NoBody,
        answer=RunnerPage,
    ),
    Endpoint(
        method="GET",
        path="/backup",
        summary="A consistent copy of the database; it does not hold the key of its secrets",
        handle=download_backup,
        query=NoQuery,
        body=NoBody,
        media=SQLITE,
    ),
)
