"""Many at once: an event for thousands of sessions is a handful of statements."""

from __future__ import annotations

from hookline_service.model.calls import TakeEvent
from hookline_service.model.ids import SubscriptionId
from hookline_service.model.projects import Release
from hookline_service.model.sessions import Session, SessionState
from hookline_service.storage.sqlite import SqliteStore
from tests.builders.calls import a_call, made, subscribed, value_of
from tests.builders.events import an_event
from tests.builders.moments import after
from tests.builders.projects import a_definition, a_release
from tests.builders.sessions import a_begin, a_change, a_session


class Statements:
    """What the writing connection ran."""

    def __init__(self, store: SqliteStore) -> None:
        self.count = 0
        connection = store._writer._database.connection  # pyright: ignore[reportPrivateUsage] - to look on
        connection.set_trace_callback(self._see)

    def _see(self, _statement: str) -> None:
        self.count += 1


async def waiting_sessions(
    store: SqliteStore, release: Release, count: int
) -> dict[Session, SubscriptionId]:
    """Sessions that wait for an event, each with its subscription."""
    sessions = [a_session(release) for _ in range(count)]
    await store.add_sessions(sessions)
    waiting: dict[Session, SubscriptionId] = {}
    for session in sessions:
        subscription = await subscribed(store, session, "orders")
        await store.change_session(a_begin(session.id), [])
        change = a_change(
            session.id,
            SessionState.WAITING,
            expected_attempt=1,
            topics=(f"sub:{subscription}",),
        )
        await store.change_session(change, [])
        waiting[session] = subscription
    return waiting


async def test_an_event_for_many_sessions_takes_a_handful_of_statements(
    store: SqliteStore,
) -> None:
    release = a_release(definitions=[a_definition(name="orders")])
    await store.apply_release(release)
    waiting = await waiting_sessions(store, release, 60)
    subscriptions = list(waiting.values())
    counts: list[int] = []

    for some in (subscriptions[:2], subscriptions):
        statements = Statements(store)
        event = an_event(release.triggers[0], created_at=after(9))
        recorded = await store.record_event(event, [], deliveries=some)
        counts.append(statements.count)
        assert len(recorded.woken) == len(some)

    assert max(counts) <= 10
    assert len(await store.list_due(after(9), 100)) == 60


async def test_a_subscription_with_many_events_is_emptied_one_by_one(store: SqliteStore) -> None:
    release = a_release(definitions=[a_definition(name="orders")])
    await store.apply_release(release)
    ((session, subscription),) = (await waiting_sessions(store, release, 1)).items()
    events = [an_event(release.triggers[0], body=None) for _ in range(150)]
    for event in events:
        await store.record_event(event, [], deliveries=[subscription])
    take = TakeEvent(ids=(subscription,), deadline_at=None)

    taken = [value_of(await made(store, a_call(session, take)))["id"] for _ in events]

    assert taken == [event.id for event in events]
    assert (await made(store, a_call(session, take))).is_waiting
