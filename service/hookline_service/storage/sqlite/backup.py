"""A consistent copy of the file while the service runs."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from hookline_service.storage.errors import BackupExistsError
from hookline_service.storage.sqlite.connection import open_copy, open_reader


def copy_database(source: Path, target: Path) -> None:
    """Copy the database into a new file, which is there whole or not at all.

    Raises:
        BackupExistsError: the file exists.
        OSError, sqlite3.Error: it cannot be written.
    """
    if target.exists():
        raise BackupExistsError(str(target))
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        _copy(source, part)
        part.rename(target)
        _sync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _copy(source: Path, part: Path) -> None:
    with closing(open_reader(source)) as reader, closing(open_copy(part)) as copy:
        reader.connection.backup(copy.connection)  # in one step: one moment of the source
        copy.rows("journal_mode_delete")
    _sync(part)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
