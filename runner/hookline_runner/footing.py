"""What a runner host stands on: directories that must stay where they are while it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_OPEN = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Footing:
    """Directories as they were when the host began, made if they are not there. Raises `OSError`.

    They are held open, so that no other gets the number of one that was removed.
    """

    def __init__(self, directories: Iterable[Path]) -> None:
        self._held: dict[str, int] = {}
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._held[str(directory)] = os.open(directory, _OPEN)

    def find_lost(self) -> str:
        """The first directory that is gone, or another one by now; "" if all are there.

        One that cannot be asked for another reason (a file system that fails) counts as there: the next work says so.
        """
        for path, descriptor in self._held.items():
            try:
                if not os.path.samestat(os.stat(path), os.fstat(descriptor)):  # noqa: PTH116 - asked again and again
                    return path
            except (FileNotFoundError, NotADirectoryError):
                return path
            except OSError:
                continue
        return ""

    def close(self) -> None:
        """Let go of the directories."""
        while self._held:
            os.close(self._held.popitem()[1])
