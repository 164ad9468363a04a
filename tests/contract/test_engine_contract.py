"""What every engine promises, held against the embedded one and the fake that other tests trust."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hookline_service.engine.changes import ChangeHub
from hookline_service.engine.protocol import Engine
from hookline_service.model.errors import SessionFinalError, SessionNotFoundError
from hookline_service.model.ids import SessionId
from hookline_service.model.projects import Release
from hookline_service.model.sessions import Session, SessionChange, SessionState
from hookline_service.storage.protocols import Store
from tests.builders.engine import prepared, running_engine
from tests.builders.moments import START, after
from tests.builders.sessions import a_session
from tests.fakes.fake_engine import FakeEngine, HandClock


@pytest.fixture
async def release(store: Store) -> Release:
    return await prepared(store)


@pytest.fixture(params=["embedded", "fake"])
async def engine(
    request: pytest.FixtureRequest, store: Store, release: Release
) -> AsyncIterator[Engine]:
    if request.param == "fake":
        yield FakeEngine(store, HandClock(START), ChangeHub())
        return
    async with running_engine(store, release) as rig:
        yield rig.engine


async def recorded(store: Store, release: Release) -> Session:
    session = a_session(release)
    await store.add_sessions([session])
    return session


async def in_state(store: Store, release: Release, state: SessionState) -> Session:
    session = await recorded(store, release)
    wake_at = after(10_000) if state is SessionState.WAITING else None
    change = SessionChange(
        session_id=session.id, expected_attempt=0, state=state, at=START, wake_at=wake_at
    )
    await store.change_session(change, [])
    return await store.get_session(session.id)


async def test_starting_returns_before_the_session_ran(
    engine: Engine, store: Store, release: Release
) -> None:
    session = await recorded(store, release)

    await engine.start(session, None)

    assert (await engine.describe(session.id)).state is SessionState.CREATED


async def test_a_known_session_is_left_alone(
    engine: Engine, store: Store, release: Release
) -> None:
    session = await recorded(store, release)

    for _ in range(3):
        await engine.start(session, None)

    assert await engine.describe(session.id) == session


@pytest.mark.parametrize("state", [SessionState.CREATED, SessionState.WAITING])
@pytest.mark.parametrize("force", [False, True])
async def test_what_does_not_run_is_stopped_at_once(
    engine: Engine, store: Store, release: Release, state: SessionState, *, force: bool
) -> None:
    session = await in_state(store, release, state)

    stopped = await engine.stop(session.id, reason="enough", force=force)

    assert stopped.state is SessionState.STOPPED
    assert "enough" in stopped.stop_reason
    assert await engine.describe(session.id) == stopped


@pytest.mark.parametrize(
    "state", [SessionState.COMPLETED, SessionState.ERROR, SessionState.STOPPED]
)
async def test_what_has_ended_cannot_be_stopped(
    engine: Engine, store: Store, release: Release, state: SessionState
) -> None:
    session = await in_state(store, release, state)

    with pytest.raises(SessionFinalError, match=state.value):
        await engine.stop(session.id, reason="enough", force=False)

    assert await engine.describe(session.id) == session


async def test_a_session_that_is_not_there_is_told(engine: Engine) -> None:
    missing = SessionId("ses_missing")

    with pytest.raises(SessionNotFoundError):
        await engine.describe(missing)
    with pytest.raises(SessionNotFoundError):
        await engine.stop(missing, reason="enough", force=False)


@pytest.mark.parametrize("state", [SessionState.CREATED, SessionState.COMPLETED])
async def test_waking_what_does_not_wait_changes_nothing(
    engine: Engine, store: Store, release: Release, state: SessionState
) -> None:
    session = await in_state(store, release, state)

    engine.wake({session.id: ()})

    assert await engine.describe(session.id) == session
