"""Inputs that hold a secret: open in the process of the session, and nowhere before."""

from __future__ import annotations

import pytest

from hookline_service.model.sealing import ValueKind
from hookline_service.model.sessions import SessionState
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.value_keys import ValueKeys
from tests.builders.engine import prepared, running_engine
from tests.builders.sealing import a_box
from tests.builders.sessions import a_session

GIVEN = b'{"token": "hunter-2"}'


@pytest.fixture
def gate() -> ValueKeys:
    keys = ValueKeys()
    keys.use(a_box(), (bytes(32),))
    return keys


async def test_a_sealed_input_reaches_the_function_as_it_was(store: Store, gate: ValueKeys) -> None:
    release = await prepared(store)
    session = a_session(release)
    sealed = gate.seal(session.project_id, ValueKind.INPUT, GIVEN)

    async with running_engine(store, release, gate=gate) as rig, rig.host() as host:
        await rig.start(input=sealed)
        seen = await host.next_start()

    assert seen.start["event"]["data"] == {"token": "hunter-2"}


async def test_an_input_whose_key_is_lost_ends_its_session_with_the_reason_and_no_other(
    store: Store, gate: ValueKeys
) -> None:
    release = await prepared(store)
    sealed = gate.seal(release.project.id, ValueKind.INPUT, GIVEN)
    gate.use(a_box(), (bytes([7]) * 32,))

    async with running_engine(store, release, gate=gate) as rig, rig.host() as host:
        lost = await rig.start(input=sealed)
        ended = await rig.until(lost)
        other = await rig.start(input=b"{}")
        await host.done(await host.next_start())
        assert (await rig.until(other)).state is SessionState.COMPLETED

    assert ended.state is SessionState.ERROR
    assert ended.error is not None
    assert ended.error.type == "ValueUnreadableError"
    assert "its key is not here" in ended.error.message
    assert (await store.get_session(lost.id)).input == sealed
