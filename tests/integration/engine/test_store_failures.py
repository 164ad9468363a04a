"""A disk that is full, or a database that is gone for a while: nothing is lost, nothing hangs, nothing runs twice."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from hookline_service.model.sessions import SessionState
from hookline_service.storage.protocols import Store
from tests.builders.engine import EngineRig, prepared, running_engine
from tests.builders.moments import after
from tests.fakes.refusing_store import RefusingStore
from tests.fakes.runner_host import FakeRunnerHost, Seen

pytestmark = pytest.mark.slow  # the engine tries again after a second


@pytest.fixture
async def failing(store: Store) -> AsyncIterator[EngineRig]:
    async with running_engine(RefusingStore(store), await prepared(store)) as rig:
        yield rig


async def until_refused(rig: EngineRig, name: str) -> None:
    with anyio.fail_after(5):
        while name not in rig.store.refused:
            await anyio.lowlevel.checkpoint()


async def obedient(host: FakeRunnerHost, seen: Seen) -> None:
    """A session of three steps that ends when it is told to."""
    for number in range(len(seen.journal), 3):
        n = number - len(seen.journal) + 1
        await host.append(seen, n, f"step {number}", first=number)
        with anyio.move_on_after(10):
            await seen.until(lambda seen, n=n: n in seen.acks or seen.stops)
        if seen.stops:
            await host.exited(seen, signal=9)
            return
    await host.done(seen)


@pytest.mark.parametrize(
    "call",
    [
        "change_session_soon",
        "append_soon",
        "change_session",
        "last_seq",
        "count_entries",
        "list_due",
        "next_due_at",
        "list_unfinished",
    ],
)
async def test_one_refusal_anywhere_delays_a_session_and_no_more(
    failing: EngineRig, call: str
) -> None:
    failing.store.refuse_times(call, 1)

    async with failing.host(script=obedient):
        session = await failing.start()
        ended = await failing.until(session, timeout_s=15)

    assert ended.state is SessionState.COMPLETED
    entries = await failing.store.list_entries(session.id, 0, 10)
    assert [entry.name for entry in entries] == ["step 0", "step 1", "step 2"]


async def test_a_disk_that_is_full_for_a_while_loses_no_session(failing: EngineRig) -> None:
    async with failing.host(script=obedient, capacity=5):
        sessions = [await failing.start() for _ in range(4)]
        failing.store.refuse_writes()
        await anyio.sleep(1.2)
        failing.store.relent()
        states = [(await failing.until(each, timeout_s=15)).state for each in sessions]

    assert failing.store.refused
    assert states == [SessionState.COMPLETED] * 4


async def test_a_session_that_cannot_be_begun_is_begun_once_the_disk_has_room(
    failing: EngineRig,
) -> None:
    session = await failing.add()
    failing.store.refuse_writes()

    async with failing.host(script=obedient):
        await failing.engine.start(session, None)
        await until_refused(failing, "change_session_soon")
        await anyio.sleep(0.5)
        failing.store.relent()
        ended = await failing.until(session, timeout_s=15)

    assert ended.state is SessionState.COMPLETED


async def test_a_database_that_is_gone_does_not_end_the_engine(failing: EngineRig) -> None:
    async with failing.host() as host:
        session = await failing.start()
        await host.suspend(await host.next_start(), after(10).timestamp())
        await failing.until(session, SessionState.WAITING)
        failing.store.refuse_everything()
        failing.advance(10)
        await until_refused(failing, "list_due")
        failing.store.relent()
        resumed = await host.next_start()
        await host.done(resumed)
        ended = await failing.until(session)

    assert ended.state is SessionState.COMPLETED


async def test_a_time_out_that_cannot_be_written_is_written_later(failing: EngineRig) -> None:
    failing.contexts.timeout_s = 5
    async with failing.host() as host:
        session = await failing.start()
        await host.suspend(await host.next_start(), after(10).timestamp())
        await failing.until(session, SessionState.WAITING)
        failing.store.refuse_writes()
        failing.advance(5)
        await until_refused(failing, "change_session_soon")
        failing.store.relent()
        ended = await failing.until(session)

    assert ended.error is not None
    assert ended.error.type == "TimeoutError"


async def test_the_end_of_a_session_is_written_once_it_can_be_with_its_log(
    failing: EngineRig,
) -> None:
    async with failing.host() as host:
        session = await failing.start()
        seen = await host.next_start()
        await failing.until(session, SessionState.RUNNING)
        failing.store.refuse_writes()
        await host.done(seen)
        await until_refused(failing, "change_session_soon")
        failing.store.relent()
        ended = await failing.until(session)

    assert ended.state is SessionState.COMPLETED
    assert await failing.texts(session) == ["running", "completed"]


async def test_lost_log_records_are_marked_in_the_log(failing: EngineRig) -> None:
    async with failing.host() as host:
        session = await failing.start()
        seen = await host.next_start()
        await failing.until(session, SessionState.RUNNING)
        failing.store.refuse_writes()
        await host.log(seen, "lost", "lost")
        await until_refused(failing, "append_soon")
        failing.store.relent()
        await host.log(seen, "kept")
        await host.done(seen)
        await failing.until(session)

    texts = await failing.texts(session)
    assert texts[0] == "running"
    assert texts[1].startswith("2 records of this log are missing")
    assert texts[2:] == ["kept", "completed"]


async def test_the_store_failing_again_and_again_never_counts_as_a_crash(
    failing: EngineRig,
) -> None:
    async with failing.host() as host:
        session = await failing.start()
        for number in range(1, 4):
            seen = await host.next_start()
            await failing.until(session, SessionState.RUNNING)
            failing.store.refuse_times("append_soon", 1)
            await host.append(seen, 1, "step")
            await seen.until(lambda seen: seen.stops)
            await host.exited(seen, signal=9)
            assert seen.number == number
        await host.done(await host.next_start())
        ended = await failing.until(session)

    assert ended.state is SessionState.COMPLETED
