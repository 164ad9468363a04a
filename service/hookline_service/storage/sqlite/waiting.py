"""What sessions wait for, and how something that comes makes them due."""

from __future__ import annotations

from hookline_runner import fast_json
from hookline_service.model.calls import Deliveries
from hookline_service.model.events import Woken
from hookline_service.model.ids import SessionId
from hookline_service.model.sealing import ValueKind
from hookline_service.model.sessions import FINAL_STATES, SessionChange, SessionState
from hookline_service.storage.results import completion_of
from hookline_service.storage.sqlite.connection import Database
from hookline_service.storage.sqlite.records import to_us
from hookline_service.storage.sqlite.sealing import sealed


def deliver(
    database: Database, event: int, project: int, subscriptions: Deliveries, at_us: int
) -> Woken:
    """Put a new event into subscriptions; the sessions that got it."""
    if not subscriptions:
        return {}
    ids = fast_json.write(list(subscriptions)).decode()
    database.execute("insert_deliveries", (ids, event, project))
    database.execute("wake_subscribers", (event, at_us))
    receivers: dict[SessionId, list[str]] = {}
    for session_id, subscription_id in database.rows("list_receivers", (event,)):
        receivers.setdefault(session_id, []).append(f"sub:{subscription_id}")
    return {session_id: tuple(topics) for session_id, topics in receivers.items()}


def queue_signal(database: Database, session: int, name: str, payload: bytes, at_us: int) -> None:
    """Queue a signal for a session, which becomes due when it waits for it; `payload` as it is to be stored."""
    database.execute("insert_signal", (session, name, payload))
    database.execute("wake_for_topic", (session, f"sig:{name}", at_us))


def follow_change(database: Database, session: int, change: SessionChange) -> None:
    """Keep what the session waits for in step with its state; a final one waits for nothing, tells its parent, and lets its deployment settle."""
    database.execute("clear_waits", (session,))
    if change.state is SessionState.WAITING and change.topics:
        database.execute_each("insert_wait", [(session, topic) for topic in change.topics])
        if any(_has_something(database, session, topic) for topic in change.topics):
            database.execute("wake_session", (session, to_us(change.at)))
    if change.state not in FINAL_STATES:
        return
    database.execute("settle_deployment_of", (session,))
    database.execute("clear_subscriptions", (session,))
    database.execute("clear_signals", (session,))
    parent = database.row("find_parent_to_tell", (session,))
    if parent is not None:
        key, name, project_id = parent
        told = completion_of(change)
        payload = sealed(database, project_id, ValueKind.SIGNAL, told, change.finds)
        queue_signal(database, key, name, payload, to_us(change.at))


def _has_something(database: Database, session: int, topic: str) -> bool:
    kind, _, name = topic.partition(":")
    if kind == "sig":
        return database.row("find_oldest_signal", (session, name)) is not None
    row = database.row("find_oldest_delivery", (name, session))
    return row is not None and row["oldest"] is not None
