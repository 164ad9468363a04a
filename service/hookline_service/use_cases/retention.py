"""What is over is deleted, a few at once: finished sessions after a time, values of stores once they have expired."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from math import inf

from hookline_service.clock import Clock
from hookline_service.storage.protocols import SessionStore, ValueStore

logger = logging.getLogger(__name__)

_BATCH = 200
_JUMP_S = 3600.0
_HELD_S = 86_400.0


class ClockWatch:
    """Knows whether the clock has jumped ahead lately: what is deleted by age then may be young in truth."""

    def __init__(self, clock: Clock, steady_s: Callable[[], float]) -> None:
        self._clock = clock
        self._steady_s = steady_s
        self._last: tuple[datetime, float] | None = None
        self._held_until_s = -inf

    def is_trusted(self) -> bool:
        """False for a day after the clock has gained more than an hour, unless it is set back. To be asked now and then."""
        now, steady_s = self._clock.now(), self._steady_s()
        last, self._last = self._last, (now, steady_s)
        gained_s = 0.0 if last is None else (now - last[0]).total_seconds() - (steady_s - last[1])
        if gained_s > _JUMP_S:
            self._held_until_s = steady_s + _HELD_S
            logger.warning("the clock jumped ahead; nothing is deleted by age for a day", extra={"gained_s": round(gained_s)})  # fmt: skip
        elif gained_s < -_JUMP_S:
            self._held_until_s = -inf
        return steady_s >= self._held_until_s


async def delete_expired_values(store: ValueStore, clock: Clock) -> int:
    """Delete values of projects' stores that have expired; how many. Nobody saw them any more."""
    now = clock.now()
    total = 0
    while True:
        deleted = await store.delete_expired_values(now, _BATCH)
        total += deleted
        if deleted < _BATCH:
            return total


async def delete_expired(store: SessionStore, clock: Clock, retention_days: int) -> int:
    """Delete sessions that ended more than `retention_days` ago; how many. 0 days keeps everything.

    Works in small transactions, so that others get their turn in between.
    """
    if retention_days <= 0:
        return 0
    before = clock.now() - timedelta(days=retention_days)
    total = 0
    while True:
        deleted = await store.delete_finished_before(before, _BATCH)
        total += deleted
        if deleted < _BATCH:
            break
    if total:
        logger.info("old sessions deleted", extra={"count": total})
    return total
