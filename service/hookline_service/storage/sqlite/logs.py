"""Log records of all sessions, in the order of their recording."""

from __future__ import annotations

from typing import Final

from hookline_service.model.sessions import LogFilter, LogPage, PlacedRecord
from hookline_service.storage.sqlite.connection import Database, Row
from hookline_service.storage.sqlite.records import to_us
from hookline_service.storage.sqlite.rows import LOG
from hookline_service.storage.sqlite.tables import Tables, project_key

_WINDOW: Final = 20_000  # records that are looked at in one step
_STEPS: Final = 10


class LogTables(Tables):
    """See `SessionStore`."""

    async def list_logs(self, which: LogFilter) -> LogPage:
        """See `JournalStore.list_logs`."""
        return await self._readers.run(_list_logs, which)


def _list_logs(database: Database, which: LogFilter) -> LogPage:
    last: int = database.value("last_log_position")
    is_upward = which.after is not None
    edge = which.after if which.after is not None else min(which.before or last + 1, last + 1)
    found: list[PlacedRecord] = []
    for _ in range(_STEPS):
        window = _above(edge, last) if is_upward else _below(edge)
        rows = _rows(database, which, window, which.limit - len(found), is_upward=is_upward)
        found += [
            PlacedRecord(position=row["key"], record=LOG.read(row, session_id=row["session_id"]))
            for row in rows
        ]
        if len(found) == which.limit:
            return LogPage(records=tuple(found), next=found[-1].position, is_end=False)
        edge = window[1] - 1 if is_upward else window[0]
        if _is_end(database, which, edge, last, is_upward=is_upward):
            return LogPage(records=tuple(found), next=edge, is_end=True)
    return LogPage(records=tuple(found), next=edge, is_end=False)


def _above(edge: int, last: int) -> tuple[int, int]:
    """The lowest position of the next step, and the first one above it."""
    return edge + 1, max(edge, min(edge + _WINDOW, last)) + 1


def _below(edge: int) -> tuple[int, int]:
    return max(0, edge - _WINDOW), edge


def _rows(
    database: Database, which: LogFilter, window: tuple[int, int], limit: int, *, is_upward: bool
) -> list[Row]:
    project = None if which.project_id is None else project_key(database, which.project_id)
    parameters = {
        "lower": window[0],
        "upper": window[1],
        "since": 0 if which.since is None else to_us(which.since),
        "project": project,
        "text": which.text,
        "severity": int(which.severity),
        "limit": limit,
    }
    return database.rows("list_logs_above" if is_upward else "list_logs_below", parameters)


def _is_end(database: Database, which: LogFilter, edge: int, last: int, *, is_upward: bool) -> bool:
    """Whether nothing more is to be found that way; records come in the order of their times, but for a little."""
    if is_upward:
        return edge >= last
    newest = database.value("newest_log_time", (edge,))
    return newest is None or (which.since is not None and newest < to_us(which.since))
