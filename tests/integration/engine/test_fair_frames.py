"""One project's flood waits for its own turns: what others have to say goes first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel

from hookline_service.model.projects import Release
from hookline_service.model.sessions import JournalEntry, LogRecord, SessionState
from hookline_service.storage.protocols import Store
from tests.builders.engine import LIMITS, EngineRig, prepared, running_engine
from tests.builders.projects import a_project, a_release
from tests.builders.sessions import a_session
from tests.fakes.runner_host import FakeRunnerHost, Seen

_TEXT = "x" * 60_000
_FLOOD = 90  # a record each: several times what may be at the store


class SlowStore:
    """Another store that takes journal entries and log records only when a test lets it."""

    def __init__(self, store: Store, release: Release) -> None:
        self._store = store
        self.release = release
        self._kept: deque[tuple[Any, ...]] = deque()
        self.given: list[str] = []  # whose, in order
        self.is_slow = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append_soon(
        self,
        entries: Sequence[JournalEntry],
        records: Sequence[LogRecord],
        on_stored: Callable[[Exception | None], None],
    ) -> None:
        self.given.append((*entries, *records)[0].session_id)
        self._kept.append((entries, records, on_stored))
        if not self.is_slow:
            self.go_on()

    def take_one(self) -> None:
        if self._kept:
            self._store.append_soon(*self._kept.popleft())

    def go_on(self) -> None:
        self.is_slow = False
        while self._kept:
            self.take_one()


def _running(store: SlowStore) -> AbstractAsyncContextManager[EngineRig]:
    limits = replace(LIMITS, log_limit_bytes=0)
    return running_engine(store, store.release, limits=limits)


async def _two_sessions(rig: EngineRig, host: FakeRunnerHost) -> tuple[Seen, Seen]:
    other = await prepared(rig.store, a_release(a_project(name="other")))
    await rig.start()
    loud = await host.next_start()
    session = a_session(other)
    await rig.store.add_sessions([session])
    await rig.engine.start(session, None)
    return loud, await host.next_start()


async def _flood(host: FakeRunnerHost, loud: Seen) -> None:
    for _ in range(_FLOOD):
        await host.log(loud, _TEXT)


async def test_a_step_of_another_project_passes_a_flood_of_log_records(store: Store) -> None:
    slow = SlowStore(store, await prepared(store))
    async with _running(slow) as rig, rig.host() as host:
        loud, quiet = await _two_sessions(rig, host)
        await _flood(host, loud)
        await host.append(quiet, 1, "step")
        with anyio.fail_after(10):
            while not rig.inbox._waiting.bytes_of(quiet.session):
                await anyio.lowlevel.checkpoint()
        before = len(slow.given)
        with anyio.fail_after(10):
            while quiet.session not in slow.given:
                slow.take_one()
                await anyio.lowlevel.checkpoint()
        passed = slow.given.index(quiet.session) - before
        slow.go_on()
        await quiet.until(lambda seen: seen.acks)

    assert before < _FLOOD
    assert passed <= 4


async def test_what_waited_for_its_turn_is_stored_whole_and_in_order(store: Store) -> None:
    slow = SlowStore(store, await prepared(store))
    async with _running(slow) as rig, rig.host() as host:
        loud, quiet = await _two_sessions(rig, host)
        for number in range(_FLOOD // 2):
            await host.log(loud, _TEXT)
            await host.append(loud, number + 1, f"step {number}")
        await host.done(loud)
        await host.done(quiet)
        await rig.quiet()
        slow.go_on()
        session = await store.get_session(loud.session)  # pyright: ignore[reportArgumentType] - a text of the wire
        ended = await rig.until(session)
        entries = await store.list_entries(session.id, 0, 1_000)

    assert ended.state is SessionState.COMPLETED
    assert [entry.name for entry in entries] == [f"step {n}" for n in range(_FLOOD // 2)]


async def test_an_end_that_waits_for_its_turn_is_not_taken_for_a_loss(store: Store) -> None:
    slow = SlowStore(store, await prepared(store))
    async with _running(slow) as rig, rig.host() as host:
        loud, quiet = await _two_sessions(rig, host)
        await _flood(host, loud)
        await host.done(loud)
        await host.beat(quiet.channel)
        await rig.quiet()
        slow.go_on()
        session = await store.get_session(loud.session)  # pyright: ignore[reportArgumentType] - as above
        ended = await rig.until(session)

    assert (ended.state, ended.attempt) == (SessionState.COMPLETED, 1)


async def test_what_was_heard_of_a_host_counts_when_it_is_lost(store: Store) -> None:
    slow = SlowStore(store, await prepared(store))
    async with _running(slow) as rig:
        async with rig.host() as host:
            loud, _ = await _two_sessions(rig, host)
            await _flood(host, loud)
            await host.done(loud)
            await rig.quiet()
        slow.go_on()
        session = await store.get_session(loud.session)  # pyright: ignore[reportArgumentType] - as above
        ended = await rig.until(session)

    assert (ended.state, ended.attempt) == (SessionState.COMPLETED, 1)
