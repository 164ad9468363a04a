"""What waiting sessions wait for, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hookline_service.api.names import Names
from hookline_service.api.values import format_time
from hookline_service.model.calls import Wait
from hookline_service.model.ids import SessionId, TriggerId
from hookline_service.model.sessions import Session, SessionState
from hookline_service.storage.protocols import CallStore


async def load_waits(
    store: CallStore, sessions: Sequence[Session], names: Names
) -> Mapping[SessionId, list[str]]:
    """What each of these sessions waits for, if it is waiting: events, signals, ends of sessions, a time."""
    waiting = [session for session in sessions if session.state is SessionState.WAITING]
    if not waiting:
        return {}
    found: dict[SessionId, list[str]] = {session.id: [] for session in waiting}
    for wait in await store.list_waits(list(found)):
        text = _describe(wait, names)
        if text not in found[wait.session_id]:
            found[wait.session_id].append(text)
    for session in waiting:
        if session.wake_at is not None:
            found[session.id].append(f"time {format_time(session.wake_at)}")
    return found


def _describe(wait: Wait, names: Names) -> str:
    kind, _, name = wait.topic.partition(":")
    if kind == "sig":
        return f"end of {name}" if name.startswith("ses_") else f"signal {name}"
    of, _, source = wait.source.partition(":")
    return f"event of {names.trigger(TriggerId(source)) if of == 'trigger' else source}"
