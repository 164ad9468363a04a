"""Projects share the places of runner hosts, however much one of them wants to run."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from hookline_service.engine import embedded, source
from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import Release
from hookline_service.model.sessions import Session, SessionState
from hookline_service.storage.protocols import Store
from tests.builders.engine import EngineRig, prepared, running_engine
from tests.builders.moments import START, after
from tests.builders.sessions import a_session
from tests.fakes.runner_host import FakeRunnerHost, Seen

PLACES = 3


def greedy(rig: EngineRig, count: int, **fields: object) -> list[Session]:
    return [a_session(rig.release, **fields) for _ in range(count)]


async def seen_by_the_engine(rig: EngineRig, session: Session) -> None:
    with anyio.fail_after(10):
        while not rig.engine.is_known(session.id):
            await anyio.lowlevel.checkpoint()


async def start_all(rig: EngineRig, sessions: list[Session]) -> None:
    await rig.store.add_sessions(sessions)
    for session in sessions:
        await rig.engine.start(session, None)


async def next_after_those_that_run(host: FakeRunnerHost) -> str:
    """End the first that runs, and tell which session begins then."""
    running = [await host.next_start() for _ in range(PLACES)]
    await host.done(running[0])
    return (await host.next_start()).session


async def test_a_session_of_another_project_comes_next_after_those_that_run(rig: EngineRig) -> None:
    other = await prepared(rig.store)
    async with rig.host(capacity=PLACES) as host:
        await rig.connected()
        await start_all(rig, greedy(rig, 300))
        victim = a_session(other)
        await start_all(rig, [victim])

        begun = await next_after_those_that_run(host)

    assert begun == victim.id


async def test_after_a_restart_no_project_waits_for_all_of_another(store: Store) -> None:
    mine, other = await prepared(store), await prepared(store)
    await store.add_sessions([a_session(mine) for _ in range(300)])
    victim = a_session(other)
    await store.add_sessions([victim])

    async with running_engine(store, mine) as rig, rig.host(capacity=PLACES) as host:
        begun = [(await host.next_start()).session for _ in range(PLACES)]

    assert victim.id in begun


async def test_attempts_cut_off_by_a_crash_share_the_room_as_well(store: Store) -> None:
    mine, other = await prepared(store), await prepared(store)
    cut_off = {"state": SessionState.RUNNING, "attempt": 1, "started_at": START}
    await store.add_sessions([a_session(mine, **cut_off) for _ in range(50)])
    victim = a_session(other, **cut_off)
    await store.add_sessions([victim])

    async with running_engine(store, mine) as rig, rig.host(capacity=PLACES) as host:
        begun = [(await host.next_start()).session for _ in range(PLACES)]

    assert victim.id in begun


@pytest.mark.parametrize("most", [500, 20], ids=["page is full", "queue is full"])
async def test_a_session_whose_time_has_come_is_seen_behind_many_of_another_project(
    store: Store, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_PAGE", 20)
    monkeypatch.setattr(source, "_MOST_HELD", 20)
    monkeypatch.setattr(embedded, "_MAX_QUEUED", most)
    mine, other = await prepared(store), await prepared(store)
    waiting = {"state": SessionState.WAITING, "attempt": 1, "started_at": START}
    await store.add_sessions([a_session(mine, wake_at=after(1), **waiting) for _ in range(200)])
    victim = a_session(other, wake_at=after(2), **waiting)
    await store.add_sessions([victim])

    async with running_engine(store, mine) as rig, rig.host(capacity=PLACES) as host:
        rig.advance(1)
        running = [await host.next_start() for _ in range(PLACES)]
        rig.advance(1)
        await seen_by_the_engine(rig, victim)
        await host.done(running[0])
        begun = (await host.next_start()).session

    assert begun == victim.id


async def test_a_project_that_filled_the_queue_leaves_others_their_share(
    rig: EngineRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_MAX_QUEUED", 40)
    other = await prepared(rig.store)
    mine, theirs = greedy(rig, 100), [a_session(other) for _ in range(10)]
    await start_all(rig, mine)
    await start_all(rig, theirs)

    async with rig.host(capacity=PLACES) as host:
        begun = [await host.next_start() for _ in range(PLACES)]
        while len(begun) < 20:
            await host.done(begun[len(begun) - PLACES])
            begun.append(await host.next_start())

    assert {each.id for each in theirs} <= {seen.session for seen in begun}


async def test_what_was_left_in_the_store_of_any_project_ends_too(
    rig: EngineRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_MAX_QUEUED", 12)
    order: list[ProjectId] = []
    releases: list[Release] = [rig.release, await prepared(rig.store), await prepared(rig.store)]
    of = {}
    for release in releases:
        sessions = [a_session(release) for _ in range(40)]
        of |= {each.id: release.project.id for each in sessions}
        await start_all(rig, sessions)

    async def complete(host: FakeRunnerHost, seen: Seen) -> None:
        order.append(of[seen.session])
        await host.done(seen)

    async with rig.host(capacity=PLACES, script=complete):
        with anyio.fail_after(30):
            while len(rig.ended) < len(of):  # noqa: ASYNC110 - the list has no event
                await anyio.sleep(0.01)

    assert sorted(order) == sorted(of.values())
    assert set(order[:6]) == {each.project.id for each in releases}
