"""Stops and time-outs, wherever the session stands."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from hookline_service.engine.admission import Limit
from hookline_service.model.errors import SessionFinalError, SessionNotFoundError
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import AttemptOutcome, SessionState
from hookline_service.storage.protocols import Store
from hookline_triggers.definitions import RetryPolicy
from tests.builders.engine import EngineRig, prepared, running_engine
from tests.builders.moments import START, after
from tests.fakes.refusing_store import RefusingStore
from tests.fakes.start_contexts import FakeStartContexts


async def test_a_queued_session_is_stopped_at_once_and_never_starts(rig: EngineRig) -> None:
    session = await rig.start()

    stopped = await rig.engine.stop(session.id, reason="enough", force=False)
    async with rig.host() as host:
        await rig.settle()
        has_start = host.has_start

    assert (stopped.state, stopped.stop_reason) == (SessionState.STOPPED, "enough")
    assert not has_start
    assert [each.id for each in rig.ended] == [session.id]
    assert await rig.texts(session) == ["stopped: enough"]


async def test_stopping_one_that_waits_for_a_limit_lets_the_next_one_pass(rig: EngineRig) -> None:
    rig.contexts.limits = (Limit("trigger:a", 1),)
    async with rig.host() as host:
        first, second, third = [await rig.start() for _ in range(3)]
        seen = await host.next_start()
        await rig.engine.stop(second.id, reason="enough", force=False)
        await host.done(seen)
        following = await host.next_start()

    assert (seen.session, following.session) == (first.id, third.id)


async def test_a_waiting_session_is_stopped_at_once(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        await host.suspend(await host.next_start(), after(100).timestamp())
        await rig.until(session, SessionState.WAITING)
        stopped = await rig.engine.stop(session.id, reason="enough", force=False)
        rig.advance(100)
        await rig.settle()
        has_start = host.has_start

    assert stopped.state is SessionState.STOPPED
    assert not has_start


@pytest.mark.parametrize("force", [False, True])
async def test_a_running_session_is_stopped_by_its_host(rig: EngineRig, *, force: bool) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await rig.until(session, SessionState.RUNNING)
        still = await rig.engine.stop(session.id, reason="enough", force=force)
        await seen.until(lambda seen: seen.stops)
        await host.exited(seen, signal=15)
        ended = await rig.until(session)

    assert still.state is SessionState.RUNNING
    assert seen.stops == [{"reason": "enough", "force": force, "grace_s": 1.0}]
    assert (ended.state, ended.stop_reason) == (SessionState.STOPPED, "enough")
    (attempt,) = await rig.store.list_attempts(session.id)
    assert attempt.outcome is AttemptOutcome.STOPPED


async def test_a_polite_stop_may_be_followed_by_force(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await rig.engine.stop(session.id, reason="please", force=False)
        await rig.engine.stop(session.id, reason="now", force=True)
        await seen.until(lambda seen: len(seen.stops) == 2)
        await host.exited(seen, signal=9)
        ended = await rig.until(session)

    assert [each["force"] for each in seen.stops] == [False, True]
    assert ended.stop_reason == "please"


async def test_a_session_that_returns_despite_a_stop_is_completed(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await rig.engine.stop(session.id, reason="enough", force=False)
        await host.done(seen)
        ended = await rig.until(session)

    assert (ended.state, ended.stop_reason) == (SessionState.COMPLETED, "")


async def test_a_stopped_session_that_raises_or_suspends_is_stopped(rig: EngineRig) -> None:
    rig.contexts.retries = RetryPolicy(max_attempts=5)
    async with rig.host() as host:
        sessions = [await rig.start(), await rig.start()]
        raising, suspending = [await host.next_start() for _ in sessions]
        for each in sessions:
            await rig.engine.stop(each.id, reason="enough", force=False)
        await host.done(raising, ok=False, stopped=True)
        await host.suspend(suspending, after(9).timestamp())
        states = [(await rig.until(each)).state for each in sessions]

    assert states == [SessionState.STOPPED, SessionState.STOPPED]
    assert await rig.store.list_unfinished([SessionState.CREATED], None, 10) == []


async def test_a_stop_is_kept_when_the_host_is_lost(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        await host.next_start()
        await rig.engine.stop(session.id, reason="enough", force=False)
    ended = await rig.until(session)

    assert ended.state is SessionState.STOPPED


async def test_what_has_ended_cannot_be_stopped(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        await host.done(await host.next_start())
        await rig.until(session)

    with pytest.raises(SessionFinalError, match="completed"):
        await rig.engine.stop(session.id, reason="enough", force=False)
    with pytest.raises(SessionNotFoundError):
        await rig.engine.stop(SessionId("ses_none"), reason="enough", force=False)


async def test_a_session_stopped_while_its_facts_are_read_never_starts(rig: EngineRig) -> None:
    rig.contexts.at_hand = False
    rig.contexts.is_open = anyio.Event()
    session = await rig.add()

    async with rig.host() as host, anyio.create_task_group() as tasks:
        await rig.connected()
        tasks.start_soon(rig.engine.start, session, None)
        await rig.quiet()
        stopped = await rig.engine.stop(session.id, reason="enough", force=False)
        rig.contexts.at_hand = True
        rig.contexts.is_open.set()
        await rig.quiet()
        await rig.settle()

        assert stopped.state is SessionState.STOPPED
        assert not host.has_start
    assert await rig.texts(session) == ["stopped: enough"]


async def test_a_session_stopped_while_it_is_being_launched_never_starts(rig: EngineRig) -> None:
    rig.contexts.at_hand = False
    rig.contexts.is_open = anyio.Event()
    session = await rig.add()
    rig.contexts.is_open.set()

    async with rig.host() as host:
        await rig.connected()
        await rig.engine.take(session)
        stopped = await rig.engine.stop(session.id, reason="enough", force=False)
        await rig.settle()
        ended = await rig.until(session)
        await rig.quiet()

        assert ended.state is SessionState.STOPPED
        assert stopped.state in (SessionState.STOPPED, SessionState.CREATED)
        assert not host.has_start
    assert [each.id for each in rig.ended] == [session.id]


async def test_a_stop_while_the_store_fails_is_not_forgotten(store: Store) -> None:
    refusing = RefusingStore(store)
    async with running_engine(refusing, await prepared(store)) as rig, rig.host() as host:
        await rig.connected()
        rig.contexts.at_hand = False
        session = await rig.add()
        refusing.refuse_times("change_session", 1)
        await rig.engine.take(session)
        with anyio.fail_after(5):
            while not refusing.refused:
                await anyio.lowlevel.checkpoint()
        await rig.engine.stop(session.id, reason="enough", force=False)
        ended = await rig.until(session)
        has_start = host.has_start

    assert ended.state is SessionState.STOPPED
    assert not has_start


# -- time-outs -----------------------------------------------------------------------------------


async def test_a_session_that_runs_too_long_is_stopped_and_ends_in_error(store: Store) -> None:
    contexts = FakeStartContexts(timeout_s=0.05)
    release = await prepared(store)
    async with running_engine(store, release, contexts=contexts) as rig, rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await seen.until(lambda seen: seen.stops)
        await host.exited(seen, signal=15)
        ended = await rig.until(session)

    assert ended.error is not None
    assert ended.error.type == "TimeoutError"
    assert "0.05 s" in ended.error.message
    assert seen.stops[0]["force"] is False


async def test_a_session_that_returns_at_its_time_out_is_completed(store: Store) -> None:
    contexts = FakeStartContexts(timeout_s=0.05)
    release = await prepared(store)
    async with running_engine(store, release, contexts=contexts) as rig, rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await seen.until(lambda seen: seen.stops)
        await host.done(seen)
        ended = await rig.until(session)

    assert ended.state is SessionState.COMPLETED


async def test_a_session_that_waits_too_long_ends_in_error(rig: EngineRig) -> None:
    rig.contexts.timeout_s = 50
    async with rig.host() as host:
        session = await rig.start()
        await host.suspend(await host.next_start(), after(100).timestamp())
        waiting = await rig.until(session, SessionState.WAITING)
        rig.advance(50)
        ended = await rig.until(session)
        await rig.settle()
        has_start = host.has_start

    assert waiting.deadline_at == after(50)
    assert ended.error is not None
    assert ended.error.type == "TimeoutError"
    assert not has_start
    assert [each.id for each in rig.ended] == [session.id]
    assert rig.ended[0].state is SessionState.ERROR


async def test_a_session_that_timed_out_while_waiting_is_tried_again(rig: EngineRig) -> None:
    rig.contexts.timeout_s = 50
    rig.contexts.retries = RetryPolicy(max_attempts=2, initial_s=10)
    async with rig.host() as host:
        session = await rig.start()
        await host.suspend(await host.next_start(), after(100).timestamp())
        await rig.until(session, SessionState.WAITING)
        rig.advance(50)
        await rig.until(session)
        rig.advance(10)
        seen = await host.next_start()

    assert (await rig.store.get_session(seen.session)).retry_of == session.id


async def test_the_time_out_runs_on_over_attempts(rig: EngineRig) -> None:
    rig.contexts.timeout_s = 50
    async with rig.host() as host:
        session = await rig.start()
        await host.suspend(await host.next_start(), after(20).timestamp())
        await rig.until(session, SessionState.WAITING)
        rig.advance(20)
        await host.suspend(await host.next_start(), after(40).timestamp())
        waiting = await rig.until(session, SessionState.WAITING)

    assert waiting.deadline_at == after(50)
    assert waiting.started_at == START
