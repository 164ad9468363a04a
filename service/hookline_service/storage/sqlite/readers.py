"""Reading connections: a few on worker threads, one for point reads on the loop."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter, to_thread

from hookline_service.storage.errors import StorageUnavailableError
from hookline_service.storage.sqlite.connection import Database, translate

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Readers:
    """Runs reads, each on a connection of its own, which sees every write that had returned."""

    __slots__ = ("_free", "_is_closed", "_limiter", "_near")

    def __init__(self, near: Database, pool: Sequence[Database]) -> None:
        self._near = near
        self._free = list(pool)
        self._limiter = CapacityLimiter(len(pool))
        self._is_closed = False

    async def run(self, work: Callable[[Database, *Ts], T], *args: *Ts) -> T:
        """What the work returns, from a worker thread."""
        self._refuse_when_closed()
        return await to_thread.run_sync(self._run, work, args, limiter=self._limiter)

    def at_once(self, work: Callable[[Database, *Ts], T], *args: *Ts) -> T:
        """What the work returns, on the loop: for a handful of rows found by key."""
        self._refuse_when_closed()
        try:
            return work(self._near, *args)
        except sqlite3.Error as exc:
            raise translate(exc) from exc

    async def aclose(self) -> None:
        """Wait for reads under way, then close."""
        self._is_closed = True
        for _ in range(int(self._limiter.total_tokens)):
            await self._limiter.acquire_on_behalf_of(object())
        for database in (self._near, *self._free):
            database.close()

    def _run(self, work: Callable[..., T], args: tuple[object, ...]) -> T:
        database = self._free.pop()
        try:
            return work(database, *args)
        except sqlite3.Error as exc:
            raise translate(exc) from exc
        finally:
            self._free.append(database)

    def _refuse_when_closed(self) -> None:
        if self._is_closed:
            raise StorageUnavailableError("it is closed")
