"""Starts every part in order, serves until told to stop, and ends them in reverse."""

from __future__ import annotations

import contextlib
import gc
import logging
import resource
import secrets
import signal
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import anyio
import uvicorn
from starlette.types import ASGIApp

from hookline.errors import ConflictError, HooklineError, InvalidError
from hookline_runner import fast_json
from hookline_service.app.assembly import Parts, build_parts
from hookline_service.app.http_connections import CarefulHttpProtocol
from hookline_service.app.logs import configure_logging
from hookline_service.app.readiness import tell_service_manager
from hookline_service.app.room import make_room
from hookline_service.app.runner_child import keep_runner
from hookline_service.app.runner_links import keep_links
from hookline_service.app.sockets import listen, runner_socket_path
from hookline_service.clock import SystemClock, steady_s
from hookline_service.engine.inbox import FrameInbox
from hookline_service.engine.link import link_factory
from hookline_service.model.sealing import ValueGate
from hookline_service.settings import Settings, find_mistyped
from hookline_service.storage.protocols import Store
from hookline_service.storage.sqlite import check_file, open_sqlite_store
from hookline_service.use_cases.private_files import ensure_home, load_or_create
from hookline_service.use_cases.retention import (
    ClockWatch,
    delete_expired,
    delete_expired_values,
)
from hookline_service.use_cases.secret_keys import open_keys
from hookline_service.use_cases.tokens import load_or_create_token
from hookline_service.use_cases.value_keys import ValueKeys
from hookline_triggers.filters import compile_filter

logger = logging.getLogger(__name__)

_SETTLE_S = 300.0
_KEEP_ALIVE_S = 30
DATABASE_FILE = "hookline.db"
RUNNER_TOKEN_FILE = "runner.token"  # noqa: S105 - the name of a file
_GC_THRESHOLD = (20_000, 20, 50)  # a request makes hundreds of short-lived objects and no cycles


def run_service(
    settings: Settings, on_ready: Callable[[str], None], *, forgets_lost_secrets: bool = False
) -> int:
    """Serve until SIGINT or SIGTERM; the exit status. `on_ready` gets the base URL once sessions can be started.

    With `forgets_lost_secrets`, secrets whose key is lost are emptied first.

    Raises:
        HooklineError: the service cannot start as it was told to.
    """
    configure_logging(settings.log_level, settings.log_format)
    for name, meant in find_mistyped():
        logger.warning("not a setting", extra={"variable": name, "did_you_mean": meant})
    _allow_many_connections()
    options = {"use_uvloop": True}
    try:
        serve = partial(_serve, settings, on_ready, forgets_lost_secrets=forgets_lost_secrets)
        return anyio.run(serve, backend="asyncio", backend_options=options)
    except BaseExceptionGroup as group:
        error = _first_of(group)
        _blame_damage(settings, error)
        raise error from group
    except Exception as exc:
        _blame_damage(settings, exc)
        raise


def _blame_damage(settings: Settings, error: BaseException) -> None:
    """Raise that the database is damaged, if it is: what that does to a service has many faces.

    Raises:
        StorageDamagedError: it is.
    """
    if isinstance(error, Exception) and not isinstance(error, InvalidError | ConflictError):
        check_file(settings.home / DATABASE_FILE)


