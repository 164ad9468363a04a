"""Tells sessions that something has come for them: those that run by a frame, those that wait by going on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Set as AbstractSet
from dataclasses import replace
from typing import Final

from hookline.errors import HooklineError
from hookline_runner.frames import FrameType
from hookline_service.engine.hosts import LiveAttempt
from hookline_service.engine.source import SessionSource, Taker
from hookline_service.engine.store import EngineStore
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import SessionState

logger = logging.getLogger(__name__)

_FEW: Final = 32  # more are found by the source, which takes them page by page


class Waker:
    """See `Engine.wake`. The store has made due what waits; this only spares it the wait for the next look."""

    def __init__(
        self,
        store: EngineStore,
        taker: Taker,
        source: SessionSource,
        *,
        live: Mapping[SessionId, LiveAttempt],
        changing: AbstractSet[SessionId],
    ) -> None:
        self._store = store
        self._taker = taker
        self._source = source
        self._live = live
        self._changing = changing
        self._missed: set[SessionId] = set()

    def wake(
        self, session_ids: Iterable[SessionId], start_soon: Callable[[SessionId], None]
    ) -> None:
        """Tell each of them; `start_soon` runs `take_up` for one."""
        waiting: list[SessionId] = []
        for session_id in session_ids:
            attempt = self._live.get(session_id)
            if attempt is None:
                waiting.append(session_id)
            elif attempt.suspension is not None:
                self._missed.add(session_id)
            elif attempt.is_launched:
                attempt.host.link.send_encoded(FrameType.WAKE, attempt.channel, b"{}")
        if len(waiting) > _FEW:
            self._source.notice()
            return
        for session_id in waiting:
            start_soon(session_id)

    async def take_up(self, session_id: SessionId) -> None:
        """Let one session go on if it waits."""
        try:
            session = await self._store.get_session(session_id)
        except HooklineError as exc:
            facts = {"session_id": session_id, "reason": exc.message}
            logger.warning("session not woken; the next look will", extra=facts)
            return
        if session_id in self._changing:
            self._missed.add(session_id)
        elif session.state is SessionState.WAITING:
            await self._taker.take(replace(session, wake_at=None))

    def missed(self, session_id: SessionId) -> bool:
        """Whether the session was woken while it was being written down as one that waits; asked once."""
        was_missed = session_id in self._missed
        self._missed.discard(session_id)
        return was_missed
