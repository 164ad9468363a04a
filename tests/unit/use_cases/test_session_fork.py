from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hookline.errors import HooklineError
from hookline_service.model.calls import Subscription
from hookline_service.model.errors import (
    BuildNotFoundError,
    DeploymentNotFoundError,
    SessionNotFoundError,
)
from hookline_service.model.ids import BuildId, DeploymentId, SessionId
from hookline_service.model.sessions import EntryKind, Session, SessionFilter, SessionState
from hookline_service.use_cases.entry_points import EntryPointNotFoundError
from hookline_service.use_cases.event_edits import EditInvalidError
from hookline_service.use_cases.journal_values import JournalCipher
from hookline_service.use_cases.kept_subscriptions import ForkInvalidError
from hookline_service.use_cases.session_fork import (
    ForkRequest,
    SessionForker,
    SessionNotDurableError,
)
from tests.builders.service import PROJECT, ServiceInMemory, a_service
from tests.builders.sessions import an_entry


@dataclass
class Desk:
    """A service in memory with one session that was started by a webhook, and a forker."""

    service: ServiceInMemory
    source: Session
    subscribed: list[Subscription] = field(default_factory=list)

    @property
    def store(self) -> Any:
        return self.service.services.store

    async def fork(self, count: int, source: str | None = None, **fields: Any) -> Session:
        services = self.service.services
        forker = SessionForker(
            store=services.store,
            engine=services.engine,
            entry_points=services.entry_points,
            box=services.box,
            gate=services.keys.values,
            clock=services.clock,
            on_subscription=self.subscribed.append,
        )
        session_id = SessionId(source or self.source.id)
        return await forker.fork(ForkRequest(source=session_id, count=count, **fields))

    async def record(self, *entries: dict[str, Any]) -> None:
        rows = [an_entry(self.source.id, seq, **one) for seq, one in enumerate(entries, 1)]
        await self.store.append(rows, [])

    async def entries(self, session: Session) -> list[tuple[str, bytes]]:
        return [
            (one.encoding, one.value) for one in await self.store.list_entries(session.id, 0, 99)
        ]


@pytest.fixture
async def desk() -> Desk:
    service = a_service()
    deployed = await service.deploy()
    async with service.client() as client:
        await client.post(deployed["triggers"][0]["url"], json={"id": 7})
    return Desk(service, service.engine.started[0][0])


def a_subscription(
    identifier: str, source: str = "incoming", condition: str = ""
) -> dict[str, Any]:
    named = {"source": source} | ({"filter": condition} if condition else {})
    return {
        "kind": EntryKind.CALL,
        "name": "subscribe",
        "encoding": "values",
        "value": json.dumps(identifier).encode(),
        "arguments": json.dumps({"args": [], "kwargs": named}).encode(),
    }


async def test_a_fork_keeps_the_first_entries_and_is_started(desk: Desk):
    await desk.record({"value": b"1"}, {"value": b"2"}, {"value": b"3"})

    fork = await desk.fork(2)

    assert await desk.entries(fork) == [("json", b"1"), ("json", b"2")]
    assert fork.forked_from == desk.source.id
    assert (fork.state, fork.attempt, fork.build_id) == (
        SessionState.CREATED,
        0,
        desk.source.build_id,
    )
    started, event = desk.service.engine.started[-1]
    assert started == fork
    assert event is not None
    assert event.id == desk.source.event_id
    (record,) = await desk.store.list_log(fork.id, 0, 10)
    assert record.text == f"forked from {desk.source.id} after 2 entries"
    assert record.seq == 3


async def test_a_fork_of_nothing_starts_from_the_top(desk: Desk):
    fork = await desk.fork(0)

    assert await desk.entries(fork) == []


@pytest.mark.parametrize("count", [-1, 3, 10**9])
async def test_more_than_was_recorded_cannot_be_kept(desk: Desk, count: int):
    await desk.record({}, {})

    with pytest.raises(ForkInvalidError, match="has 2 recorded entries"):
        await desk.fork(count)


async def test_a_session_without_a_journal_cannot_be_forked(desk: Desk):
    plain = replace(desk.source, id=SessionId("ses_plain"), is_durable=False)
    await desk.store.add_sessions([plain])

    with pytest.raises(SessionNotDurableError, match="not durable"):
        await desk.fork(0, plain.id)


async def test_a_session_that_is_not_there_cannot_be_forked(desk: Desk):
    with pytest.raises(SessionNotFoundError):
        await desk.fork(0, "ses_nope")


async def test_a_sealed_value_opens_in_the_fork_and_nowhere_else(desk: Desk):
    vault = JournalCipher(desk.service.services.box, desk.source.project_id)
    sealed = vault.seal(desk.source.id, b'"a secret"')
    await desk.record({"encoding": "sealed:json", "value": sealed})

    fork = await desk.fork(1)

    ((encoding, value),) = await desk.entries(fork)
    assert encoding == "sealed:json"
    assert vault.open(fork.id, value) == b'"a secret"'
    with pytest.raises(HooklineError):
        vault.open(desk.source.id, value)


