"""One service owns a file at a time."""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import ExitStack
from pathlib import Path

from hookline_service.storage.errors import StorageLockedError

logger = logging.getLogger(__name__)


class Ownership:
    """A lock that ends with the process, however it ends.

    It is on `<file>.lock`, which names the owner, and on the directory, because the former can be deleted: then another
    process would lock a new file of that name. Where directories cannot be locked (some network file systems) the
    file alone counts.
    """

    __slots__ = ("_descriptors",)

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            StorageLockedError: another process has it.
        """
        lock_path = path.with_name(f"{path.name}.lock")
        with ExitStack() as stack:
            file = _open(lock_path, os.O_RDWR | os.O_CREAT, stack)
            directory = _open(path.parent, os.O_RDONLY | os.O_DIRECTORY, stack)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _lock_directory(directory)
            except BlockingIOError as exc:
                owner = os.read(file, 32).decode("ascii", "replace").strip()
                raise StorageLockedError(str(path), owner) from exc
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
            self._descriptors = stack.pop_all()

    def release(self) -> None:
        """Let another service have the file."""
        self._descriptors.close()


def _open(path: Path, flags: int, stack: ExitStack) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    stack.callback(os.close, descriptor)
    return descriptor


def _lock_directory(directory: int) -> None:
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as exc:
        logger.warning("directory cannot be locked", extra={"reason": exc.strerror})
