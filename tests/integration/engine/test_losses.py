"""Processes that die, hosts that vanish, and a service that starts again."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from hookline_runner.frames import LINK_CHANNEL, FrameType, encode_frame
from hookline_service.engine.admission import Limit
from hookline_service.model.sessions import AttemptOutcome, SessionState
from hookline_service.storage.protocols import Store
from hookline_triggers.definitions import RetryPolicy
from tests.builders.engine import EngineRig, prepared, running_engine
from tests.builders.moments import after
from tests.builders.sessions import a_begin
from tests.fakes.runner_host import FakeRunnerHost, Seen
from tests.fakes.start_contexts import FakeStartContexts


async def test_a_session_whose_host_is_lost_goes_on_at_another(rig: EngineRig) -> None:
    async with rig.host() as first:
        session = await rig.start()
        seen = await first.next_start()
        await first.append(seen, 1, "one", "two")
        await seen.until(lambda seen: seen.acks)
    async with rig.host() as second:
        resumed = await second.next_start()
        await second.done(resumed)
        ended = await rig.until(session)

    assert (resumed.number, [row[4] for row in resumed.journal]) == (2, ["one", "two"])
    assert ended.state is SessionState.COMPLETED
    attempts = await rig.store.list_attempts(session.id)
    assert [each.outcome for each in attempts] == [AttemptOutcome.LOST, AttemptOutcome.FINISHED]
    assert any("cut off runs again" in text for text in await rig.texts(session))


async def test_a_lost_session_that_is_not_durable_ends_with_that_reason(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start(is_durable=False)
        await host.next_start()
    ended = await rig.until(session)

    assert ended.state is SessionState.ERROR
    assert ended.error is not None
    assert ended.error.type == "SessionLostError"


@pytest.mark.parametrize(("is_stopping", "level"), [(False, "WARNING"), (True, "INFO")])
async def test_only_a_host_that_goes_before_the_service_is_warned_of(
    rig: EngineRig, caplog: pytest.LogCaptureFixture, is_stopping: bool, level: str
) -> None:
    caplog.set_level("INFO")
    async with rig.host():
        await rig.connected()
        if is_stopping:
            await rig.pool.finish_undurable()
    with anyio.fail_after(10):
        while rig.pool.hosts():
            await anyio.lowlevel.checkpoint()

    told = [record for record in caplog.records if record.msg.startswith("runner host ")]
    assert [record.levelname for record in told] == ["INFO", level]


async def test_losing_hosts_again_and_again_fails_no_session(rig: EngineRig) -> None:
    session = await rig.start()

    for number in range(1, 8):
        async with rig.host() as host:
            seen = await host.next_start()
            assert seen.number == number
    async with rig.host() as host:
        await host.done(await host.next_start())
        ended = await rig.until(session)

    assert ended.state is SessionState.COMPLETED


async def test_a_process_that_dies_three_times_at_one_place_ends_the_session(
    rig: EngineRig,
) -> None:
    async with rig.host() as host:
        session = await rig.start()
        for _ in range(3):
            await host.exited(await host.next_start(), signal=11)
        ended = await rig.until(session)
        await rig.settle()
        has_more = host.has_start

    assert ended.error is not None
    assert ended.error.type == "ProcessCrashError"
    assert "signal 11" in ended.error.message
    assert not has_more


async def test_a_session_that_only_goes_down_with_others_is_not_blamed_for_it(
    rig: EngineRig,
) -> None:
    async with rig.host() as host:
        session = await rig.start()
        for _ in range(2):
            await host.ended_with_others(await host.next_start())
            await host.exited(await host.next_start(), signal=9)
            await host.ended_with_others(await host.next_start())
        await host.done(await host.next_start())
        ended = await rig.until(session)

    assert ended.state is SessionState.COMPLETED


async def test_progress_between_crashes_starts_the_count_again(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        for number in range(1, 6):
            seen = await host.next_start()
            await host.append(seen, 1, f"step {number}", first=number)
            await seen.until(lambda seen: seen.acks)
            await host.exited(seen, signal=11)
        seen = await host.next_start()
        await host.done(seen)
        ended = await rig.until(session)

    assert len(seen.journal) == 5
    assert ended.state is SessionState.COMPLETED


async def test_what_a_lost_attempt_still_says_is_not_heard(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await host.exited(seen, signal=9)
        await host.append(seen, 1, "late")
        await host.log(seen, "late")
        await host.done(seen)
        resumed = await host.next_start()
        await host.done(resumed)
        await rig.until(session)

    assert await rig.store.list_entries(session.id, 0, 10) == []
    assert "late" not in await rig.texts(session)
    assert resumed.number == 2


async def test_an_attempt_that_its_host_forgot_is_taken_up_again(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await host.beat(seen.channel)
        await host.beat()
        resumed = await host.next_start()
        await host.done(resumed)
        ended = await rig.until(session)

    assert (resumed.number, ended.state) == (2, SessionState.COMPLETED)


async def test_heartbeats_made_before_a_start_was_read_lose_nobody(rig: EngineRig) -> None:
    async with rig.host() as host:
        first = await rig.start()
        seen = await host.next_start()
        second = await rig.start()
        later = await host.next_start()
        for _ in range(5):  # as they wait in a link that is not read: older than the second START
            await host.beat(seen.channel, starts=1)
        await host.done(seen)
        await rig.until(first)
        for _ in range(5):
            await host.beat(starts=1)
        await host.done(later)
        ended = await rig.until(second)

    assert (later.number, ended.state) == (1, SessionState.COMPLETED)
    assert ended.attempt == 1


@pytest.mark.parametrize("starts", ["1", None, 1.0, [], -1, True])
async def test_a_host_that_does_not_say_what_it_has_read_loses_nobody(
    rig: EngineRig, starts: object
) -> None:
    async with rig.host() as host:
        session = await rig.start()
        other = await rig.start()
        seen, last = await host.next_start(), await host.next_start()
        for _ in range(3):
            header = {"channels": [seen.channel], "free": 1, "starts": starts}
            await host.send(FrameType.HEARTBEAT, LINK_CHANNEL, header)
        await host.done(seen)
        await host.done(last)
        ended = [await rig.until(session), await rig.until(other)]

    assert [each.attempt for each in ended] == [1, 1]


async def test_a_host_is_not_silent_while_any_of_its_bytes_come(store: Store) -> None:
    release = await prepared(store)
    async with running_engine(store, release, lease_s=0.2) as rig, rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        frame = encode_frame(FrameType.LOG, seen.channel, b'{"r":[]}' + b" " * 40)
        for byte in frame:  # no frame is whole before a few leases are over
            host.send_bytes(bytes([byte]))
            await anyio.sleep(0.02)
        await host.done(seen)
        ended = await rig.until(session)

    assert ended.attempt == 1


async def test_a_service_that_was_stopped_hears_its_host_before_it_judges(
    rig: EngineRig,
) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        (known,) = rig.pool.hosts()
        known.last_heard -= 1_000.0
        rig.inbox._drop_silent_hosts()
        await host.beat(seen.channel)
        await rig.quiet()
        rig.inbox._drop_silent_hosts()
        await host.done(seen)
        ended = await rig.until(session)

    assert ended.attempt == 1


async def test_a_silent_host_loses_its_sessions(store: Store) -> None:
    async with running_engine(store, await prepared(store), lease_s=0.2) as rig:
        async with rig.host() as silent:
            session = await rig.start()
            await silent.next_start()
            with anyio.fail_after(5):
                await silent.is_closed_by_service.wait()
        async with rig.host() as host:
            resumed = await host.next_start()
            await host.done(resumed)
            ended = await rig.until(session)

    assert ended.state is SessionState.COMPLETED


async def test_a_lost_session_keeps_its_turn_under_a_limit(rig: EngineRig) -> None:
    rig.contexts.limits = (Limit("trigger:a", 1),)
    async with rig.host() as first:
        sessions = [await rig.start() for _ in range(3)]
        await first.next_start()
    seen: list[str] = []

    async with rig.host() as host:
        for _ in sessions:
            attempt = await host.next_start()
            await rig.quiet()
            assert not host.has_start
            seen.append(attempt.session)
            await host.done(attempt)
        await rig.settle()

    assert sorted(seen) == sorted(each.id for each in sessions)


# -- the engine starts again on the same store ---------------------------------------------------


async def test_an_engine_takes_up_what_an_earlier_one_left(store: Store) -> None:
    release = await prepared(store)
    async with running_engine(store, release) as rig:
        async with rig.host() as host:
            running = await rig.start()
            seen = await host.next_start()
            await host.append(seen, 1, "one")
            await seen.until(lambda seen: seen.acks)
            waiting = await rig.start()
            await host.suspend(await host.next_start(), after(60).timestamp())
            await rig.until(waiting, SessionState.WAITING)
        created = await rig.add()
        later = await rig.add(wake_at=after(60))
        await store.change_session(a_begin(created.id), [])
        never_begun = await rig.add()

    async with running_engine(store, release) as rig, rig.host() as host:
        numbers: dict[str, int] = {}
        for _ in range(3):
            seen = await host.next_start()
            numbers[seen.session] = seen.number
            await host.done(seen)
        await rig.settle()
        was_early = host.has_start
        rig.advance(60)
        for _ in range(2):
            seen = await host.next_start()
            numbers[seen.session] = seen.number
            await host.done(seen)
        await rig.settle()

        assert not was_early
        assert numbers == {
            running.id: numbers[running.id],
            created.id: 2,
            never_begun.id: 1,
            waiting.id: 2,
            later.id: 1,
        }
        assert numbers[running.id] >= 2
        for each in (running, created, never_begun, waiting, later):
            assert (await store.get_session(each.id)).state is SessionState.COMPLETED


async def test_a_session_that_is_not_durable_does_not_survive_the_service(store: Store) -> None:
    release = await prepared(store)
    async with running_engine(store, release) as rig:
        cut_off = await rig.add(is_durable=False)
        await store.change_session(a_begin(cut_off.id), [])
        unbegun = await rig.add(is_durable=False)

    async with running_engine(store, release) as rig, rig.host() as host:
        seen = await host.next_start()
        await host.done(seen)
        await rig.until(unbegun)
        lost = await rig.until(cut_off)

    assert seen.session == unbegun.id
    assert lost.error is not None
    assert lost.error.type == "SessionLostError"
    assert [each.id for each in rig.ended] == [cut_off.id, unbegun.id]


async def test_a_session_lost_with_the_service_is_tried_again_as_its_policy_says(
    store: Store,
) -> None:
    release = await prepared(store)
    contexts = FakeStartContexts(retries=RetryPolicy(max_attempts=2, initial_s=5))
    async with running_engine(store, release) as rig:
        cut_off = await rig.add(is_durable=False)
        await store.change_session(a_begin(cut_off.id), [])

    async with running_engine(store, release, contexts=contexts) as rig, rig.host() as host:
        await rig.until(cut_off)
        rig.advance(5)
        seen = await host.next_start()

    assert (await store.get_session(seen.session)).retry_of == cut_off.id


async def test_a_service_that_ends_leaves_durable_sessions_as_they_are(store: Store) -> None:
    release = await prepared(store)
    async with running_engine(store, release) as rig, rig.host() as host:
        session = await rig.start()
        await host.next_start()
        await rig.until(session, SessionState.RUNNING)

    found = await store.get_session(session.id)
    assert found.state is SessionState.RUNNING


@pytest.mark.parametrize("is_durable", [True, False])
async def test_a_session_whose_host_goes_before_it_began_is_begun_elsewhere(
    rig: EngineRig, *, is_durable: bool
) -> None:
    rig.contexts.at_hand = False
    session = await rig.add(is_durable=is_durable)
    async with rig.host():
        await rig.connected()
        await rig.engine.take(session)
        (host,) = rig.pool.hosts()
        host.link.close()
        await rig.quiet()
    async with rig.host() as other:
        seen = await other.next_start()
        await other.done(seen)
        ended = await rig.until(session)

    assert ended.state is SessionState.COMPLETED


async def test_many_sessions_survive_many_losses(rig: EngineRig) -> None:
    done: dict[str, int] = {}

    async def script(host: FakeRunnerHost, seen: Seen) -> None:
        recorded = [row[4] for row in seen.journal]
        assert recorded == [f"step {n}" for n in range(len(recorded))]
        for number in range(len(recorded), 5):
            n = number - len(recorded) + 1
            await host.append(seen, n, f"step {number}", first=number)
            await seen.until(lambda seen, n=n: n in seen.acks)
        await host.done(seen)
        done[seen.session] = done.get(seen.session, 0) + 1

    sessions = [await rig.start() for _ in range(60)]
    for round_number in range(6):
        async with rig.host(capacity=20, script=script):
            for _ in range(40 * (round_number + 1)):
                await anyio.lowlevel.checkpoint()
    async with rig.host(capacity=20, script=script):
        for each in sessions:
            await rig.until(each)

    for each in sessions:
        assert (await rig.store.get_session(each.id)).state is SessionState.COMPLETED
        entries = await rig.store.list_entries(each.id, 0, 100)
        assert [entry.name for entry in entries] == [f"step {n}" for n in range(5)]
