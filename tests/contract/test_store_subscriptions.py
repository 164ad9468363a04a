"""Subscriptions: nothing that came after it began is missed, and nothing is taken twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hookline_service.model.calls import MOST_SUBSCRIPTIONS, Subscription, TakeEvent, Unsubscribe
from hookline_service.model.errors import EventNotFoundError
from hookline_service.model.events import Event
from hookline_service.model.ids import SubscriptionId
from hookline_service.model.projects import Release
from hookline_service.model.sessions import Session, SessionState
from hookline_service.storage.protocols import Store
from hookline_triggers.webhook import event_data
from tests.builders.calls import a_call, a_subscribe, code_of, made, subscribed, value_of
from tests.builders.events import an_event
from tests.builders.moments import START, after
from tests.builders.projects import a_connection, a_definition, a_project, a_release
from tests.builders.sessions import a_begin, a_change, a_session


@pytest.fixture
async def release(store: Store) -> Release:
    project = a_project()
    release = a_release(
        project,
        definitions=[a_definition(name="orders"), a_definition(name="both")],
        connections=(
            a_connection(project.id, name="chat"),
            a_connection(project.id, name="both"),
        ),
    )
    await store.apply_release(release)
    return release


@pytest.fixture
async def session(store: Store, release: Release) -> Session:
    session = a_session(release)
    await store.add_sessions([session])
    return session


def a_request(release: Release, **fields: Any) -> Event:
    """An event of the first trigger of the release."""
    return an_event(release.triggers[0], **({"data": b'{"method":"POST","headers":{}}'} | fields))


async def take(store: Store, session: Session, *ids: SubscriptionId, **fields: Any) -> Any:
    """The value that a take gives, or "waiting"."""
    operation = TakeEvent(ids=ids, deadline_at=fields.pop("deadline_at", None))
    result = await made(store, a_call(session, operation, **fields))
    return "waiting" if result.is_waiting else value_of(result)


async def record(store: Store, release: Release, *ids: SubscriptionId, **fields: Any) -> Event:
    event = a_request(release, **fields)
    await store.record_event(event, [], deliveries=ids)
    return event


async def wait_for(store: Store, session: Session, *topics: str, **fields: Any) -> None:
    """Run the session, and let it wait for these."""
    attempt = (await store.get_session(session.id)).attempt + 1
    await store.change_session(a_begin(session.id, attempt), [])
    waiting = a_change(
        session.id, SessionState.WAITING, expected_attempt=attempt, topics=topics, **fields
    )
    await store.change_session(waiting, [])


# Beginning and ending


async def test_a_subscription_to_a_trigger_is_listed(
    store: Store, release: Release, session: Session
) -> None:
    subscribe = a_subscribe("orders", filter="data.total > 1")

    result = await made(store, a_call(session, subscribe, at=after(3)))

    expected = Subscription(
        id=subscribe.id,
        session_id=session.id,
        project_id=release.project.id,
        source=f"trigger:{release.triggers[0].id}",
        filter="data.total > 1",
        created_at=after(3),
    )
    assert value_of(result) == subscribe.id
    assert result.subscription == expected
    assert await store.list_subscriptions(None, 10) == [expected]


async def test_a_subscription_to_a_connection_has_its_name(store: Store, session: Session) -> None:
    result = await made(store, a_call(session, a_subscribe("chat")))

    assert result.subscription is not None
    assert result.subscription.source == "connection:chat"


async def test_an_unknown_source_is_refused_with_what_there_is(
    store: Store, session: Session
) -> None:
    result = await made(store, a_call(session, a_subscribe("oders")))

    assert result.refusal is not None
    assert result.refusal.code == "subscription.source_not_found"
    assert 'source "oders" not found' in result.refusal.message
    assert "both, chat, orders" in result.refusal.message
    assert await store.list_subscriptions(None, 10) == []


async def test_a_session_of_a_former_deployment_may_name_what_was_in_force(
    store: Store, release: Release, session: Session
) -> None:
    await store.apply_release(a_release(release.project, definitions=[a_definition(name="new")]))

    former = await made(store, a_call(session, a_subscribe("orders")))
    later = await made(store, a_call(session, a_subscribe("new")))
    unknown = await made(store, a_call(session, a_subscribe("oders")))

    assert former.subscription is not None
    assert former.subscription.source == f"trigger:{release.triggers[0].id}"
    assert later.refusal is None
    assert code_of(unknown) == "subscription.source_not_found"


async def test_a_session_of_the_deployment_in_force_may_not_name_what_was(
    store: Store, release: Release
) -> None:
    newer = a_release(release.project, definitions=[a_definition(name="new")])
    await store.apply_release(newer)
    session = a_session(newer)
    await store.add_sessions([session])

    assert code_of(await made(store, a_call(session, a_subscribe("orders")))) == (
        "subscription.source_not_found"
    )


async def test_a_name_of_trigger_and_connection_is_refused(store: Store, session: Session) -> None:
    result = await made(store, a_call(session, a_subscribe("both")))

    assert code_of(result) == "subscription.source_ambiguous"


async def test_a_source_of_another_project_is_not_found(store: Store, session: Session) -> None:
    await store.apply_release(a_release(definitions=[a_definition(name="theirs")]))

    result = await made(store, a_call(session, a_subscribe("theirs")))

    assert code_of(result) == "subscription.source_not_found"


async def test_a_session_has_a_thousand_subscriptions_at_most(
    store: Store, release: Release, session: Session
) -> None:
    other = a_session(release)
    await store.add_sessions([other])
    ids = [await subscribed(store, session, "orders") for _ in range(MOST_SUBSCRIPTIONS)]

    result = await made(store, a_call(session, a_subscribe("orders")))

    assert result.refusal is not None
    assert result.refusal.code == "subscription.too_many"
    assert "1000 subscriptions" in result.refusal.message
    assert result.subscription is None
    await subscribed(store, other, "orders")
    await made(store, a_call(session, Unsubscribe(id=ids[0])))
    await subscribed(store, session, "orders")
    assert len(await store.list_subscriptions(None, 2_000)) == MOST_SUBSCRIPTIONS + 1


async def test_subscriptions_are_listed_page_by_page(store: Store, session: Session) -> None:
    ids = [await subscribed(store, session, "orders") for _ in range(5)]

    first = await store.list_subscriptions(None, 2)
    rest = await store.list_subscriptions(first[-1].id, 10)

    assert [each.id for each in (*first, *rest)] == sorted(ids)
    assert len(first) == 2


async def test_a_subscription_that_was_ended_gets_nothing(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    await record(store, release, subscription)
    await made(store, a_call(session, Unsubscribe(id=subscription)))
    recorded = await store.record_event(a_request(release), [], deliveries=[subscription])

    result = await made(store, a_call(session, TakeEvent(ids=(subscription,), deadline_at=None)))

    assert recorded.woken == {}
    assert code_of(result) == "subscription.not_found"
    assert await store.list_subscriptions(None, 10) == []


async def test_ending_a_subscription_twice_is_harmless(store: Store, session: Session) -> None:
    subscription = await subscribed(store, session, "orders")

    results = [await made(store, a_call(session, Unsubscribe(id=subscription))) for _ in range(2)]

    assert [value_of(each) for each in results] == [None, None]


async def test_nobody_ends_or_reads_the_subscription_of_another(
    store: Store, release: Release, session: Session
) -> None:
    thief = a_session(release)
    await store.add_sessions([thief])
    subscription = await subscribed(store, session, "orders")
    event = await record(store, release, subscription)

    await made(store, a_call(thief, Unsubscribe(id=subscription)))
    result = await made(store, a_call(thief, TakeEvent(ids=(subscription,), deadline_at=None)))

    assert code_of(result) == "subscription.not_found"
    assert (await take(store, session, subscription))["id"] == event.id


@pytest.mark.parametrize("state", [SessionState.COMPLETED, SessionState.STOPPED])
async def test_subscriptions_end_with_their_session(
    store: Store, release: Release, session: Session, state: SessionState
) -> None:
    other = a_session(release)
    await store.add_sessions([other])
    subscription = await subscribed(store, session, "orders")
    kept = await subscribed(store, other, "orders")
    await store.change_session(a_change(session.id, state), [])

    recorded = await store.record_event(a_request(release), [], deliveries=[subscription, kept])

    assert tuple(recorded.woken) == (other.id,)
    assert [each.id for each in await store.list_subscriptions(None, 10)] == [kept]


# Taking


async def test_an_event_is_taken_in_full(store: Store, release: Release, session: Session) -> None:
    subscription = await subscribed(store, session, "orders")
    event = await record(
        store,
        release,
        subscription,
        data=b'{"method":"POST","headers":{},"url":{"path":"/"}}',
        body=b'{"number":7}',
    )

    taken = await take(store, session, subscription)

    body = {"bytes": b'{"number":7}', "form": None, "json": {"number": 7}, "text": '{"number":7}'}
    assert taken == {
        "subscription": subscription,
        "id": event.id,
        "type": "post",
        "data": {"body": body, "method": "POST", "headers": {}, "url": {"path": "/"}},
    }


async def test_an_event_without_a_body_is_taken_as_it_is(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    await record(store, release, subscription, data=b'{"$set":[1],"big":12.5}', body=None)

    taken = await take(store, session, subscription)

    assert taken["data"] == {"$set": [1], "big": 12.5}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200 + b"]" * 200,
        b"[%s]" % (b"9" * 4000),
        rb'{"s":"\ud83d"}',
        b'\xef\xbb\xbf{"n":1.0}',
        b'{"$set":[1]}',
    ],
    ids=["deep", "large", "half a character", "marked", "a form of values"],
)
async def test_a_body_is_taken_as_a_started_session_gets_it(
    store: Store, release: Release, session: Session, body: bytes
) -> None:
    meta: dict[str, Any] = {"method": "POST", "headers": {}}
    subscription = await subscribed(store, session, "orders")
    await record(store, release, subscription, data=json.dumps(meta).encode(), body=body)

    taken = await take(store, session, subscription)

    assert taken["data"] == event_data(meta, body)
    assert taken["data"]["body"]["json"] is not None


async def test_an_event_that_is_no_value_is_refused_once(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    await record(store, release, subscription, data=b"[" * 250 + b"]" * 250, body=None)
    good = await record(store, release, subscription)

    result = await made(store, a_call(session, TakeEvent(ids=(subscription,), deadline_at=None)))

    assert code_of(result) == "event.not_a_value"
    assert (await take(store, session, subscription))["id"] == good.id


async def test_events_are_taken_once_and_oldest_first(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    events = [await record(store, release, subscription) for _ in range(3)]

    taken = [await take(store, session, subscription) for _ in range(4)]

    assert [each["id"] for each in taken[:3]] == [event.id for event in events]
    assert taken[3] == "waiting"


async def test_the_first_subscription_that_has_an_event_wins(
    store: Store, release: Release, session: Session
) -> None:
    first = await subscribed(store, session, "orders")
    second = await subscribed(store, session, "orders")
    early = await record(store, release, second)
    late = await record(store, release, first)

    taken = [await take(store, session, first, second) for _ in range(2)]

    assert [(each["subscription"], each["id"]) for each in taken] == [
        (first, late.id),
        (second, early.id),
    ]


async def test_one_unknown_subscription_refuses_the_whole_take(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    event = await record(store, release, subscription)
    ids = (subscription, SubscriptionId("sub_none"))

    result = await made(store, a_call(session, TakeEvent(ids=ids, deadline_at=None)))

    assert code_of(result) == "subscription.not_found"
    assert (await take(store, session, subscription))["id"] == event.id


async def test_a_take_that_waits_is_not_recorded(store: Store, session: Session) -> None:
    subscription = await subscribed(store, session, "orders")
    before = await store.count_entries(session.id)

    taken = await take(store, session, subscription, deadline_at=after(1), at=START)

    assert taken == "waiting"
    assert await store.count_entries(session.id) == before


async def test_a_take_whose_time_is_over_gives_nothing_for_good(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    call = a_call(session, TakeEvent(ids=(subscription,), deadline_at=after(1)), at=after(1))

    first = await made(store, call)
    await record(store, release, subscription)
    again = await made(store, call)

    assert (value_of(first), value_of(again)) == (None, None)
    assert await take(store, session, subscription) != "waiting"


async def test_an_event_is_preferred_to_a_deadline(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    event = await record(store, release, subscription)

    taken = await take(store, session, subscription, deadline_at=START, at=after(5))

    assert taken["id"] == event.id


async def test_a_take_sent_twice_takes_one_event(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    first = await record(store, release, subscription)
    second = await record(store, release, subscription)
    call = a_call(session, TakeEvent(ids=(subscription,), deadline_at=None))

    values = [value_of(await made(store, call)) for _ in range(2)]

    assert [each["id"] for each in values] == [first.id, first.id]
    assert (await take(store, session, subscription))["id"] == second.id


# Recording


async def test_an_event_goes_into_every_subscription_once(
    store: Store, release: Release, session: Session
) -> None:
    other = a_session(release)
    await store.add_sessions([other])
    ids = [await subscribed(store, session, "orders") for _ in range(2)]
    theirs = await subscribed(store, other, "orders")
    event = a_request(release)

    recorded = await store.record_event(event, [], deliveries=[*ids, theirs, ids[0]])

    assert recorded.woken == {
        session.id: tuple(sorted(f"sub:{each}" for each in ids)),
        other.id: (f"sub:{theirs}",),
    }
    for owner, subscription in ((session, ids[0]), (session, ids[1]), (other, theirs)):
        assert (await take(store, owner, subscription))["id"] == event.id
        assert await take(store, owner, subscription) == "waiting"


async def test_a_redelivered_event_is_delivered_to_nobody(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    event = await record(store, release, subscription, delivery_id="d1")
    again = a_request(release, delivery_id="d1")

    recorded = await store.record_event(again, [], deliveries=[subscription])

    assert (recorded.is_new, recorded.event_id, recorded.woken) == (False, event.id, {})
    assert (await take(store, session, subscription))["id"] == event.id
    assert await take(store, session, subscription) == "waiting"


async def test_an_event_of_another_project_is_not_delivered(store: Store, session: Session) -> None:
    subscription = await subscribed(store, session, "orders")
    other = a_release(definitions=[a_definition()])
    await store.apply_release(other)

    recorded = await store.record_event(a_request(other), [], deliveries=[subscription])

    assert recorded.woken == {}
    assert await take(store, session, subscription) == "waiting"


# Waking


async def test_a_waiting_session_is_due_when_its_event_comes(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    await wait_for(store, session, f"sub:{subscription}", wake_at=after(600))

    event = await record(store, release, subscription, created_at=after(5))

    assert event.created_at == after(5)
    assert (await store.get_session(session.id)).wake_at == after(5)
    assert [each.id for each in await store.list_due(after(5), 10)] == [session.id]


async def test_a_session_without_a_deadline_is_due_when_its_event_comes(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    await wait_for(store, session, f"sub:{subscription}")
    assert await store.next_due_at() is None

    await record(store, release, subscription, created_at=after(5))

    assert await store.next_due_at() == after(5)


async def test_what_came_before_the_session_waits_makes_it_due_at_once(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    await record(store, release, subscription)

    await wait_for(store, session, f"sub:{subscription}", wake_at=after(600), at=after(7))

    assert (await store.get_session(session.id)).wake_at == after(7)


async def test_a_session_that_waits_for_something_else_sleeps_on(
    store: Store, release: Release, session: Session
) -> None:
    mine = await subscribed(store, session, "orders")
    other = await subscribed(store, session, "orders")
    await record(store, release, other)
    await wait_for(store, session, f"sub:{mine}", f"sig:{other}", wake_at=after(600))

    recorded = await store.record_event(a_request(release), [], deliveries=[other])

    source = f"trigger:{release.triggers[0].id}"
    assert tuple(recorded.woken) == (session.id,)
    assert (await store.get_session(session.id)).wake_at == after(600)
    assert [(each.topic, each.source) for each in await store.list_waits([session.id])] == [
        (f"sig:{other}", ""),
        (f"sub:{mine}", source),
    ]


async def test_a_session_waits_for_what_it_said_last(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    await wait_for(store, session, f"sub:{subscription}")
    await wait_for(store, session, wake_at=after(600))

    await record(store, release, subscription)

    assert (await store.get_session(session.id)).wake_at == after(600)


async def test_a_running_session_is_named_and_left_alone(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    await store.change_session(a_begin(session.id), [])

    recorded = await store.record_event(a_request(release), [], deliveries=[subscription])

    assert tuple(recorded.woken) == (session.id,)
    assert (await store.get_session(session.id)).wake_at is None


# Keeping and deleting


async def test_an_event_that_waits_is_not_deleted(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    idle = await record(store, release, subscription)
    event = a_request(release)
    starter = a_session(release, event)
    await store.record_event(event, [starter], deliveries=[subscription])
    await store.change_session(a_change(starter.id, SessionState.COMPLETED), [])

    removed = await store.delete_finished_before(after(10_000), 100)

    assert removed == 1
    taken = [await take(store, session, subscription) for _ in range(2)]
    assert [each["id"] for each in taken] == [idle.id, event.id]


async def test_an_event_that_waited_is_deleted_once_it_was_taken(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    event = a_request(release)
    starter = a_session(release, event)
    await store.record_event(event, [starter], deliveries=[subscription])
    await store.change_session(a_change(starter.id, SessionState.COMPLETED), [])
    await store.delete_session(starter.id)
    await take(store, session, subscription)

    removed = await store.delete_finished_before(after(10_000), 100)

    assert removed == 1
    with pytest.raises(EventNotFoundError):
        await store.get_event(event.id)


async def test_a_project_is_deleted_with_what_waits_in_it(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    event = await record(store, release, subscription)

    await store.delete_project(release.project.id)

    assert await store.list_subscriptions(None, 10) == []
    with pytest.raises(EventNotFoundError):
        await store.get_event(event.id)


async def test_a_deployment_is_deleted_with_what_its_sessions_had(
    store: Store, release: Release, session: Session
) -> None:
    subscription = await subscribed(store, session, "orders")
    await record(store, release, subscription)
    await store.change_session(a_change(session.id, SessionState.STOPPED), [])
    await store.apply_release(a_release(release.project))

    await store.delete_deployment(release.deployment.id)

    assert await store.list_subscriptions(None, 10) == []
    assert await store.delete_finished_before(after(10_000), 100) == 1
