"""The default store: one SQLite file, one writer that commits in groups."""

from __future__ import annotations

from hookline_service.storage.sqlite.reserve import RESERVE_FILE
from hookline_service.storage.sqlite.store import (
    SqliteStore,
    check_backup,
    check_file,
    fold_log,
    open_sqlite_store,
    own_file,
)

__all__ = [
    "RESERVE_FILE",
    "SqliteStore",
    "check_backup",
    "check_file",
    "fold_log",
    "open_sqlite_store",
    "own_file",
]
