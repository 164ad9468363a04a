"""Writing what the service sends into a file: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from hookline_cli.client import Service
from hookline_cli.failures import FileUnusableError
from hookline_cli.paths import kind_of, resolved

_OWNER_ONLY = 0o600
_DATABASE = "hookline.db"
_OWN_FILES = frozenset({"secret.key", "token", "runner.token", "service.json", "hookline.lock"})


def save_download(service: Service, path: str, file: Path, *, force: bool) -> int:
    """Download into a file that only its owner may read; returns its size in bytes.

    The file appears when it is complete and on disk.

    Raises:
        FileUnusableError: the file exists and `force` is not set, belongs to a service, or cannot be written.
    """
    if _belongs_to_service(resolved(file)):
        raise FileUnusableError(file, "is a service's own file; choose another one")
    _check_place(file, force=force)
    draft = file.with_name(f".{file.name}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as stream:
            size = service.download(path, stream)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as exc:
        raise FileUnusableError(file, exc.strerror or "cannot be written") from exc
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return size


def write_whole(file: Path, text: str) -> None:
    """Write a text into a file, in the place of one that is there: the whole of it, or nothing.

    Raises:
        OSError: it cannot be written.
    """
    draft = file.with_name(f".{file.name}.part")
    try:
        draft.write_text(text, "utf-8")
        draft.replace(file)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _check_place(file: Path, *, force: bool) -> None:
    """Refuse what must not be overwritten, before anything is fetched."""
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        if not file.parent.is_dir():
            raise FileUnusableError(file, f"there is no directory {file.parent}") from None
        return
    except OSError as exc:
        raise FileUnusableError(file, exc.strerror or "cannot be written") from exc
    if not stat.S_ISREG(mode):
        raise FileUnusableError(file, f"is {kind_of(mode)}; name a file that is to be written")
    if not force:
        raise FileUnusableError(file, "exists already; --force overwrites it")


def _belongs_to_service(file: Path) -> bool:
    """Whether the file is one that a service keeps in its home: it would go on with the one that is replaced."""
    if not (file.parent / _DATABASE).exists():
        return False
    return file.name in _OWN_FILES or file.name.startswith(_DATABASE)
