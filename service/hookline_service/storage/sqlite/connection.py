"""One connection to the file, with its statements by name and the numbers behind ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hookline.errors import HooklineError
from hookline_service.model.ids import ProjectId
from hookline_service.model.sealing import OPEN_GATE, Finds, ValueGate
from hookline_service.storage.errors import StorageFailedError, StorageUnavailableError
from hookline_service.storage.sqlite.statements import load_statements

Row = sqlite3.Row  # its values have no static types; rows.py is where they get them
Parameters = Sequence[object] | Mapping[str, object]

_STATEMENTS_KEPT = 256
_KEYS_KEPT = 20_000

_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


def translate(exc: sqlite3.Error) -> HooklineError:
    """Our error for one of SQLite: unavailable when the file or disk is the cause, else a defect."""
    code: int = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code & 0xFF in _UNAVAILABLE:
        return StorageUnavailableError(str(exc))
    return StorageFailedError(str(exc))


class Database:
    """A connection that runs statements by name.

    `keys` remembers the numbers behind ids that this connection has seen, `burdens` by project the most that its children not begun
    can weigh, and when that was counted (microseconds since 1970), `finders` what looks for the secrets of a project; a
    roll-back or a delete empties all. Values of sessions pass the `gate`.
    """

    __slots__ = ("_texts", "burdens", "connection", "finders", "gate", "keys")

    def __init__(self, connection: sqlite3.Connection, gate: ValueGate = OPEN_GATE) -> None:
        self.connection = connection
        self.gate = gate
        self.finders: dict[ProjectId, Finds] = {}
        self.keys: dict[tuple[str, str], int] = {}
        self.burdens: dict[int, tuple[int, int]] = {}
        self._texts = load_statements()

    def execute(self, name: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Run the statement of this name."""
        return self.connection.execute(self._texts[name], parameters)

    def execute_each(self, name: str, parameters: Iterable[Parameters]) -> None:
        """Run the statement of this name for each of these."""
        self.connection.executemany(self._texts[name], parameters)

    def rows(self, name: str, parameters: Parameters = ()) -> list[Row]:
        """Every row that the statement answers."""
        return self.connection.execute(self._texts[name], parameters).fetchall()

    def row(self, name: str, parameters: Parameters = ()) -> Row | None:
        """The one row that the statement answers, if any."""
        found = self.connection.execute(self._texts[name], parameters).fetchall()
        return found[0] if found else None

    def value(self, name: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, None if there is no row."""
        found = self.connection.execute(self._texts[name], parameters).fetchall()
        return found[0][0] if found else None

    def find_key(self, statement: str, name: str) -> int | None:
        """The number behind an id; `statement` looks it up the first time."""
        key = self.keys.get((statement, name))
        if key is None:
            key = self.value(statement, (name,))
            if key is not None:
                if len(self.keys) >= _KEYS_KEPT:
                    self.keys.clear()
                self.keys[statement, name] = key
        return key

    def remember_key(self, statement: str, name: str, key: int | None) -> None:
        """Spare `find_key` its first look."""
        if key is not None:
            self.keys[statement, name] = key

    def forget_keys(self) -> None:
        """Rows were deleted, or a transaction undone: numbers may be given again."""
        self.keys.clear()
        self.burdens.clear()
        self.finders.clear()

    def forget_finders(self) -> None:
        """Variables were changed."""
        self.finders.clear()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def open_writer(path: Path, gate: ValueGate = OPEN_GATE) -> Database:
    """The one connection that writes; values of sessions pass the gate."""
    database = Database(_connect(path, "rwc"), gate)
    if database.value("count_tables") == 0:
        database.execute("auto_vacuum")
    for name in (
        "busy_timeout",
        "journal_mode_wal",
        "synchronous_full",
        "foreign_keys_on",
        "writer_cache",
        "temp_in_memory",
        "wal_autocheckpoint",
        "journal_size_limit",
        "secure_delete",
    ):
        database.rows(name)
    return database


def open_reader(path: Path, gate: ValueGate = OPEN_GATE) -> Database:
    """A connection that reads; values of sessions pass the gate."""
    database = Database(_connect(path, "rw"), gate)
    for name in ("busy_timeout", "query_only", "reader_cache", "temp_in_memory"):
        database.rows(name)
    return database


def open_copy(path: Path) -> Database:
    """A connection to a file that nobody else uses."""
    return Database(_connect(path, "rw"))


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS_KEPT,
    )
    connection.row_factory = sqlite3.Row
    return connection