async def test_edited_data_stands_in_a_copy_of_the_event(desk: Desk):
    fork = await desk.fork(0, edits={"data.body.json.id": 8})

    copy = await desk.store.get_event(fork.event_id)
    assert copy.id != desk.source.event_id
    assert copy.redispatch_of == desk.source.event_id
    assert json.loads(copy.body) == {"id": 8}
    before = await desk.store.get_event(desk.source.event_id)
    assert json.loads(before.body) == {"id": 7}


async def test_edited_data_of_a_manual_start_is_the_input(desk: Desk):
    manual = replace(desk.source, id=SessionId("ses_m"), event_id=None, input=b'{"a":1}')
    await desk.store.add_sessions([manual])

    fork = await desk.fork(0, manual.id, edits={"data.b": [2]})

    assert json.loads(fork.input or b"") == {"a": 1, "b": [2]}


async def test_an_edit_that_cannot_be_made_leaves_nothing(desk: Desk):
    with pytest.raises(EditInvalidError):
        await desk.fork(0, edits={"body": 1})

    assert len(desk.service.engine.started) == 1


async def test_a_fork_takes_the_build_of_a_deployment_or_one_by_its_name(desk: Desk):
    code = PROJECT["main.py"] + "\n# new\n"
    newer = await desk.service.deploy({**PROJECT, "main.py": code})

    by_deployment = await desk.fork(0, deployment_id=DeploymentId(newer["deployment"]))
    by_build = await desk.fork(0, build_id=BuildId(newer["build"]))

    assert by_deployment.build_id == by_build.build_id == newer["build"]
    assert (by_deployment.deployment_id, by_build.deployment_id) == (newer["deployment"], None)


async def test_a_build_of_another_project_is_not_found(desk: Desk):
    manifest = PROJECT["hookline.yaml"].replace("name: hello", "name: other")
    other = await desk.service.deploy({**PROJECT, "hookline.yaml": manifest})

    with pytest.raises(BuildNotFoundError):
        await desk.fork(0, build_id=BuildId(other["build"]))
    with pytest.raises(BuildNotFoundError):
        await desk.fork(0, deployment_id=DeploymentId(other["deployment"]))
    with pytest.raises(DeploymentNotFoundError):
        await desk.fork(0, deployment_id=DeploymentId("dep_nope"))


async def test_a_build_without_the_function_is_refused(desk: Desk):
    manifest = PROJECT["hookline.yaml"].replace("main.py:on_call", "main.py:on_tick")
    files = {"hookline.yaml": manifest, "main.py": "def on_tick(event):\n    pass\n"}
    newer = await desk.service.deploy(files)

    with pytest.raises(EntryPointNotFoundError):
        await desk.fork(0, build_id=BuildId(newer["build"]))


async def test_a_subscription_begins_anew_under_an_id_of_its_own(desk: Desk):
    old = "sub_01old"
    taken = json.dumps({"subscription": old, "data": 1}).encode()
    await desk.record(
        a_subscription(old, condition="data.x > 1"),
        {"kind": EntryKind.CALL, "name": "next_event", "encoding": "values", "value": taken},
        {"encoding": "json", "value": json.dumps(old).encode()},
    )

    fork = await desk.fork(3)

    (subscription,) = desk.subscribed
    assert (subscription.session_id, subscription.filter) == (fork.id, "data.x > 1")
    new = subscription.id
    (_, first), (_, second), (_, third) = await desk.entries(fork)
    assert json.loads(first) == new != old
    assert json.loads(second) == {"subscription": new, "data": 1}
    assert json.loads(third) == old  # what user code computed is its own


async def test_a_subscription_that_had_ended_does_not_begin_anew(desk: Desk):
    ended = {
        "kind": EntryKind.CALL,
        "name": "unsubscribe",
        "arguments": b'{"args":[],"kwargs":{"subscription":"sub_01old"}}',
    }
    await desk.record(a_subscription("sub_01old"), ended, a_subscription("sub_02late"))

    await desk.fork(2)

    assert desk.subscribed == []


async def test_a_subscription_to_what_is_gone_leaves_no_fork(desk: Desk):
    await desk.record(a_subscription("sub_01old", "gone"))

    with pytest.raises(ForkInvalidError, match="gone"):
        await desk.fork(1)

    assert [one for one in await all_sessions(desk) if one.forked_from] == []
    assert len(desk.service.engine.started) == 1


async def all_sessions(desk: Desk) -> list[Session]:
    return await desk.store.list_sessions(SessionFilter())


async def test_a_subscription_that_the_journal_shows_in_part_is_refused(desk: Desk):
    await desk.record(a_subscription("sub_01old", condition="data.a == '…'"))

    with pytest.raises(ForkInvalidError, match="fork before it"):
        await desk.fork(1)
