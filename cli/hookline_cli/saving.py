"""Writing what the service sends into a file: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from hookline_cli.client import Service
from hookline_cli.failures import FileUnusableError

_OWNER_ONLY = 0o600
_DATABASE = "hookline.db"
_OWN_FILES = frozenset({"secret.key", "token", "runner.token", "service.json", "hookline.lock"})


def save_download(service: Service, path: str, file: Path, *, force: bool) -> int:
    """Download into a file that only its owner may read; returns its size in bytes.

    The file appears when it is complete and on disk.

    Raises:
        FileUnusableError: the file exists and `force` is not set, belongs to a service, or cannot be written.
    """
    if _belongs_to_service(file.resolve()):
        raise FileUnusableError(file, "is a service's own file; choose another one")
    if file.exists() and not force:
        raise FileUnusableError(file, "exists already; --force overwrites it")
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
        draft.unlink(missing_ok=True)
    return size


def _belongs_to_service(file: Path) -> bool:
    """Whether the file is one that a service keeps in its home: it would go on with the one that is replaced."""
    if not (file.parent / _DATABASE).exists():
        return False
    return file.name in _OWN_FILES or file.name.startswith(_DATABASE)
