"""The SQLite store as one object, and how it is opened."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from anyio import CancelScope, to_thread

from hookline.errors import HooklineError
from hookline_service.model.sealing import OPEN_GATE, ValueGate
from hookline_service.storage.errors import (
    StorageDamagedError,
    StorageForeignError,
    StorageUnavailableError,
)
from hookline_service.storage.sqlite.backup import copy_database
from hookline_service.storage.sqlite.calls import CallTables
from hookline_service.storage.sqlite.connection import (
    Database,
    open_copy,
    open_reader,
    open_writer,
    translate,
)
from hookline_service.storage.sqlite.deployments import DeploymentTables
from hookline_service.storage.sqlite.events import EventTables
from hookline_service.storage.sqlite.forks import ForkTables
from hookline_service.storage.sqlite.journal import JournalTables
from hookline_service.storage.sqlite.logs import LogTables
from hookline_service.storage.sqlite.migrations import check_version, load_migrations, migrate
from hookline_service.storage.sqlite.ownership import Ownership
from hookline_service.storage.sqlite.projects import ProjectTables
from hookline_service.storage.sqlite.readers import Readers
from hookline_service.storage.sqlite.reserve import RESERVE_FILE, Reserve
from hookline_service.storage.sqlite.retention import RetentionTables
from hookline_service.storage.sqlite.sealing import KeyTables
from hookline_service.storage.sqlite.sessions import SessionTables
from hookline_service.storage.sqlite.store_values import ValueTables
from hookline_service.storage.sqlite.triggers import TriggerTables
from hookline_service.storage.sqlite.write_ahead import watch_log
from hookline_service.storage.sqlite.writer import Writer

_READERS = 4
_ROOM_BYTES = 1024 * 1024
_SQLITE_NEEDED = (3, 37, 0)


class SqliteStore(
    ProjectTables,
    DeploymentTables,
    TriggerTables,
    EventTables,
    SessionTables,
    JournalTables,
    LogTables,
    CallTables,
    ForkTables,
    ValueTables,
    KeyTables,
    RetentionTables,
):
    """See `Store`. Made by `open_sqlite_store`; an async context manager that closes itself."""

    def __init__(self, path: Path, ownership: Ownership, writer: Writer, readers: Readers) -> None:
        super().__init__(writer, readers)
        self._path = path
        self._ownership: Ownership | None = ownership

    async def backup(self, path: Path) -> None:
        """See `Store.backup`."""
        try:
            await to_thread.run_sync(copy_database, self._path, path)
        except sqlite3.Error as exc:
            raise translate(exc) from exc
        except OSError as exc:
            raise StorageUnavailableError(f"the copy cannot be written: {exc}") from exc

    async def check_writes(self) -> None:
        """See `Store.check_writes`."""
        await self._writer.check(lambda: _check_room(self._path))

    def pending_bytes(self) -> int:
        """See `Store.pending_bytes`."""
        return self._writer.pending_bytes

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        ownership, self._ownership = self._ownership, None
        if ownership is None:
            return
        with CancelScope(shield=True):  # bounded by the writer
            await self._readers.aclose()
            if await self._writer.aclose():
                ownership.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


async def open_sqlite_store(
    path: Path, *, check: bool = False, gate: ValueGate = OPEN_GATE
) -> SqliteStore:
    """The store in this file, made if it is not there, brought to the newest schema.

    Args:
        path: The file; its folder is made if need be.
        check: Look at the whole file for damage first (about a second per gigabyte).
        gate: Seals and opens values of sessions.

    Raises:
        StorageLockedError: another service uses the file.
        StorageNewerError: a newer Hookline wrote it.
        StorageForeignError: it is no database of ours.
        StorageDamagedError: the check found damage.
        StorageUnavailableError: it cannot be read or written.
    """
    ownership, databases = await to_thread.run_sync(_open, path, check, gate)
    reserve = Reserve(path.with_name(RESERVE_FILE))
    await to_thread.run_sync(reserve.prepare)
    writer = Writer(databases[0], reserve)
    readers = Readers(near=databases[1], pool=databases[2:])
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SqliteStore(path, ownership, writer, readers))
        await store.finish_removals()
        stack.pop_all()
    return store


def _check_room(path: Path) -> None:
    """A full disk may still take what fits into pages that the file has already."""
    free_bytes = shutil.disk_usage(path.parent).free
    if free_bytes < _ROOM_BYTES:
        raise StorageUnavailableError(
            f"the disk is full: {free_bytes} bytes are free, and {_ROOM_BYTES} are needed at least"
        )


def _open(path: Path, check: bool, gate: ValueGate) -> tuple[Ownership, list[Database]]:
    if sqlite3.sqlite_version_info < _SQLITE_NEEDED:
        raise StorageUnavailableError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and 3.37 or newer is needed"
        )
    try:
        with ExitStack() as stack:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            ownership = Ownership(path)
            stack.callback(ownership.release)
            databases = _open_databases(path, check, gate, stack)
            stack.pop_all()
            return ownership, databases
    except sqlite3.Error as exc:
        raise _refusal(exc, str(path)) from exc
    except UnicodeDecodeError as exc:  # SQLite quotes a schema that is no text
        raise StorageDamagedError(str(path), ("its schema cannot be read",)) from exc
    except OSError as exc:
        raise StorageUnavailableError(str(exc)) from exc


def _refusal(exc: sqlite3.Error, path: str) -> HooklineError:
    code: int = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return StorageForeignError(path, str(exc))
    if code == sqlite3.SQLITE_CORRUPT:
        return StorageDamagedError(path, (str(exc),))
    return translate(exc)


def _open_databases(path: Path, check: bool, gate: ValueGate, stack: ExitStack) -> list[Database]:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with watch_log(path) as compare_log:
        writer = stack.enter_context(closing(open_writer(path, gate)))
        compare_log(writer)
    if check:
        _check(writer, path)
    migrate(writer, str(path), load_migrations())
    readers = [stack.enter_context(closing(open_reader(path, gate))) for _ in range(1 + _READERS)]
    return [writer, *readers]


def check_file(path: Path) -> None:
    """Look at the whole file, which nobody may have open; nothing if it is sound, or is not there.

    Raises:
        StorageDamagedError: it is not.
    """
    if not path.exists():
        return
    try:
        with closing(open_copy(path)) as database:
            _check(database, path)
    except (sqlite3.Error, UnicodeDecodeError) as exc:
        raise StorageDamagedError(str(path), (str(exc),)) from exc


def check_backup(path: Path, named: Path | None = None) -> None:
    """Look at the whole of a copy that nobody has open, and whether this version can read it.

    Args:
        path: the copy.
        named: what it is a copy of, which errors name.

    Raises:
        StorageDamagedError, StorageForeignError, StorageNewerError: it cannot be used.
    """
    told = str(path if named is None else named)
    try:
        _look_at_copy(path, told)
    except StorageForeignError as exc:
        raise StorageForeignError(told, exc.reason, is_backup=True) from exc
    except StorageDamagedError as exc:
        raise StorageDamagedError(told, exc.findings, is_backup=True) from exc


def _look_at_copy(path: Path, told: str) -> None:
    try:
        with closing(open_copy(path)) as database:
            check_version(database, told, load_migrations())
            _check(database, path)
    except sqlite3.Error as exc:
        raise _refusal(exc, told) from exc
    except UnicodeDecodeError as exc:
        raise StorageDamagedError(told, ("its schema cannot be read",)) from exc


def fold_log(path: Path) -> None:
    """Bring what stands in the log of writes into the file, which nobody may have open; a damaged one is left as it is.

    After it the file alone is the whole database, whenever the process dies.
    """
    if not path.exists():
        return
    with suppress(sqlite3.Error, UnicodeDecodeError), closing(open_copy(path)) as database:
        database.rows("checkpoint_everything")


@contextmanager
def own_file(path: Path) -> Generator[None]:
    """Be the one owner of the database in this file, which need not be there.

    Raises:
        StorageLockedError: a service uses it.
    """
    ownership = Ownership(path)
    try:
        yield
    finally:
        ownership.release()


def _check(database: Database, path: Path) -> None:
    findings = tuple(str(row["quick_check"]) for row in database.rows("quick_check"))
    if findings != ("ok",):
        raise StorageDamagedError(str(path), findings)
