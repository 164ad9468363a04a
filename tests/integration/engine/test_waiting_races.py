"""Whatever comes while a session goes to sleep, dies or is not there wakes it: nothing is lost, nothing comes twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from hookline_service.model.sessions import Session, SessionState
from hookline_service.storage.protocols import Store
from tests.builders.engine import prepared
from tests.builders.moments import after
from tests.builders.talking import TalkRig, a_talking_release, take_event, talking
from tests.fakes.fake_engine import HandClock
from tests.fakes.runner_host import FakeRunnerHost, Seen
from tests.fakes.start_contexts import FakeStartContexts


@pytest.fixture
async def talk(store: Store) -> AsyncIterator[TalkRig]:
    async with talking(store, await prepared(store, a_talking_release())) as found:
        yield found


async def turns(count: int) -> None:
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


class Listener:
    """A session that takes so many events of `news`, whatever happens to its process."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.taken: list[int] = []
        self.subscription = ""

    async def play(self, host: FakeRunnerHost, seen: Seen) -> None:
        calls = 0
        recorded = len(seen.journal)

        async def call(op: str, at: int, **args: Any) -> Any:
            nonlocal calls
            calls += 1
            return await host.call(seen, calls, op, at=at, **args)

        if recorded == 0:
            reply = await call("subscribe", 0, source="news", filter="")
            self.subscription = reply.value
            recorded = 1
        wanted = {"subscriptions": [self.subscription], "deadline_at": None}
        while recorded - 1 < self.wanted:
            seen_wakes = seen.wakes
            reply = await call("take_event", recorded, **wanted)
            if not reply.header["wait"]:
                self.taken.append(reply.value["data"]["n"])
                recorded += 1
            elif seen.wakes == seen_wakes:
                await host.suspend(seen, None, f"sub:{self.subscription}")
                return
        await host.done(seen)


@pytest.mark.parametrize("pause", [0, 1, 2, 3, 5, 8, 13, 21, 34])
async def test_events_that_come_at_any_moment_are_each_taken_once(
    talk: TalkRig, pause: int
) -> None:
    listener = Listener(wanted=20)
    async with talk.rig.host(script=listener.play):
        session = await talk.rig.start()
        with anyio.fail_after(10):
            while not listener.subscription:
                await anyio.lowlevel.checkpoint()
        for number in range(20):
            await turns(pause * (number % 3))
            await talk.send(data=b'{"n":%d}' % number)
        ended = await talk.rig.until(session)

    assert ended.state is SessionState.COMPLETED
    assert listener.taken == list(range(20))


async def test_an_event_recorded_while_the_end_of_the_attempt_is_written_wakes_the_session(
    talk: TalkRig,
) -> None:
    async with talk.rig.host() as host:
        session = await talk.rig.start()
        seen = await host.next_start()
        subscription = (await host.call(seen, 1, "subscribe", at=0, source="news", filter="")).value
        await take_event(host, seen, 2, subscription)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.suspend, seen, None, f"sub:{subscription}")
            tasks.start_soon(talk.send)
        resumed = await host.next_start()

        assert await take_event(host, resumed, 1, subscription) is not None
    assert resumed.session == session.id


async def test_many_who_wait_each_get_every_event(talk: TalkRig) -> None:
    listeners: dict[str, Listener] = {}

    async def play(host: FakeRunnerHost, seen: Seen) -> None:
        await listeners.setdefault(seen.session, Listener(wanted=5)).play(host, seen)

    async with talk.rig.host(capacity=7, script=play):
        sessions = [await talk.rig.start() for _ in range(60)]
        with anyio.fail_after(20):
            while len(talk.subscriptions) < 60:
                await anyio.lowlevel.checkpoint()
        for number in range(5):
            await talk.send(data=b'{"n":%d}' % number)
            await turns(20)
        ended = [await talk.rig.until(session, timeout_s=30) for session in sessions]

    assert {each.state for each in ended} == {SessionState.COMPLETED}
    assert all(each.taken == [0, 1, 2, 3, 4] for each in listeners.values())
    assert len(talk.subscriptions) == 0


async def test_after_a_restart_waiting_sessions_are_woken_as_before(store: Store) -> None:
    release = await prepared(store, a_talking_release())
    async with talking(store, release) as talk, talk.rig.host() as host:
        session, subscription = await talk.waiting(host)
        await talk.rig.until(session, SessionState.WAITING)

    async with talking(store, release) as talk, talk.rig.host() as host:
        known = len(talk.subscriptions)
        recorded = await talk.send()
        resumed = await host.next_start()
        taken = await take_event(host, resumed, 1, subscription)
        await host.done(resumed)
        await talk.rig.settle()
        left = len(talk.subscriptions)

    assert (known, left) == (1, 0)
    assert tuple(recorded.woken) == (session.id,)
    assert taken["data"] == {"n": 1}


async def test_what_was_recorded_just_before_a_crash_wakes_after_it(store: Store) -> None:
    release = await prepared(store, a_talking_release())
    async with talking(store, release) as talk, talk.rig.host() as host:
        session, subscription = await talk.waiting(host)
        await talk.rig.until(session, SessionState.WAITING)
        event = talk.a_chat_event()
        await store.record_event(event, [], None, [subscription])  # and then the power fails

    later = HandClock(after(1))
    async with talking(store, release, clock=later) as talk, talk.rig.host() as host:
        resumed = await host.next_start()
        taken = await take_event(host, resumed, 1, subscription)

    assert resumed.session == session.id
    assert taken["id"] == event.id


async def test_a_child_committed_just_before_a_crash_is_started_after_it(store: Store) -> None:
    release = await prepared(store, a_talking_release())
    contexts = FakeStartContexts(at_hand=False, is_open=anyio.Event())
    async with talking(store, release, contexts=contexts) as talk, talk.rig.host() as host:
        session = await talk.rig.add()
        assert contexts.is_open is not None
        contexts.is_open.set()
        await talk.rig.engine.start(session, None)
        seen = await host.next_start()
        contexts.is_open = anyio.Event()  # the child's start hangs until the service is gone
        start = {"entry_point": "main.py:part", "data": None, "memo": None, "project": ""}
        child = (await host.call(seen, 1, "start_session", at=0, **start)).value

    async with talking(store, release) as talk, talk.rig.host() as host:
        started = {(await host.next_start()).session for _ in range(2)}

    assert started == {session.id, child}


async def test_a_stopped_child_wakes_its_parent(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)
        start = {"entry_point": "main.py:part", "data": None, "memo": None, "project": ""}
        child = (await host.call(seen, 1, "start_session", at=0, **start)).value
        await host.suspend(await host.next_start(), after(1000).timestamp())
        await host.suspend(seen, None, f"sig:{child}")
        await talk.rig.settle()
        await talk.rig.engine.stop(child, reason="enough", force=False)
        resumed = await host.next_start()
        wanted = {"names": [child], "deadline_at": None}
        taken = await host.call(resumed, 1, "take_signal", at=1, **wanted)

    assert taken.value["payload"] == {"completed": False}


async def begun(talk: TalkRig, host: FakeRunnerHost) -> tuple[Session, Seen]:
    session = await talk.rig.start()
    return session, await host.next_start()
