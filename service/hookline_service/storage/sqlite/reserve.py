"""Room on the disk that is kept for bad times, so that sessions can end and things be deleted on a full disk."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from hookline_service.storage.errors import StorageUnavailableError

logger = logging.getLogger(__name__)

RESERVE_FILE: Final = "hookline.reserve"
_MOST_BYTES: Final = 4 * 1024 * 1024
_PARTS: Final = 16  # of a small disk
_ROOM_TIMES: Final = 3  # so many times the reserve must be free before it is made
_LITTLE_BYTES: Final = 1024 * 1024


class Reserve:
    """A file beside the database. It is removed when the disk is full, and made again when there is room.

    In between, only what was begun goes on: new work is refused (`admit`).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size_bytes = min(_MOST_BYTES, shutil.disk_usage(path.parent).total // _PARTS)
        self._is_needed = False

    def prepare(self) -> None:
        """Make it, if there is room. Where there is next to none, new work is refused from the beginning."""
        if not self._path.exists() and not self._make():
            self._is_needed = self._free_bytes() < self._size_bytes

    def helps_against(self, exc: sqlite3.Error) -> bool:
        """Whether more room would have spared the failure: the disk is full, however SQLite calls that."""
        code: int = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code == sqlite3.SQLITE_FULL:
            return True
        return code & 0xFF == sqlite3.SQLITE_IOERR and self._free_bytes() < _LITTLE_BYTES

    def release(self) -> bool:
        """Give the room to the database; false if there is none to give. Called by the thread that writes."""
        try:
            self._path.unlink()
        except OSError:
            return False
        self._is_needed = True
        logger.error(
            "the disk is full: new events and deploys are refused until there is room; sessions can end",
            extra={"directory": str(self._path.parent)},
        )
        return True

    def admit(self) -> None:
        """Let new work in. Raises `StorageUnavailableError` while what is left is kept for what was begun."""
        if not self._is_needed:
            return
        if self._make():
            self._is_needed = False
            logger.warning("there is room on the disk again")
            return
        raise StorageUnavailableError(
            "the disk is full, and what is left is kept for sessions that end and for deletions"
        )

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._path.parent).free

    def _make(self) -> bool:
        fresh = self._path.with_suffix(".new")
        try:
            if self._free_bytes() < self._size_bytes * _ROOM_TIMES:
                return False
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size_bytes)
            finally:
                os.close(descriptor)
            fresh.replace(self._path)
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            return False
        return True
