"""An engine and a dispatcher that know each other, as `app` connects them, over one store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio

from hookline_service.dispatcher import (
    Dispatcher,
    EngineEvents,
    OutcomeBroker,
    RouteTable,
    SubscriptionTable,
)
from hookline_service.dispatcher.events import Accepted
from hookline_service.model.events import Event, Recorded
from hookline_service.model.projects import Release, Trigger
from hookline_service.model.sessions import Session
from hookline_triggers.definitions import TriggerKind
from hookline_triggers.webhook import event_meta
from tests.builders.engine import EngineRig, running_engine
from tests.builders.events import an_event
from tests.builders.projects import a_connection, a_definition, a_release
from tests.fakes.fake_engine import HandClock
from tests.fakes.runner_host import FakeRunnerHost, Seen
from tests.fakes.start_contexts import FakeStartContexts


def a_talking_release(**fields: Any) -> Release:
    """A project with the webhooks `work` (starts sessions) and `news` (starts nothing), and connection `chat`."""
    definitions = [
        a_definition(name="work", call="main.py:work"),
        a_definition(name="news", call="", event_type="post"),
        a_definition(
            name="chatter",
            kind=TriggerKind.CONNECTION,
            connection="chat",
            event_type="message",
            call="main.py:chatter",
        ),
    ]
    release = a_release(definitions=fields.pop("definitions", definitions), **fields)
    return replace(release, connections=(a_connection(release.project.id),))


@dataclass
class TalkRig:
    """See the module. `rig` is the engine's part."""

    rig: EngineRig
    release: Release
    subscriptions: SubscriptionTable
    answers: OutcomeBroker
    routes: RouteTable
    dispatcher: Dispatcher
    ended: list[Session]

    @property
    def store(self) -> Any:
        return self.rig.store

    def trigger(self, name: str) -> Trigger:
        return next(each for each in self.release.triggers if each.definition.name == name)

    async def send(
        self, trigger: str = "news", data: bytes = b'{"n":1}', **fields: Any
    ) -> Recorded:
        """An event of this trigger."""
        found = self.trigger(trigger)
        given = {"created_at": self.rig.clock.now(), "data": data, "body": None}
        event = an_event(found, **(given | fields))
        return await self.dispatcher.dispatch(found, event)

    async def say(self, data: bytes = b'{"n":1}', **fields: Any) -> Recorded:
        """An event of the connection."""
        event = self.a_chat_event(data, **fields)
        return await self.dispatcher.dispatch_to_connection(event, "chat")

    def a_chat_event(self, data: bytes = b'{"n":1}', **fields: Any) -> Event:
        given = {"type": "message", "source": "connection:chat", "data": data, "body": None}
        return an_event(self.release, created_at=self.rig.clock.now(), **(given | fields))

    async def post(self, trigger: str = "work", body: bytes = b"{}") -> Accepted:
        """A request to a webhook."""
        slug = self.trigger(trigger).slug or ""
        meta = event_meta("POST", f"/webhooks/{slug}".encode(), slug, [])
        accepted = await self.dispatcher.accept_webhook(slug, meta, [], body)
        assert accepted is not None
        return accepted

    async def until_ended(self, count: int) -> None:
        """Wait until so many sessions have ended."""
        while len(self.ended) < count:  # noqa: ASYNC110 - thousands of ends need no event each
            await anyio.sleep(0.02)

    async def waiting(self, host: FakeRunnerHost, source: str = "news") -> tuple[Session, str]:
        """A session that subscribed to the source, found nothing, and waits; its subscription."""
        session = await self.rig.start()
        seen = await host.next_start()
        subscription = (await host.call(seen, 1, "subscribe", at=0, source=source, filter="")).value
        await take_event(host, seen, 2, subscription)
        await host.suspend(seen, None, f"sub:{subscription}")
        return session, subscription


async def take_event(
    host: FakeRunnerHost, seen: Seen, n: int, subscription: str, at: int = 1
) -> Any:
    """The event that the session gets; None when nothing is there."""
    wanted = {"subscriptions": [subscription], "deadline_at": None}
    reply = await host.call(seen, n, "take_event", at=at, **wanted)
    return None if reply.header["wait"] else reply.value


@asynccontextmanager
async def talking(
    store: Any,
    release: Release,
    *,
    contexts: FakeStartContexts | None = None,
    clock: HandClock | None = None,
    lease_s: float = 30.0,
) -> AsyncIterator[TalkRig]:
    """A service without its HTTP, as after a start."""
    subscriptions, answers = SubscriptionTable(), OutcomeBroker()
    await subscriptions.load(store)
    switchboard = EngineEvents(subscriptions, answers)
    ended: list[Session] = []
    switchboard.on_end(ended.append)
    async with running_engine(
        store, release, contexts=contexts, clock=clock, lease_s=lease_s, listener=switchboard
    ) as rig:
        routes = RouteTable(store)
        dispatcher = Dispatcher(
            store=store,
            engine=rig.engine,
            routes=routes,
            clock=rig.clock,
            queue_limit_bytes=2**25,
            subscriptions=subscriptions,
            answers=answers,
        )
        yield TalkRig(
            rig=rig,
            release=release,
            subscriptions=subscriptions,
            answers=answers,
            routes=routes,
            dispatcher=dispatcher,
            ended=ended,
        )
