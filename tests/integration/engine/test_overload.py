"""More than there is room for, and many whose time has come at once."""

from __future__ import annotations

import time

import anyio
import anyio.lowlevel
import pytest

from hookline_service.engine import embedded
from hookline_service.engine.admission import Limit
from hookline_service.model.sessions import SessionFilter, SessionState
from hookline_service.storage.protocols import Store
from tests.builders.engine import EngineRig, prepared, running_engine
from tests.builders.events import an_event
from tests.builders.moments import START, after
from tests.builders.sessions import a_session
from tests.fakes.runner_host import FakeRunnerHost, Seen

pytestmark = pytest.mark.slow


async def complete(host: FakeRunnerHost, seen: Seen) -> None:
    await host.done(seen)


async def all_end(rig: EngineRig, count: int, timeout_s: float = 50) -> None:
    with anyio.fail_after(timeout_s):
        while len(rig.ended) < count:  # noqa: ASYNC110 - the list has no event
            await anyio.sleep(0.01)


async def rig_queued(rig: EngineRig, count: int) -> None:
    with anyio.fail_after(10):
        while rig.engine.gauges()["sessions_queued"] < count:
            await anyio.lowlevel.checkpoint()


async def test_thousands_of_sessions_pass_through_a_few_places(rig: EngineRig) -> None:
    most = 0

    async def script(host: FakeRunnerHost, seen: Seen) -> None:
        nonlocal most
        most = max(most, len(rig.pool.hosts()[0].attempts))
        await host.done(seen)

    sessions = [a_session(rig.release) for _ in range(4_000)]
    for first in range(0, len(sessions), 500):
        await rig.store.add_sessions(sessions[first : first + 500])
    for session in sessions:
        await rig.engine.start(session, None)
    async with rig.host(capacity=4, script=script) as host:
        await all_end(rig, len(sessions))
        channels = len(host.attempts)

    assert most <= 4
    assert channels == len(sessions)
    assert await rig.store.list_unfinished(list(SessionState)[:3], None, 1) == []


async def test_what_does_not_fit_into_the_queue_is_not_forgotten(
    rig: EngineRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_MAX_QUEUED", 1200)
    sessions = [a_session(rig.release) for _ in range(3_000)]
    await rig.store.add_sessions(sessions)

    for session in sessions:
        await rig.engine.start(session, None)
    queued = rig.engine.gauges()["sessions_queued"]
    async with rig.host(capacity=20, script=complete) as host:
        await all_end(rig, len(sessions))
        channels = len(host.attempts)

    assert queued == 1200
    assert channels == len(sessions)


async def test_a_session_that_had_begun_is_resumed_even_when_the_queue_is_full(
    rig: EngineRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_MAX_QUEUED", 3)
    async with rig.host(capacity=2) as lost:
        begun = [await rig.start() for _ in range(2)]
        for _ in begun:
            await lost.next_start()
        for _ in range(5):
            await rig.start()
    async with rig.host(capacity=2, script=complete):
        await all_end(rig, 7)

    for each in begun:
        assert (await rig.store.get_session(each.id)).state is SessionState.COMPLETED


async def test_a_queue_of_large_events_holds_few_of_them(rig: EngineRig) -> None:
    event = an_event(rig.release, data=b'{"headers": {}}', body=b"x" * 1000)
    await rig.store.record_event(event, [])
    bodies: list[int] = []

    async def script(host: FakeRunnerHost, seen: Seen) -> None:
        bodies.append(len(seen.body))
        await host.done(seen)

    for _ in range(embedded._EVENTS_KEPT + 50):
        await rig.start(event)
    held = sum(ticket.event is not None for ticket in rig.engine._queue._waiting.values())
    async with rig.host(script=script):
        await all_end(rig, embedded._EVENTS_KEPT + 50)

    assert held == embedded._EVENTS_KEPT
    assert bodies == [1000] * (embedded._EVENTS_KEPT + 50)


async def test_those_who_may_not_run_yet_block_nobody_else(rig: EngineRig) -> None:
    rig.contexts.limits = (Limit("trigger:slow", 1),)
    async with rig.host(capacity=5) as host:
        for _ in range(2_000):
            await rig.start(wake_at=START)
        await host.next_start()
        rig.contexts.limits = ()
        free = [await rig.add(wake_at=after(number / 1000)) for number in range(5, 10)]
        rig.advance(1)
        seen = {(await host.next_start()).session for _ in range(4)}

    assert seen < {each.id for each in free}


async def test_a_thousand_sessions_due_at_once_all_wake(store: Store) -> None:
    release = await prepared(store)
    sessions = [
        a_session(release, state=SessionState.WAITING, attempt=1, wake_at=after(10))
        for _ in range(3_000)
    ]
    await store.add_sessions(sessions)
    numbers: list[int] = []

    async def script(host: FakeRunnerHost, seen: Seen) -> None:
        numbers.append(seen.number)
        await host.done(seen)

    async with running_engine(store, release) as rig, rig.host(capacity=50, script=script):
        await rig.quiet()
        was_early = len(numbers)
        rig.advance(10)
        await all_end(rig, len(sessions))

    assert was_early == 0
    assert numbers == [2] * len(sessions)
    left = await store.list_sessions(SessionFilter(state=SessionState.WAITING))
    assert left == []


async def test_waking_is_prompt_while_many_others_wait(store: Store) -> None:
    release = await prepared(store)
    await store.add_sessions([a_session(release, wake_at=after(10_000)) for _ in range(5_000)])
    late: list[float] = []

    async with running_engine(store, release) as rig, rig.host(capacity=50) as host:
        for number in range(1, 30):
            await rig.add(wake_at=after(number))
        for _ in range(1, 30):
            began = time.perf_counter()
            rig.advance(1)
            await host.done(await host.next_start())
            late.append(time.perf_counter() - began)

    assert sorted(late)[len(late) // 2] < 1.0


async def test_a_session_that_has_no_room_does_not_keep_the_engine_busy(store: Store) -> None:
    release = await prepared(store)
    looks = 0

    class Counting:
        def __getattr__(self, name: str) -> object:
            nonlocal looks
            looks += name == "list_due"
            return getattr(store, name)

    async with running_engine(Counting(), release) as rig:
        await store.add_sessions([a_session(release, wake_at=START) for _ in range(1_000)])
        rig.engine.source.notice()
        await rig_queued(rig, 1_000)
        looks = 0
        await anyio.sleep(0.5)

    assert looks < 30
