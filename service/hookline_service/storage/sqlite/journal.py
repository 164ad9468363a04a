"""Journals and logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from hookline_service.model.calls import SessionFork
from hookline_service.model.errors import SessionNotFoundError
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import JournalEntry, LogRecord, ReplayRow
from hookline_service.storage.sqlite.connection import Database, Row
from hookline_service.storage.sqlite.rows import ENTRIES, LOG
from hookline_service.storage.sqlite.tables import Tables
from hookline_service.storage.sqlite.writer import OnDone

_PAGE_BYTES = 8 * 1024 * 1024
_RECORD_BYTES = 100
_COPIED_AT_ONCE = 500


class JournalTables(Tables):
    """See `SessionStore`."""

    async def append(self, entries: Sequence[JournalEntry], log: Sequence[LogRecord]) -> None:
        """See `JournalStore.append`."""
        size_bytes = _size_of_entries(entries) + size_of_log(log)
        await self._writer.run(_append, entries, log, size_bytes=size_bytes)

    def append_soon(
        self,
        entries: Sequence[JournalEntry],
        log: Sequence[LogRecord],
        on_stored: Callable[[Exception | None], None],
    ) -> None:
        """See `JournalStore.append_soon`."""

        def tell(_result: Any, failure: Exception | None) -> None:
            on_stored(failure)

        size_bytes = _size_of_entries(entries) + size_of_log(log)
        self._writer.submit(OnDone(tell), size_bytes, _append, entries, log)

    async def last_seq(self, session_id: SessionId) -> int:
        """See `JournalStore.last_seq`."""
        return self._readers.at_once(Database.value, "last_seq", (session_id,)) or 0

    async def count_entries(self, session_id: SessionId) -> int:
        """See `JournalStore.count_entries`."""
        return await self._readers.run(Database.value, "count_entries", (session_id,))

    async def read_journal(
        self, session_id: SessionId, page: int = 1000
    ) -> AsyncIterator[list[JournalEntry]]:
        """See `JournalStore.read_journal`."""
        after_seq = -1
        while rows := await self._readers.run(_page, "list_entries", session_id, after_seq, page):
            yield [ENTRIES.read(row, session_id=session_id) for row in rows]
            after_seq = rows[-1]["seq"]

    async def read_journal_rows(
        self, session_id: SessionId, page: int = 1000
    ) -> AsyncIterator[list[ReplayRow]]:
        """See `JournalStore.read_journal_rows`."""
        after_seq = -1
        while rows := await self._readers.run(
            _page, "list_replay_rows", session_id, after_seq, page
        ):
            yield [cast("ReplayRow", tuple(row)) for row in rows]
            after_seq = rows[-1]["seq"]

    async def list_entries(
        self, session_id: SessionId, after_seq: int, limit: int
    ) -> list[JournalEntry]:
        """See `JournalStore.list_entries`."""
        rows = await self._readers.run(
            Database.rows, "list_entries", (session_id, after_seq, limit)
        )
        return [ENTRIES.read(row, session_id=session_id) for row in rows]

    async def list_log(
        self, session_id: SessionId, after_seq: int, limit: int, *, newest_first: bool = False
    ) -> list[LogRecord]:
        """See `JournalStore.list_log`."""
        statement = "list_last_log" if newest_first else "list_log"
        rows = await self._readers.run(Database.rows, statement, (session_id, after_seq, limit))
        return [LOG.read(row, session_id=session_id) for row in rows]


def size_of_log(log: Sequence[LogRecord]) -> int:
    """Roughly how many bytes wait with these records."""
    return sum(len(record.text) + _RECORD_BYTES for record in log)


def _size_of_entries(entries: Sequence[JournalEntry]) -> int:
    return sum(
        len(entry.value) + len(entry.arguments) + len(entry.display) + _RECORD_BYTES
        for entry in entries
    )


def _append(database: Database, entries: Sequence[JournalEntry], log: Sequence[LogRecord]) -> None:
    for entry in entries:
        insert_entry(database, session_key(database, entry.session_id), entry)
    insert_log(database, log)


def insert_entry(database: Database, session: int, entry: JournalEntry) -> bool:
    """Insert an entry of the session of this number; false if it was recorded before."""
    row = ENTRIES.write(entry)
    row["session_key"] = session
    return database.execute("insert_entry", row).rowcount > 0


def copy_entries(database: Database, fork: SessionFork) -> int:
    """Give a fork the first entries of its source; the `seq` of the last, 0 if there is none."""
    key = session_key(database, fork.session.id)
    left, last_seq = fork.count, 0
    after_seq = -1
    while rows := database.rows(
        "list_entries", (fork.source, after_seq, min(left, _COPIED_AT_ONCE))
    ):
        for row in rows:
            entry = ENTRIES.read(row, session_id=fork.session.id)
            encoding, value = fork.reseal(entry.encoding, entry.value)
            insert_entry(database, key, replace(entry, encoding=encoding, value=value))
        after_seq = last_seq = rows[-1]["seq"]
        left -= len(rows)
    return last_seq


def insert_log(database: Database, log: Sequence[LogRecord]) -> None:
    """Insert log records; one recorded before is left as it is."""
    for record in log:
        row = LOG.write(record)
        row["session_key"] = session_key(database, record.session_id)
        database.execute("insert_log", row)


def session_key(database: Database, session_id: SessionId) -> int:
    """The number of a session; raises `SessionNotFoundError`."""
    key = database.find_key("find_session_key", session_id)
    if key is None:
        raise SessionNotFoundError(session_id)
    return key


def _page(
    database: Database, statement: str, session_id: SessionId, after_seq: int, limit: int
) -> list[Row]:
    """Rows until there are enough, or enough bytes of values."""
    rows: list[Row] = []
    size_bytes = 0
    for row in database.execute(statement, (session_id, after_seq, limit)):
        rows.append(row)
        size_bytes += len(row["value"])
        if size_bytes >= _PAGE_BYTES:
            break
    return rows
