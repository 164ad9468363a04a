"""An embedded engine in this process, with a real runner socket and a store full of nothing."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from hookline_service.engine.changes import ChangeHub
from hookline_service.engine.embedded import EmbeddedEngine
from hookline_service.engine.inbox import FrameInbox
from hookline_service.engine.link import link_factory
from hookline_service.engine.listener import EngineListener
from hookline_service.engine.parts import EngineDeps, EngineSettings
from hookline_service.engine.pool import RunnerPool
from hookline_service.engine.wire import StartLimits
from hookline_service.model.calls import ChildLimits, StoreLimits
from hookline_service.model.events import Event
from hookline_service.model.projects import Release
from hookline_service.model.sealing import OPEN_GATE, ValueGate
from hookline_service.model.sessions import FINAL_STATES, LogRecord, Session, SessionState
from tests.builders.moments import START
from tests.builders.projects import a_release
from tests.builders.sessions import a_session
from tests.fakes.fake_engine import HandClock, Heard
from tests.fakes.runner_host import FakeRunnerHost, Script
from tests.fakes.start_contexts import FakeStartContexts

TOKEN = "a-token-for-runner-hosts"
LIMITS = StartLimits(
    hot_window_s=1.0, log_limit_lines=10_000, log_limit_bytes=1_000_000, memory_limit_bytes=0
)
STORE_LIMITS = StoreLimits(keys=100, value_bytes=10_000)


@dataclass
class EngineRig:
    """An engine that runs, and what is around it. `heard` is what it told of sessions."""

    store: Any
    release: Release
    contexts: FakeStartContexts
    clock: HandClock
    changes: ChangeHub
    engine: EmbeddedEngine
    inbox: FrameInbox
    pool: RunnerPool
    socket: Path
    heard: Heard

    @property
    def ended(self) -> list[Session]:
        """The sessions that the engine said have ended."""
        return [end.session for end in self.heard.ends]

    def host(self, *, capacity: int = 10, script: Script | None = None) -> FakeRunnerHost:
        """A runner host, not yet connected."""
        return FakeRunnerHost(self.socket, TOKEN, capacity=capacity, script=script)

    async def add(self, event: Event | None = None, **fields: Any) -> Session:
        """A session that is recorded, and that the engine has not heard of."""
        session = a_session(self.release, event, **fields)
        await self.store.add_sessions([session])
        return session

    async def start(self, event: Event | None = None, **fields: Any) -> Session:
        """A session that is recorded and started."""
        session = await self.add(event, **fields)
        await self.engine.start(session, event)
        return session

    async def until(
        self, session: Session, *states: SessionState, timeout_s: float = 10
    ) -> Session:
        """The session once it is in one of these states, by default a final one."""
        wanted = frozenset(states) or FINAL_STATES
        counter = -1
        with anyio.fail_after(timeout_s):
            while True:
                counter = await self.changes.wait_change(session.id, counter)
                found: Session = await self.store.get_session(session.id)
                if found.state in wanted:
                    return found

    async def log(self, session: Session) -> list[LogRecord]:
        """The session's whole log."""
        found: list[LogRecord] = await self.store.list_log(session.id, 0, 100_000)
        return found

    async def texts(self, session: Session) -> list[str]:
        """The texts of the session's log."""
        return [record.text for record in await self.log(session)]

    async def connected(self, hosts: int = 1) -> None:
        """Wait until so many hosts have been greeted."""
        with anyio.fail_after(10):
            while len(self.pool.hosts()) < hosts:
                await anyio.lowlevel.checkpoint()

    def advance(self, seconds: float) -> None:
        """Turn the clock, and let the engine look at it."""
        self.clock.at += timedelta(seconds=seconds)
        self.engine.source.notice()

    async def quiet(self) -> None:
        """Give the engine time to do what it should not."""
        await anyio.sleep(0.05)

    async def settle(self) -> None:
        """Wait until the engine holds nothing that runs, waits or is being written."""
        with anyio.fail_after(10):
            while any(self.engine.gauges()[name] for name in _BUSY) or self.engine._changing:
                await anyio.lowlevel.checkpoint()


_BUSY = ("sessions_queued", "sessions_running")


async def prepared(store: Any, release: Release | None = None) -> Release:
    """A release that is in the store."""
    release = release or a_release()
    await store.apply_release(release)
    return release


@asynccontextmanager
async def running_engine(  # noqa: PLR0913 - a list of parts
    store: Any,
    release: Release,
    *,
    contexts: FakeStartContexts | None = None,
    clock: HandClock | None = None,
    limits: StartLimits = LIMITS,
    lease_s: float = 30.0,
    needs_exports: bool = True,
    child_limits: ChildLimits | None = None,
    listener: EngineListener | None = None,
    gate: ValueGate = OPEN_GATE,
) -> AsyncIterator[EngineRig]:
    """An engine over this store, as after a start of the service."""
    chosen, hand = contexts or FakeStartContexts(), clock or HandClock(START)
    heard = Heard()
    changes, pool = ChangeHub(), RunnerPool(prepare_timeout_s=5.0)
    settings = EngineSettings(
        limits=limits,
        store_limits=STORE_LIMITS,
        stop_grace_s=1.0,
        lease_s=lease_s,
        heartbeat_s=1.0,
        needs_exports=needs_exports,
        child_limits=child_limits or ChildLimits(),
    )
    parts = EngineDeps(
        store=store,
        pool=pool,
        contexts=chosen,
        changes=changes,
        clock=hand,
        settings=settings,
        listener=listener or heard,
        gate=gate,
    )
    engine = EmbeddedEngine(parts)
    inbox = FrameInbox(parts, engine)
    with tempfile.TemporaryDirectory(prefix="hookline-test-") as directory:
        path = Path(directory) / "s"
        async with anyio.create_task_group() as tasks:
            await tasks.start(inbox.run)
            await tasks.start(engine.run)
            loop = asyncio.get_running_loop()
            server = await loop.create_unix_server(link_factory(inbox, TOKEN), path=str(path))
            try:
                yield EngineRig(
                    store=store,
                    release=release,
                    contexts=chosen,
                    clock=hand,
                    changes=changes,
                    engine=engine,
                    inbox=inbox,
                    pool=pool,
                    socket=path,
                    heard=heard,
                )
            finally:
                server.close()
                tasks.cancel_scope.cancel()
