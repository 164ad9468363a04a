"""What a runner host stands on: directories that must stay where they are while it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class Footing:
    """Directories as they were when the host began, made if they are not there. Raises `OSError`."""

    def __init__(self, directories: Iterable[Path]) -> None:
        self._known: dict[str, tuple[int, int]] = {}
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            found = directory.stat()
            self._known[str(directory)] = found.st_dev, found.st_ino

    def find_lost(self) -> str:
        """The first directory that is gone, or another one by now; "" if all are there.

        One that cannot be asked for another reason (a file system that fails) counts as there: the next work says so.
        """
        for path, identity in self._known.items():
            try:
                found = os.stat(path)  # noqa: PTH116 - asked again and again
            except (FileNotFoundError, NotADirectoryError):
                return path
            except OSError:
                continue
            if (found.st_dev, found.st_ino) != identity:
                return path
        return ""
