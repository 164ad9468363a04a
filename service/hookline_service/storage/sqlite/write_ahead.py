"""Whether all that was committed to the write-ahead log was read back when the file was opened.

SQLite takes the log up to the first frame whose sum is wrong, and says nothing of those behind it. After a loss of power that is
right: they were never confirmed. When the file itself was damaged they were, so it is told, and the log kept.

The layout is that of https://www.sqlite.org/fileformat2.html, chapter 4.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from hookline_service.storage.sqlite.connection import Database

logger = logging.getLogger(__name__)

_MAGIC: Final = (0x377F0682, 0x377F0683)
_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
_SALTS: Final = slice(16, 24)  # in the header of the file
_FRAME_SALTS: Final = slice(8, 16)
_COMMIT: Final = slice(4, 8)  # pages of the database after a commit, 0 in other frames


def committed_frames(log: Path) -> int | None:
    """How many frames the log says to hold up to its last commit; None when its header cannot be read."""
    try:
        content = log.read_bytes()
    except FileNotFoundError:
        return 0
    if not content:
        return 0
    if len(content) < _HEADER_BYTES or int.from_bytes(content[:4], "big") not in _MAGIC:
        return None
    step = _FRAME_HEADER_BYTES + int.from_bytes(content[8:12], "big")
    last = 0
    for number, start in enumerate(range(_HEADER_BYTES, len(content) - step + 1, step), 1):
        frame = content[start : start + _FRAME_HEADER_BYTES]
        if frame[_FRAME_SALTS] != content[_SALTS]:
            continue  # of the time before the log was begun anew, or damaged
        if any(frame[_COMMIT]):
            last = number
    return last


@contextlib.contextmanager
def watch_log(path: Path) -> Generator[Callable[[Database], None]]:
    """Before the file is opened: what is called with its first connection, before that writes anything of its own.

    It keeps a copy of the log beside the file, and says so, if SQLite took less of it than was committed.
    """
    log = path.with_name(f"{path.name}-wal")
    copy = path.with_name(f"{path.name}-wal.copy")
    expected = committed_frames(log)
    has_copy = expected != 0 and _copied(log, copy)

    def compare(database: Database) -> None:
        (_, taken, _) = database.rows("checkpoint")[0]
        if expected is None or taken < expected:
            facts: dict[str, object] = {"frames": expected, "frames_read": taken}
            if has_copy:
                facts["copy"] = str(copy.rename(_free_name(path)))
            logger.error(
                "write-ahead log damaged; what was written last may be missing", extra=facts
            )

    try:
        yield compare
    finally:
        copy.unlink(missing_ok=True)


def _copied(log: Path, copy: Path) -> bool:
    """Copy the log, which is gone for good as soon as SQLite has opened it; false if there is no room."""
    try:
        shutil.copyfile(log, copy)
        copy.chmod(0o600)
    except OSError as exc:
        logger.warning("write-ahead log not copied", extra={"reason": exc.strerror})
        return False
    return True


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}-wal.damaged-{number}")).exists():
        number += 1
    return name
