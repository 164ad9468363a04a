"""Putting a backup in the place of a home's database, while no service runs on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hookline_service.storage.sqlite import check_backup, fold_log, own_file
from hookline_service.use_cases.private_files import ensure_home, replace_file
from hookline_service.use_cases.secrets import KEY_FILE, SecretKeyInvalidError, decode_keys

DATABASE_FILE = "hookline.db"
_COMPANIONS = ("-wal", "-shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The database that stood there before is kept in `former`; None if there was none."""

    former: Path | None


def restore_database(
    home: Path,
    backup: Path,
    key_file: Path | None = None,
    confirm: Callable[[Path], None] | None = None,
) -> Restored:
    """Make the backup the database of this home; keys in `key_file` that the home has not are added to its own.

    Everything given is checked before anything is touched. What was there stays beside it, whole, whatever happens; cut
    off, the command can be given again.

    Args:
        home: the directory of the service, made if it is missing.
        backup: the file that `hookline backup` wrote.
        key_file: a `secret.key` that was kept.
        confirm: is called with the database that is to be replaced, if there is one, when all has been checked; what it
            raises leaves everything as it was.

    Raises:
        StorageLockedError: a service runs on the home.
        StorageForeignError, StorageDamagedError, StorageNewerError: the backup is no sound database of this version or before.
        SecretKeyInvalidError: the key file is none.
        HomeUnusableError: the home cannot be written.
        OSError: the disk is full, or a file cannot be read.
    """
    ensure_home(home)
    database = home / DATABASE_FILE
    with own_file(database):
        fresh = home / f"{DATABASE_FILE}.restoring"
        _copy(backup, fresh)
        try:
            check_backup(fresh, backup)
            keys = None if key_file is None else _keys_in(key_file)
            if confirm is not None and _is_there(database):
                confirm(database)
            if keys is not None:
                _add_keys(home / KEY_FILE, keys)
            fold_log(database)
            former = _set_aside(database)
            for (
                suffix
            ) in _COMPANIONS:  # they belong to the former database, and would spoil this one
                database.with_name(database.name + suffix).unlink(missing_ok=True)
            fresh.replace(database)
            _sync(home)
        finally:
            for suffix in ("", *_COMPANIONS):
                fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
    return Restored(former=former)


def _copy(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as copy, source.open("rb") as original:
        shutil.copyfileobj(original, copy, 1024 * 1024)
        copy.flush()
        os.fsync(copy.fileno())


def _is_there(database: Path) -> bool:
    return database.exists() and database.stat().st_size > 0


def _set_aside(database: Path) -> Path | None:
    """A second name for the database and its log of writes, which stay where they are; None if there is no database."""
    if not _is_there(database):
        return None
    number = 1
    while (former := database.with_name(f"{database.name}.before-restore-{number}")).exists():
        number += 1
    for suffix in ("", "-wal"):
        path = database.with_name(database.name + suffix)
        if path.exists():
            try:
                os.link(path, former.with_name(former.name + suffix))
            except OSError:  # not on this file system
                _copy(path, former.with_name(former.name + suffix))
    return former


def _keys_in(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8").split()
    except UnicodeDecodeError as exc:
        raise SecretKeyInvalidError(str(file)) from exc
    decode_keys(",".join(lines), str(file))
    return lines


def _add_keys(own: Path, added: list[str]) -> None:
    present = own.read_text("utf-8").split() if own.exists() else []
    lines = [*present, *(line for line in added if line not in present)]
    replace_file(own, "".join(f"{line}\n" for line in lines))


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
