"""Tells sessions that something has come for them: those that run by a frame, those that wait by going on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from hookline.errors import HooklineError
from hookline_runner import fast_json
from hookline_runner.frames import FrameType
from hookline_service.clock import Clock
from hookline_service.engine.hosts import LiveAttempt
from hookline_service.engine.source import SessionSink, SessionSource
from hookline_service.engine.store import EngineStore
from hookline_service.model.events import Woken
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import SessionState

logger = logging.getLogger(__name__)

_FEW: Final = 32  # more are found by the source, which takes them page by page


class Waker:
    """See `Engine.wake`. The store has made due what waits; this only spares it the wait for the next look."""

    def __init__(
        self,
        store: EngineStore,
        clock: Clock,
        taker: SessionSink,
        source: SessionSource,
        live: Mapping[SessionId, LiveAttempt],
    ) -> None:
        self._store = store
        self._clock = clock
        self._taker = taker
        self._source = source
        self._live = live

    def wake(self, woken: Woken, start_soon: Callable[[SessionId], None]) -> None:
        """Tell each of them; `start_soon` runs `take_up` for one."""
        waiting: list[SessionId] = []
        for session_id, topics in woken.items():
            attempt = self._live.get(session_id)
            if attempt is None:
                waiting.append(session_id)
            elif attempt.is_launched:
                header = fast_json.write({"topics": topics})
                attempt.host.link.send_encoded(FrameType.WAKE, attempt.channel, header)
        if len(waiting) > _FEW:
            self._source.notice()
            return
        for session_id in waiting:
            start_soon(session_id)

    async def take_up(self, session_id: SessionId) -> None:
        """Let one session go on if it waits and is due."""
        try:
            session = await self._store.get_session(session_id)
            is_due = session.wake_at is not None and session.wake_at <= self._clock.now()
            if session.state is SessionState.WAITING and is_due:
                await self._taker.take(replace(session, wake_at=None))
        except HooklineError as exc:
            facts = {"session_id": session_id, "reason": exc.message}
            logger.warning("session not woken; the next look will", extra=facts)
            self._source.notice()
