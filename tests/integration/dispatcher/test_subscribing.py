"""Which subscriptions an event reaches, and what events say that started nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from hookline_service.dispatcher import SubscriptionTable
from hookline_service.dispatcher.judging import InlineJudge
from hookline_service.dispatcher.plans import EventFacts
from hookline_service.model.calls import Subscription
from hookline_service.model.ids import SubscriptionId, new_subscription_id
from hookline_service.model.projects import Trigger
from hookline_service.model.sessions import Session
from hookline_service.storage.protocols import Store
from hookline_triggers.definitions import TriggerKind
from hookline_triggers.filters import Explanation
from tests.builders.calls import subscribed
from tests.builders.engine import prepared
from tests.builders.events import an_event
from tests.builders.moments import START, next_moment
from tests.builders.projects import a_connection, a_definition, a_release
from tests.builders.talking import TalkRig, a_talking_release, talking


@pytest.fixture
async def talk(store: Store) -> AsyncIterator[TalkRig]:
    definitions = [
        a_definition(name="work", call="main.py:work"),
        a_definition(name="news", call="", event_type="get", filter="data.n > 0"),
        a_definition(
            name="chatter",
            kind=TriggerKind.CONNECTION,
            connection="chat",
            event_type="message",
            filter="data.n > 1",
            call="main.py:chatter",
        ),
        a_definition(
            name="all", kind=TriggerKind.CONNECTION, connection="chat", call="main.py:every"
        ),
    ]
    release = await prepared(store, a_talking_release(definitions=definitions))
    async with talking(store, release) as found:
        yield found


async def listening(talk: TalkRig, source: str, text: str = "") -> tuple[Session, SubscriptionId]:
    """A session with a subscription, as after a restart of the service."""
    session = await talk.rig.add()
    found = await subscribed(talk.store, session, source, filter=text)
    table = SubscriptionTable()
    await table.load(talk.store)
    talk.subscriptions.__dict__.update(table.__dict__)
    return session, found


@pytest.mark.parametrize(
    ("data", "text", "reaches"),
    [
        (b'{"n":1}', "", True),
        (b'{"n":0}', "", False),
        (b'{"n":1}', "data.n == 1", True),
        (b'{"n":1}', "data.n == 2", False),
        (b'{"n":1}', "data.missing == 2", False),
        (b'{"n":1}', 'event_type == "post"', True),
        (b"{}", "", False),
    ],
)
async def test_a_triggers_filter_counts_for_its_subscriptions_and_its_type_does_not(
    talk: TalkRig, data: bytes, text: str, reaches: bool
) -> None:
    session, _ = await listening(talk, "news", text)

    recorded = await talk.send(data=data)

    assert recorded.session_ids == ()
    assert tuple(recorded.woken) == ((session.id,) if reaches else ())


async def test_an_event_of_a_connection_starts_what_each_of_its_triggers_says(
    talk: TalkRig,
) -> None:
    first = await talk.say(b'{"n":2}')
    second = await talk.say(b'{"n":1}')
    third = await talk.say(b'{"n":2}', type="reaction")

    started = [
        [(await talk.store.get_session(each)).entry_point for each in recorded.session_ids]
        for recorded in (first, second, third)
    ]
    assert started == [["main.py:every", "main.py:chatter"], ["main.py:every"], ["main.py:every"]]


async def test_an_event_of_a_connection_reaches_its_subscriptions_and_those_of_its_triggers(
    talk: TalkRig,
) -> None:
    to_connection, _ = await listening(talk, "chat")
    to_trigger, _ = await listening(talk, "chatter")

    reaction = await talk.say(b'{"n":2}', type="reaction")
    small = await talk.say(b'{"n":1}')

    assert set(reaction.woken) == {to_connection.id, to_trigger.id}
    assert set(small.woken) == {to_connection.id}


async def test_an_event_of_another_project_reaches_nobody(talk: TalkRig) -> None:
    await listening(talk, "chat")
    other = replace(a_release(), connections=())
    other = replace(other, connections=(a_connection(other.project.id),))
    await talk.store.apply_release(other)

    event = replace(talk.a_chat_event(), project_id=other.project.id)
    recorded = await talk.dispatcher.dispatch_to_connection(event, "chat")

    assert (recorded.session_ids, recorded.woken) == ((), {})


async def test_subscriptions_of_an_old_deployment_go_on(talk: TalkRig) -> None:
    session, _ = await listening(talk, "news")
    second = a_release(project=talk.release.project)
    triggers: tuple[Trigger, ...] = tuple(
        replace(each, deployment_id=second.deployment.id) for each in talk.release.triggers
    )
    await talk.store.apply_release(replace(second, triggers=triggers))
    talk.routes.expire()

    recorded = await talk.send()

    assert tuple(recorded.woken) == (session.id,)


async def test_a_redispatched_event_is_heard_like_a_new_one(talk: TalkRig) -> None:
    first = await talk.say(b'{"n":2}')
    session, _ = await listening(talk, "chat")
    event = await talk.store.get_event(first.event_id)

    again = await talk.dispatcher.redispatch(event, None)

    assert (len(again.session_ids), list(again.woken)) == (2, [session.id])


async def test_an_event_that_started_nothing_says_why(talk: TalkRig) -> None:
    found = [
        await talk.dispatcher.explain(talk.a_chat_event(source="connection:other")),
        await talk.dispatcher.explain(replace(talk.a_chat_event(), source="connection:chat")),
    ]
    trigger = talk.trigger("news")
    event = replace(talk.a_chat_event(), trigger_id=trigger.id, source=f"trigger:{trigger.id}")
    found.append(await talk.dispatcher.explain(event))
    chatter = talk.trigger("chatter")
    event = replace(event, trigger_id=chatter.id, source=f"trigger:{chatter.id}", type="reaction")
    found.append(await talk.dispatcher.explain(event))
    found.append(await talk.dispatcher.explain(replace(event, type="message", data=b"{}")))
    gone = replace(event, trigger_id="trg_gone")
    found.append(await talk.dispatcher.explain(gone))

    assert found == [
        "no active trigger belongs to connection 'other'",
        "",
        "trigger 'news': the trigger has no entry point (`call`)",
        "trigger 'chatter': the event's type is 'reaction', not 'message'",
        "trigger 'chatter': filter: no such key: 'n'",
        "its trigger is no longer active",
    ]


async def test_a_filter_is_asked_once_for_all_who_share_it() -> None:
    table = SubscriptionTable()
    judge = _CountingJudge()
    facts = EventFacts(replace(an_event(a_release()), data=b'{"n": 1}', body=None))

    for number in range(1000):
        table.add(a_subscription(f"data.n == {number % 2}"))
    table.add(a_subscription(""))

    found = await table.find(PROJECT, "trigger:t", facts, judge)

    assert (len(found), judge.asked) == (501, 2)


async def test_a_table_forgets_what_ended_and_nothing_else() -> None:
    table = SubscriptionTable()
    first, second = a_subscription(""), a_subscription("")
    table.add(first)
    table.add(second)

    table.remove(first.id, second.session_id)
    table.remove(SubscriptionId("sub_unknown"), first.session_id)
    before = len(table)
    table.remove(first.id, first.session_id)
    table.remove_session(second.session_id)
    table.remove_session(second.session_id)

    assert (before, len(table)) == (2, 0)
    assert table._places == {}
    facts = EventFacts(an_event(a_release()))
    assert await table.find(PROJECT, "trigger:t", facts, InlineJudge()) == []


class _CountingJudge(InlineJudge):
    """Counts how many filters it is asked to judge."""

    def __init__(self) -> None:
        self.asked = 0

    async def explain(self, *args: Any, **kwargs: Any) -> Explanation:
        self.asked += 1
        return await super().explain(*args, **kwargs)


def a_subscription(text: str) -> Subscription:
    at = next_moment()
    found = new_subscription_id(at)
    return Subscription(
        id=found,
        session_id=f"ses_of_{found}",  # pyright: ignore[reportArgumentType]
        project_id=PROJECT,
        source="trigger:t",
        filter=text,
        created_at=START,
    )


PROJECT = a_release().project.id
