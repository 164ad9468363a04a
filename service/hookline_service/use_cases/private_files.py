"""Small files of the home that only their owner may read: made once, whole or not at all."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import stat
from collections.abc import Generator
from pathlib import Path

from hookline.errors import UnavailableError
from hookline_runner import write_points

logger = logging.getLogger(__name__)

_OWNER_ONLY = 0o600
_HOME_MODE = 0o700


class HomeUnusableError(UnavailableError):
    """The home directory, or a file in it, cannot be read or written."""

    code = "home.unusable"

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}; set HOOKLINE_HOME to a directory you can write to")
        self.path = path

    @property
    def details(self) -> dict[str, object]:
        """The path at fault."""
        return {"path": str(self.path)}


def ensure_home(home: Path) -> None:
    """Make the directory (mode 0700) when it is missing.

    Raises:
        HomeUnusableError: it cannot be made, or is no directory.
    """
    try:
        home.mkdir(mode=_HOME_MODE, parents=True, exist_ok=True)
    except OSError as exc:
        raise HomeUnusableError(home, exc.strerror or "cannot be made") from exc


def load_or_create(path: Path, fresh: str) -> str:
    """The text of the file; `fresh` after writing it (mode 0600, fsynced) when there is no file.

    Of two processes that create it at once, both get the text of one of them. A file that others may read is
    closed to them, with a warning.

    Raises:
        HomeUnusableError: it cannot be read or written.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        _create(path, fresh)
    except OSError as exc:
        raise HomeUnusableError(path, exc.strerror or "cannot be read") from exc
    try:
        return _read(path)
    except OSError as exc:
        raise HomeUnusableError(path, exc.strerror or "cannot be read") from exc


def _read(path: Path) -> str:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & ~_OWNER_ONLY:
            logger.warning("file was open to others", extra={"path": str(path), "mode": oct(mode)})
            os.fchmod(file.fileno(), _OWNER_ONLY)
        return file.read().decode("utf-8", errors="replace")


def replace_file(path: Path, text: str) -> None:
    """Put the text (mode 0600, fsynced) in the place of what the file holds: a crash leaves the one or the other.

    Raises:
        HomeUnusableError: it cannot be written.
    """
    with _draft_of(path, text) as draft:
        draft.replace(path)


def _create(path: Path, text: str) -> None:
    with (
        _draft_of(path, text) as draft,
        contextlib.suppress(FileExistsError),  # another process was first: its text counts
    ):
        os.link(draft, path)


@contextlib.contextmanager
def _draft_of(path: Path, text: str) -> Generator[Path]:
    """A finished file beside the path, to be put in its place; what was done with it is on disk afterwards."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        write_points.reach(f"home {path.name}: before placing")
        yield draft
        write_points.reach(f"home {path.name}: after placing")
        _sync_directory(path.parent)
    except OSError as exc:
        raise HomeUnusableError(path, exc.strerror or "cannot be written") from exc
    finally:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be removed
            draft.unlink()


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
