"""Tells those who watch a session that something new about it is in the store."""

from __future__ import annotations

import anyio

from hookline_service.model.ids import SessionId


class _Watch:
    __slots__ = ("counter", "event", "waiters")

    def __init__(self) -> None:
        self.counter = 0
        self.event = anyio.Event()
        self.waiters = 0


class ChangeHub:
    """See `SessionChanges`. Sessions that nobody watches cost one dictionary look-up per change."""

    _MAX_IDLE = 1000

    def __init__(self) -> None:
        self._watches: dict[SessionId, _Watch] = {}

    def notify(self, session_id: SessionId) -> None:
        """Raise the session's counter and wake its watchers."""
        watch = self._watches.get(session_id)
        if watch is None:
            return
        watch.counter += 1
        watch.event.set()
        watch.event = anyio.Event()

    async def wait_change(self, session_id: SessionId, since: int) -> int:
        """See `SessionChanges.wait_change`."""
        watch = self._watches.get(session_id)
        if watch is None:
            self._forget_idle()
            watch = self._watches[session_id] = _Watch()
            return 0 if since < 0 else since + 1
        if since < watch.counter:
            return watch.counter
        watch.waiters += 1
        try:
            await watch.event.wait()
        finally:
            watch.waiters -= 1
        return watch.counter

    def _forget_idle(self) -> None:
        if len(self._watches) < self._MAX_IDLE:
            return
        idle = [session_id for session_id, watch in self._watches.items() if not watch.waiters]
        for session_id in idle:
            del self._watches[session_id]
