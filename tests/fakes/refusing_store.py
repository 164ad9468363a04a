"""A store on a disk that is full, or gone, whenever a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from hookline_service.model.calls import CallResult, SessionCall
from hookline_service.model.sessions import JournalEntry, LogRecord, SessionChange
from hookline_service.storage.errors import StorageUnavailableError
from hookline_service.storage.protocols import Store

_READS = ("get_", "find_", "list_", "count_", "last_", "next_", "read_")


class RefusingStore:
    """Another store, but `refuses(method)` says which calls fail; none of them has any effect then."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.refuses: Callable[[str], bool] = lambda _name: False
        self.refused: list[str] = []

    def refuse_writes(self) -> None:
        self.refuses = lambda name: not name.startswith(_READS)

    def refuse_everything(self) -> None:
        self.refuses = lambda _name: True

    def refuse_times(self, name: str, times: int) -> None:
        """Refuse the next calls of one method."""
        left = [times]

        def refuses(called: str) -> bool:
            if called == name and left[0] > 0:
                left[0] -= 1
                return True
            return False

        self.refuses = refuses

    def relent(self) -> None:
        self.refuses = lambda _name: False

    def pending_bytes(self) -> int:
        return self.store.pending_bytes()

    def change_session_soon(
        self,
        change: SessionChange,
        log: Sequence[LogRecord],
        on_stored: Callable[[bool | Exception], None],
    ) -> None:
        if self._refuse("change_session_soon"):
            asyncio.get_running_loop().call_soon(on_stored, StorageUnavailableError("full"))
        else:
            self.store.change_session_soon(change, log, on_stored)

    def append_soon(
        self,
        entries: Sequence[JournalEntry],
        log: Sequence[LogRecord],
        on_stored: Callable[[Exception | None], None],
    ) -> None:
        if self._refuse("append_soon"):
            asyncio.get_running_loop().call_soon(on_stored, StorageUnavailableError("full"))
        else:
            self.store.append_soon(entries, log, on_stored)

    def call_soon(
        self, call: SessionCall, on_stored: Callable[[CallResult | Exception], None]
    ) -> None:
        if self._refuse("call_soon"):
            asyncio.get_running_loop().call_soon(on_stored, StorageUnavailableError("full"))
        else:
            self.store.call_soon(call, on_stored)

    def read_journal_rows(self, *args: Any, **kwargs: Any) -> Any:
        if self._refuse("read_journal_rows"):
            raise StorageUnavailableError("gone")
        return self.store.read_journal_rows(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            if self._refuse(name):
                raise StorageUnavailableError("full")
            return await getattr(self.store, name)(*args, **kwargs)

        return call

    def _refuse(self, name: str) -> bool:
        if self.refuses(name):
            self.refused.append(name)
            return True
        return False
