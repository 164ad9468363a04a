"""From an event to its sessions: recorded together, once, and started."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from hookline.errors import RateLimitedError, UnavailableError
from hookline_service.model.errors import NoActiveDeploymentError, TriggerNotFoundError
from hookline_service.model.events import Recorded
from hookline_service.model.projects import DeploymentState, Release, Trigger
from hookline_service.model.sessions import SessionFilter
from hookline_service.storage.protocols import Store
from hookline_triggers.webhook import event_meta
from tests.builders.dispatching import DispatchRig, a_dispatch_rig
from tests.builders.events import an_event
from tests.builders.projects import a_definition, a_project, a_release
from tests.fakes.refusing_store import RefusingStore

Headers = list[tuple[bytes, bytes]]


async def post(
    rig: DispatchRig, slug: str | None, body: bytes = b"{}", headers: Headers | None = None
) -> Recorded | None:
    sent = [(b"content-type", b"application/json"), *(headers or [])]
    meta = event_meta("POST", f"/webhooks/{slug}".encode(), slug or "", sent)
    accepted = await rig.dispatcher.accept_webhook(slug or "", meta, sent, body)
    return None if accepted is None else accepted.recorded


async def sessions_in_store(rig: DispatchRig) -> int:
    return len(await rig.store.list_sessions(SessionFilter(limit=1000)))


async def test_a_webhook_records_its_event_and_starts_a_session(rig: DispatchRig) -> None:
    release = await rig.deploy(a_definition())
    trigger = release.triggers[0]

    recorded = await post(rig, trigger.slug, b'{"n":1}')

    assert recorded is not None
    ((session, event),) = rig.engine.started
    assert recorded == Recorded(is_new=True, event_id=session.event_id, session_ids=(session.id,))
    assert event is not None
    assert (event.type, event.body, event.source) == ("post", b'{"n":1}', f"trigger:{trigger.id}")
    assert session.build_id == release.build.id
    assert await sessions_in_store(rig) == 1


async def test_an_unknown_slug_records_nothing(rig: DispatchRig) -> None:
    await rig.deploy(a_definition())

    recorded = await post(rig, "unknown")

    assert recorded is None
    assert await rig.events() == []


@pytest.mark.parametrize(
    ("fields", "body", "count"),
    [
        ({"filter": "data.body.json.n > 5"}, b'{"n":7}', 1),
        ({"filter": "data.body.json.n > 5"}, b'{"n":3}', 0),
        ({"filter": "data.body.json.n > 5"}, b"no json", 0),
        ({"filter": "data.body.json.missing.deep == 1"}, b"{}", 0),
        ({"event_type": "post"}, b"{}", 1),
        ({"event_type": "get"}, b"{}", 0),
        ({"call": ""}, b"{}", 0),
        ({"filter": "."}, b"{}", 1),
    ],
)
async def test_only_an_event_that_matches_starts_a_session(
    rig: DispatchRig, fields: dict[str, str], body: bytes, count: int
) -> None:
    release = await rig.deploy(a_definition(**fields))

    recorded = await post(rig, release.triggers[0].slug, body)

    assert recorded is not None
    assert recorded.is_new
    assert len(await rig.events()) == 1
    assert len(rig.started) == count


async def test_a_redelivery_starts_nothing_and_names_what_was_started(rig: DispatchRig) -> None:
    release = await rig.deploy(a_definition(dedupe="header:X-Delivery"))
    slug = release.triggers[0].slug

    first = await post(rig, slug, headers=[(b"x-delivery", b"d1")])
    again = await post(rig, slug, headers=[(b"X-Delivery".lower(), b"d1")])
    other = await post(rig, slug, headers=[(b"x-delivery", b"d2")])
    without = [await post(rig, slug), await post(rig, slug)]

    assert first is not None
    assert again == replace(first, is_new=False)
    assert other is not None
    assert other.is_new
    assert all(each is not None and each.is_new for each in without)
    assert len(rig.started) == 4


async def test_deliveries_of_one_id_at_once_start_one_session(rig: DispatchRig) -> None:
    release = await rig.deploy(a_definition(dedupe="json:id"))
    answers: list[Recorded | None] = []

    async def deliver() -> None:
        answers.append(await post(rig, release.triggers[0].slug, b'{"id":"a"}'))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(deliver)

    assert sum(each is not None and each.is_new for each in answers) == 1
    assert len({each.event_id for each in answers if each is not None}) == 1
    assert len(rig.started) == 1


async def test_the_same_delivery_id_of_another_trigger_is_another_event(rig: DispatchRig) -> None:
    dedupe = "header:X-Delivery"
    release = await rig.deploy(a_definition(dedupe=dedupe), a_definition(dedupe=dedupe))

    for trigger in release.triggers:
        await post(rig, trigger.slug, headers=[(b"x-delivery", b"d1")])

    assert len(rig.started) == 2


async def test_a_webhook_whose_caller_has_gone_is_still_started(rig: DispatchRig) -> None:
    release = await rig.deploy(a_definition())

    for steps in range(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(post, rig, release.triggers[0].slug)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    assert await sessions_in_store(rig) == len(rig.started)


async def test_a_store_that_refuses_refuses_the_webhook(store: Store) -> None:
    rig = a_dispatch_rig(RefusingStore(store))
    release = await rig.deploy(a_definition())
    rig.store.refuse_times("record_event", 1)

    with pytest.raises(UnavailableError):
        await post(rig, release.triggers[0].slug)

    assert rig.started == []
    assert await rig.events() == []


class WaitingStore:
    """Another store that records events when it is told to go on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.goes_on = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def record_event(self, *args: Any) -> Recorded:
        await self.goes_on.wait()
        return await self._store.record_event(*args)


