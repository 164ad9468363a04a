"""What sessions record and say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import JournalEntry, LogFilter, LogPage, LogRecord, ReplayRow


class JournalStore(Protocol):
    """Journals and logs of sessions."""

    async def append(self, entries: Sequence[JournalEntry], log: Sequence[LogRecord]) -> None:
        """Append journal entries and log records, all or nothing; raises `SessionNotFoundError`.

        Idempotent by (session, branch, index) and (session, seq): what is there stays as it is.
        """
        ...

    def append_soon(
        self,
        entries: Sequence[JournalEntry],
        log: Sequence[LogRecord],
        on_stored: Callable[[Exception | None], None],
    ) -> None:
        """Like `append`, without a task: `on_stored` is called on the event loop once it is on disk, or failed.

        Writes submitted by one caller, by whatever method, are committed in the order of submission.
        """
        ...

    async def last_seq(self, session_id: SessionId) -> int:
        """The highest `seq` in the session's log and journal, 0 if none."""
        ...

    async def count_entries(self, session_id: SessionId) -> int:
        """How many journal entries the session has."""
        ...

    def read_journal(
        self, session_id: SessionId, page: int = 1000
    ) -> AsyncIterator[list[JournalEntry]]:
        """Pages of the session's journal, by `seq`."""
        ...

    def read_journal_rows(
        self, session_id: SessionId, page: int = 1000
    ) -> AsyncIterator[list[ReplayRow]]:
        """Like `read_journal`, several times faster: what a replay needs, as tuples; a page ends at about 8 MB."""
        ...

    async def list_entries(
        self, session_id: SessionId, after_seq: int, limit: int
    ) -> list[JournalEntry]:
        """Journal entries with `seq` above `after_seq`, oldest first."""
        ...

    async def list_log(
        self, session_id: SessionId, after_seq: int, limit: int, *, newest_first: bool = False
    ) -> list[LogRecord]:
        """Log records with `seq` above `after_seq`, oldest first (or the last ones, newest first)."""
        ...

    async def list_logs(self, which: LogFilter) -> LogPage:
        """Log records of all sessions. Looks at a bounded number of them, so a page may be short before the end."""
        ...
