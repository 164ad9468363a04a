"""Reading files that foreign code could have put there: nothing is followed, waited for, or read without end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read_foreign_file(path: Path, *, most: int) -> bytes | None:
    """The content of a regular file of at most so many bytes; None if it is a link, a pipe, or larger.

    Raises OSError if it cannot be opened, also because foreign code holds a lease on it.
    """
    descriptor = os.open(path, _OPEN)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            return None
        content = file.read(most + 1)
    return content if len(content) <= most else None
