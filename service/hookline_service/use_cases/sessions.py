"""What people do with sessions: start again, wait for the end, delete."""

from __future__ import annotations

from dataclasses import replace

import anyio

from hookline_runner import fast_json
from hookline_service.clock import Clock
from hookline_service.engine.protocol import Engine, SessionChanges
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import FINAL_STATES, Session, fresh_copy
from hookline_service.storage.protocols import SessionStore, Store


async def restart_session(
    store: Store, engine: Engine, clock: Clock, session_id: SessionId
) -> Session:
    """Start a new session with the build, entry point, input and event of this one.

    Raises:
        SessionNotFoundError: there is none.
        EventNotFoundError: its event was deleted.
    """
    former = await store.get_session(session_id)
    event = None if former.event_id is None else await store.get_event(former.event_id)
    session = replace(fresh_copy(former, clock.now()), retry_of=former.id)
    await store.add_sessions([session])
    await engine.start(session, event)
    return session


async def wait_until_final(
    store: SessionStore, changes: SessionChanges, session_id: SessionId, timeout_s: float
) -> Session:
    """The session when it is final, or as it is after `timeout_s`.

    Raises:
        SessionNotFoundError: there is none.
    """
    session = await store.get_session(session_id)
    with anyio.move_on_after(timeout_s):
        since = await changes.wait_change(session_id, -1)
        while True:
            session = await store.get_session(session_id)
            if session.state in FINAL_STATES:
                return session
            since = await changes.wait_change(session_id, since)
    return session


def encode_input(value: object) -> bytes | None:
    """The JSON text of a session's input; None for none."""
    return None if value is None else fast_json.write(value)
