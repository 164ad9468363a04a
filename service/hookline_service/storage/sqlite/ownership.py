"""One service owns a file at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from hookline_service.storage.errors import StorageLockedError


class Ownership:
    """A lock on `<file>.lock` that ends with the process, however it ends."""

    __slots__ = ("_descriptor",)

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            StorageLockedError: another process has it.
        """
        lock_path = path.with_name(f"{path.name}.lock")
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StorageLockedError(str(path), owner) from exc
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let another service have the file."""
        os.close(self._descriptor)
