"""What is over is deleted, a few at once: finished sessions after a time, values of stores once they have expired."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Protocol

from hookline_service.clock import Clock

logger = logging.getLogger(__name__)

_BATCH = 200


class RetentionStore(Protocol):
    """The part of the store that forgets."""

    async def delete_finished_before(self, before: datetime, limit: int) -> int:
        """See `SessionStore.delete_finished_before`."""
        ...


class ValueStore(Protocol):
    """The part of the store whose values expire."""

    async def delete_expired_values(self, now: datetime, limit: int) -> int:
        """See `CallStore.delete_expired_values`."""
        ...


async def delete_expired_values(store: ValueStore, clock: Clock) -> int:
    """Delete values of projects' stores that have expired; how many. Nobody saw them any more."""
    now = clock.now()
    total = 0
    while True:
        deleted = await store.delete_expired_values(now, _BATCH)
        total += deleted
        if deleted < _BATCH:
            return total


async def delete_expired(store: RetentionStore, clock: Clock, retention_days: int) -> int:
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