async def test_more_webhooks_than_may_wait_are_asked_for_patience_until_they_are_recorded(
    store: Store,
) -> None:
    slow = WaitingStore(store)
    rig = a_dispatch_rig(slow)
    slug = (await rig.deploy(a_definition())).triggers[0].slug

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(post, rig, slug, b"x" * 600_000)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RateLimitedError):
            await post(rig, slug)
        slow.goes_on.set()
    recorded = await post(rig, slug)

    assert recorded is not None
    assert len(await rig.events()) == 3


async def test_what_sessions_have_waiting_at_the_store_refuses_no_webhook(
    rig: DispatchRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = await rig.deploy(a_definition())
    monkeypatch.setattr(type(rig.store), "pending_bytes", lambda _store: 10**9)

    recorded = await post(rig, release.triggers[0].slug)

    assert recorded is not None


# -- deployments ---------------------------------------------------------------------------------


async def test_after_a_deploy_events_start_the_new_build(rig: DispatchRig) -> None:
    project = a_project()
    first = await rig.deploy(a_definition(name="in"), project=project)
    await post(rig, first.triggers[0].slug)
    second = await successor(rig, first)

    await post(rig, first.triggers[0].slug)

    assert [each.build_id for each in rig.started] == [first.build.id, second.build.id]


async def test_a_trigger_that_is_gone_takes_nothing(rig: DispatchRig) -> None:
    first = await rig.deploy(a_definition(name="in"))
    await rig.deploy(project=first.project)

    assert await post(rig, first.triggers[0].slug) is None
    with pytest.raises(TriggerNotFoundError):
        await rig.dispatcher.dispatch(first.triggers[0], an_event(first.triggers[0]))


@pytest.mark.parametrize(
    ("state", "count"),
    [
        (DeploymentState.TESTING, 1),
        (DeploymentState.DRAINING, 0),
        (DeploymentState.INACTIVE, 0),
    ],
)
async def test_an_event_sent_to_a_deployment_starts_what_that_deployment_may(
    rig: DispatchRig, state: DeploymentState, count: int
) -> None:
    release = await rig.deploy(a_definition())
    trigger = release.triggers[0]
    other = replace(release.deployment, state=state)

    recorded = await rig.dispatcher.dispatch(
        trigger, an_event(trigger, data=b'{"headers":{}}'), deployment=other
    )

    assert recorded.is_new
    assert len(rig.started) == count


async def test_a_redispatched_event_is_a_copy_that_names_its_original(rig: DispatchRig) -> None:
    release = await rig.deploy(a_definition(dedupe="header:X-Delivery"))
    first = await post(rig, release.triggers[0].slug, b'{"n":1}', headers=[(b"x-delivery", b"d1")])
    assert first is not None
    original = await rig.store.get_event(first.event_id)

    again = await rig.dispatcher.redispatch(original, None)

    copy = await rig.store.get_event(again.event_id)
    assert again.is_new
    assert (copy.redispatch_of, copy.delivery_id) == (original.id, None)
    assert (copy.body, copy.data) == (original.body, original.data)
    assert len(rig.started) == 2


async def test_an_event_of_a_trigger_that_is_gone_cannot_be_redispatched(
    rig: DispatchRig,
) -> None:
    release = await rig.deploy(a_definition())
    event = an_event(release.triggers[0])
    await rig.store.record_event(event, [])
    await rig.deploy(project=release.project)

    with pytest.raises(TriggerNotFoundError):
        await rig.dispatcher.redispatch(event, None)


async def test_a_manual_start_needs_a_deployment(rig: DispatchRig) -> None:
    release = await rig.deploy()
    other = a_project()

    session = await rig.dispatcher.start_manual(
        release.project, "main.py:run", b'{"n":1}', False, None
    )
    with pytest.raises(NoActiveDeploymentError):
        await rig.dispatcher.start_manual(other, "main.py:run", None, True, None)

    assert (session.deployment_id, session.is_durable) == (release.deployment.id, False)
    assert (session.input, session.event_id) == (b'{"n":1}', None)
    assert [each.id for each in rig.started] == [session.id]
    assert await rig.store.get_session(session.id) == session


async def test_a_route_read_while_a_deploy_happens_is_read_again(store: Store) -> None:
    rig = a_dispatch_rig(store)
    first = await rig.deploy(a_definition(name="in"))
    slug = first.triggers[0].slug or ""
    rig.routes.expire()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.routes.find_by_slug, slug)
        await anyio.lowlevel.checkpoint()
        second = await successor(rig, first)
    route = await rig.routes.find_by_slug(slug)

    assert route is not None
    assert route.deployment.id == second.deployment.id


async def successor(rig: DispatchRig, first: Release) -> Release:
    """The next deploy of the same project, with the same triggers."""
    second = a_release(project=first.project)
    triggers: tuple[Trigger, ...] = tuple(
        replace(each, deployment_id=second.deployment.id) for each in first.triggers
    )
    second = replace(second, triggers=triggers)
    await rig.store.apply_release(second)
    rig.routes.expire()
    return second
