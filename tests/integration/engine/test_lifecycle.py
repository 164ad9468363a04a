"""From start to end: states, order of what is recorded, and who is told."""

from __future__ import annotations

import json
from datetime import timedelta

import anyio
import pytest

from hookline_service.engine.admission import Limit
from hookline_service.model.errors import ProjectNotFoundError
from hookline_service.model.ids import ProjectId
from hookline_service.model.sessions import AttemptOutcome, LogKind, SessionState
from hookline_triggers.definitions import RetryPolicy
from tests.builders.engine import EngineRig
from tests.builders.events import an_event
from tests.builders.moments import START, after
from tests.fakes.runner_host import FakeRunnerHost, Seen


async def test_a_session_runs_and_completes(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        running = await rig.until(session, SessionState.RUNNING)
        await host.done(seen)
        ended = await rig.until(session)

    assert (running.attempt, running.started_at, running.ended_at) == (1, START, None)
    assert (ended.state, ended.result, ended.ended_at) == (SessionState.COMPLETED, b"1", START)
    assert await rig.texts(session) == ["running", "completed"]
    assert [each.id for each in rig.ended] == [session.id]


async def test_an_attempt_is_told_everything_it_needs(rig: EngineRig) -> None:
    event = an_event(rig.release, data=b'{"number": 7}', body=None, type="note")
    await rig.store.record_event(event, [])

    async with rig.host() as host:
        session = await rig.start(event)
        seen = await host.next_start()

    start = seen.start
    assert start["session"] == session.id
    assert start["attempt"] == 1
    assert start["build"] == rig.release.build.id
    assert start["entry_point"] == session.entry_point
    assert start["event"] == {"id": event.id, "type": "note", "data": {"number": 7}}
    assert start["variables"] == {"NAME": "value"}
    assert start["durable"] is True
    assert start["now"] is None  # a time that was sent would be behind by what the way took


async def test_the_body_of_a_webhook_comes_as_it_was(rig: EngineRig) -> None:
    event = an_event(rig.release, data=b'{"headers": {}}', body=b"\x00\xff raw")
    await rig.store.record_event(event, [])

    async with rig.host() as host:
        await rig.start(event)
        seen = await host.next_start()

    assert seen.body == b"\x00\xff raw"
    assert seen.start["has_body"] is True


async def test_the_input_of_a_manual_session_is_its_event(rig: EngineRig) -> None:
    async with rig.host() as host:
        await rig.start(input=b'{"n": [1, 2]}')
        seen = await host.next_start()

    assert seen.start["event"] == {"id": None, "type": None, "data": {"n": [1, 2]}}


async def test_a_failure_is_the_sessions_reason_and_in_its_log(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        await host.done(await host.next_start(), ok=False)
        ended = await rig.until(session)

    records = await rig.log(session)
    assert ended.state is SessionState.ERROR
    assert ended.error is not None
    assert (ended.error.type, ended.error.message) == ("ValueError", "no")
    assert [(each.kind, each.text) for each in records[1:]] == [
        (LogKind.ERROR, "line 3"),
        (LogKind.STATE, "error: ValueError: no"),
    ]


async def test_log_and_entries_keep_the_order_in_which_they_came(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await host.log(seen, "one", "two")
        await host.append(seen, 1, "first", "second")
        await host.log(seen, "three")
        await host.append(seen, 2, "third", first=2)
        await host.done(seen)
        await rig.until(session)

    log = [(each.seq, each.text) for each in await rig.log(session)]
    entries = [(each.seq, each.name) for each in await rig.store.list_entries(session.id, 0, 100)]
    assert sorted(log + entries) == list(
        enumerate(
            ["running", "one", "two", "first", "second", "three", "third", "completed"], start=1
        )
    )


async def test_an_entry_is_in_the_store_when_it_is_acknowledged(rig: EngineRig) -> None:
    in_store: list[int] = []

    async def script(host: FakeRunnerHost, seen: Seen) -> None:
        for number in range(1, 21):
            await host.append(seen, number, f"step {number}")
            await seen.until(lambda seen, n=number: n in seen.acks)
            in_store.append(len(await rig.store.list_entries(seen.session, 0, 100)))
        await host.done(seen)

    async with rig.host(script=script):
        session = await rig.start()
        await rig.until(session)

    assert in_store == list(range(1, 21))


async def test_values_pass_through_the_store_unread(rig: EngineRig) -> None:
    value = bytes(range(256)) * 40

    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await host.append(seen, 1, "first", "second", value=value)
        await seen.until(lambda seen: seen.acks)
        await host.exited(seen, signal=9)
        resumed = await host.next_start()

    assert resumed.values == value * 2
    assert [row[4] for row in resumed.journal] == ["first", "second"]
    assert resumed.session == session.id


async def test_a_session_started_twice_runs_once(rig: EngineRig) -> None:
    session = await rig.add()
    await rig.engine.start(session, None)
    await rig.engine.start(session, None)

    async with rig.host() as host:
        seen = await host.next_start()
        await rig.engine.start(session, None)
        await host.done(seen)
        await rig.until(session)

        assert not host.has_start
    assert len(await rig.store.list_attempts(session.id)) == 1


async def test_a_suspended_session_wakes_at_its_time(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await host.append(seen, 1, "sleep")
        await host.suspend(seen, after(100).timestamp())
        waiting = await rig.until(session, SessionState.WAITING)
        rig.advance(99.9)
        await rig.quiet()
        was_early = host.has_start
        rig.advance(0.1)
        resumed = await host.next_start()
        await host.done(resumed)
        ended = await rig.until(session)

    assert waiting.wake_at == after(100)
    assert not was_early
    assert (resumed.number, resumed.start["journal_count"], len(resumed.journal)) == (2, 1, 1)
    assert ended.state is SessionState.COMPLETED
    outcomes = [each.outcome for each in await rig.store.list_attempts(session.id)]
    assert outcomes == [AttemptOutcome.SUSPENDED, AttemptOutcome.FINISHED]


async def test_a_session_that_sleeps_is_not_woken_by_what_it_does_not_wait_for(
    rig: EngineRig,
) -> None:
    async with rig.host() as host:
        session = await rig.start()
        await host.suspend(await host.next_start(), after(1000).timestamp())
        await rig.until(session, SessionState.WAITING)
        rig.engine.wake({session.id: ()})
        await rig.quiet()

        assert not host.has_start


async def test_waking_a_session_that_does_not_wait_does_nothing(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        rig.engine.wake({session.id: ()})
        await host.done(seen)
        await rig.until(session)
        rig.engine.wake({session.id: ()})
        await rig.settle()

        assert not host.has_start


async def test_a_session_not_due_yet_waits_for_its_time(rig: EngineRig) -> None:
    async with rig.host() as host:
        await rig.start(wake_at=after(10))
        await rig.quiet()
        was_early = host.has_start
        rig.advance(10)
        seen = await host.next_start()

    assert not was_early
    assert seen.number == 1


async def test_sessions_start_in_the_order_they_came(rig: EngineRig) -> None:
    sessions = [await rig.start() for _ in range(20)]

    async with rig.host(capacity=1) as host:
        order: list[str] = []
        for _ in sessions:
            seen = await host.next_start()
            order.append(seen.session)
            await host.done(seen)
        await rig.until(sessions[-1])

    assert order == [each.id for each in sessions]


async def test_a_host_never_gets_more_than_it_has_room_for(rig: EngineRig) -> None:
    for _ in range(10):
        await rig.start()

    async with rig.host(capacity=3) as host:
        started = [await host.next_start() for _ in range(3)]
        await rig.quiet()
        has_more = host.has_start
        await host.done(started[1])
        await host.next_start()
        await rig.quiet()

        assert not has_more
        assert not host.has_start


async def test_sessions_go_to_the_host_with_more_room(rig: EngineRig) -> None:
    async with rig.host(capacity=2) as small, rig.host(capacity=4) as large:
        await rig.connected(2)
        for _ in range(6):
            await rig.start()
        for _ in range(2):
            await small.next_start()
        for _ in range(4):
            await large.next_start()

        assert [info.busy for info in rig.pool.list_runners()] == [2, 4]


async def test_a_limit_of_the_project_holds(rig: EngineRig) -> None:
    rig.contexts.limit_of_project = 2
    for _ in range(6):
        await rig.start()
    running: set[int] = set()
    most = 0

    async with rig.host() as host:
        for _ in range(6):
            seen = await host.next_start()
            running.add(seen.channel)
            most = max(most, len(running))
            if len(running) == 2:
                await rig.quiet()
                assert not host.has_start
                first = min(running)
                running.discard(first)
                await host.done(host.attempts[first])

    assert most == 2


async def test_a_suspended_session_frees_its_place_under_a_limit(rig: EngineRig) -> None:
    rig.contexts.limits = (Limit("trigger:a", 1),)

    async with rig.host() as host:
        first, second = await rig.start(), await rig.start()
        seen = await host.next_start()
        await host.suspend(seen, after(60).timestamp())
        other = await host.next_start()

    assert (seen.session, other.session) == (first.id, second.id)


async def test_a_retry_is_recorded_with_the_failure_it_follows(rig: EngineRig) -> None:
    rig.contexts.retries = RetryPolicy(max_attempts=3, initial_s=10, factor=3)
    ids: list[str] = []

    async with rig.host() as host:
        session = await rig.start(input=b"{}", scheduled_for=START)
        for wait_s in (10, 30, None):
            seen = await host.next_start()
            ids.append(seen.session)
            await host.done(seen, ok=False)
            failed = await rig.until(await rig.store.get_session(seen.session))
            await rig.settle()
            left = await rig.store.list_unfinished([SessionState.CREATED], None, 10)
            if wait_s is None:
                assert left == []
                break
            assert left[0].wake_at == rig.clock.now() + timedelta(seconds=wait_s)
            assert left[0].retry_of == failed.id
            assert (left[0].input, left[0].scheduled_for) == (b"{}", START)
            rig.advance(wait_s)

    assert ids[0] == session.id
    assert len(set(ids)) == 3
    assert [each.retry_number for each in rig.ended] == [0, 1, 2]


async def test_a_session_whose_project_is_gone_ends_with_that_reason(rig: EngineRig) -> None:
    rig.contexts.at_hand = False
    rig.contexts.failure = ProjectNotFoundError(ProjectId("prj_gone"))

    session = await rig.start()
    ended = await rig.until(session)
    await rig.settle()

    assert ended.state is SessionState.ERROR
    assert ended.error is not None
    assert "prj_gone" in ended.error.message
    assert [each.id for each in rig.ended] == [session.id]
    assert any("prj_gone" in text for text in await rig.texts(session))


async def test_a_log_that_is_too_long_is_cut_with_a_mark(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        for _ in range(11):
            await host.log(seen, *["line"] * 1000)
        await host.done(seen)
        await rig.until(session)

    texts = await rig.texts(session)
    assert texts.count("line") == 10_000
    assert sum(text.startswith("log cut") for text in texts) == 1


@pytest.mark.parametrize("header", [b"{}", b'{"token":"wrong"}', b"[]", b"\xff", b'{"token":7}'])
async def test_a_host_without_the_token_gets_nothing(rig: EngineRig, header: bytes) -> None:
    from hookline_runner.frames import FrameType, encode_frame  # noqa: PLC0415

    await rig.start()
    stream = await anyio.connect_unix(rig.socket)
    await stream.send(encode_frame(FrameType.HELLO, 0, header))

    with anyio.fail_after(5), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
        await stream.receive()
    await stream.aclose()
    assert rig.pool.hosts() == []


async def test_the_input_reaches_the_function_even_with_odd_text(rig: EngineRig) -> None:
    text = json.dumps({"odd": "\u0000 \u2028 \U0001f600"}).encode()

    async with rig.host() as host:
        await rig.start(input=text)
        seen = await host.next_start()

    assert seen.start["event"]["data"] == json.loads(text)