def _allow_many_connections() -> None:
    """Every connection takes a descriptor, and systems allow 1024 unless asked for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(
    settings: Settings, on_ready: Callable[[str], None], *, forgets_lost_secrets: bool
) -> int:
    ensure_home(settings.home)
    await anyio.to_thread.run_sync(make_room, settings.home)
    listeners = listen(settings.host, settings.port)
    settings = replace(settings, port=listeners[0].getsockname()[1])
    token = load_or_create_token(settings.home, settings.token)
    runner_token = load_or_create(
        settings.home / RUNNER_TOKEN_FILE, secrets.token_urlsafe(32)
    ).strip()
    values = ValueKeys()
    async with _open_store(settings, values) as store:
        keys = await open_keys(
            store, settings.home, settings.secret_key, values, forgets_lost=forgets_lost_secrets
        )
        parts = build_parts(settings, store, token, keys)
        await parts.subscriptions.load(store)
        inbox = FrameInbox(parts.engine_parts, parts.engine)
        async with anyio.create_task_group() as tasks:
            await tasks.start(inbox.run, name="runner links")
            await tasks.start(parts.engine.run, name="engine")
            await tasks.start(parts.ticker.run, name="schedules")
            socket_path = runner_socket_path(settings.home)
            factory = link_factory(inbox, runner_token)
            await tasks.start(keep_links, socket_path, factory, name="runner socket")
            is_linked = parts.engine_parts.pool.is_linked
            tasks.start_soon(
                keep_runner, settings, socket_path, runner_token, is_linked, name="runner host"
            )
            tasks.start_soon(_keep_tidy, parts, name="upkeep")
            tasks.start_soon(_load_filters, parts, name="filters")
            server = _Server(_server_config(parts.application, settings))
            hurry = anyio.Event()
            tasks.start_soon(_stop_on_signal, server, hurry, name="signals")
            tasks.start_soon(_announce, server, parts, on_ready, name="announce")
            _settle_memory()
            await server.serve(sockets=listeners)
            _note_of(settings).unlink(missing_ok=True)
            await _let_finish(parts, hurry)
            await parts.judge.aclose()
            tasks.cancel_scope.cancel()
    return 0


@contextlib.asynccontextmanager
async def _open_store(settings: Settings, gate: ValueGate) -> AsyncGenerator[Store, None]:
    store = await open_sqlite_store(settings.home / DATABASE_FILE, gate=gate)
    try:
        yield store
    finally:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(settings.shutdown_grace_s):
                await store.aclose()


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the service decides when to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield


def _server_config(application: ASGIApp, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=CarefulHttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(settings.shutdown_grace_s)),
        proxy_headers=False,
    )


async def _stop_on_signal(server: uvicorn.Server, hurry: anyio.Event) -> None:
    """Ask the server to end at the first signal; at the second, wait for nothing."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            tell_service_manager("STOPPING=1")
            if server.should_exit:
                server.force_exit = True
                hurry.set()
            server.should_exit = True


async def _let_finish(parts: Parts, hurry: anyio.Event) -> None:
    """Give sessions that cannot be resumed the grace period; durable ones lose nothing when they are cut off."""
    with anyio.move_on_after(parts.settings.shutdown_grace_s):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_on, hurry, tasks.cancel_scope, name="hurry")
            await parts.engine_parts.pool.finish_undurable()
            tasks.cancel_scope.cancel()


async def _cancel_on(event: anyio.Event, scope: anyio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def _note_of(settings: Settings) -> Path:
    """The file by which commands on this machine find the service; it is there while the service is."""
    return settings.home / "service.json"


async def _announce(server: uvicorn.Server, parts: Parts, on_ready: Callable[[str], None]) -> None:
    """Say where the service is, in `service.json` and to the caller, once it listens and has a runner host."""
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for this
        await anyio.sleep(0.005)
    url = parts.settings.base_url
    note = _note_of(parts.settings)
    fresh = note.with_suffix(".new")
    fresh.write_bytes(fast_json.write({"url": url}))
    fresh.replace(note)
    await parts.engine_parts.pool.wait_for_host()
    tell_service_manager("READY=1")
    on_ready(url)


def _settle_memory() -> None:
    """What is loaded now stays: the garbage collector need not walk it again and again between requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)


async def _load_filters(parts: Parts) -> None:
    """Load the engine of filters in a thread if one will be asked: it takes a second, which no event shall wait."""
    try:
        triggers = await parts.store.list_triggers(None)
    except HooklineError:
        logger.exception("filters not loaded; the first one will be slow")
        return
    if parts.subscriptions.has_filters or any(each.definition.filter for each in triggers):
        await anyio.to_thread.run_sync(compile_filter, "true")


async def _keep_tidy(parts: Parts) -> None:
    """Now and then: drained deployments become inactive, expired values and finished sessions past retention go."""
    clock = SystemClock()
    watch = ClockWatch(clock, steady_s)
    while True:
        try:
            if await parts.store.settle_draining():
                parts.routes.expire()
            if watch.is_trusted():
                await delete_expired_values(parts.store, clock)
                await delete_expired(parts.store, clock, parts.settings.retention_days)
        except HooklineError:
            logger.exception("upkeep not done; trying again later")
        await anyio.sleep(_SETTLE_S)


def _first_of(error: BaseException) -> BaseException:
    """The first error in a group of groups: the one that ended the service."""
    if isinstance(error, BaseExceptionGroup):
        return _first_of(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return error
