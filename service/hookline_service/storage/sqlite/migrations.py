"""Numbered migrations, forward only."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from hookline_service.storage.errors import StorageForeignError, StorageNewerError
from hookline_service.storage.sqlite.connection import Database

logger = logging.getLogger(__name__)

_FILE = re.compile(r"^(?P<number>\d{4})_\w+\.sql$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema; its text ends by setting `user_version` to its number."""

    number: int
    name: str
    text: str


def load_migrations() -> tuple[Migration, ...]:
    """All migrations, in order."""
    folder = files("hookline_service.storage").joinpath("sql", "migrations")
    found = [
        Migration(number=int(match["number"]), name=file.name, text=file.read_text("utf-8"))
        for file in folder.iterdir()
        if (match := _FILE.match(file.name))
    ]
    return tuple(sorted(found, key=lambda migration: migration.number))


def migrate(database: Database, path: str, migrations: Sequence[Migration]) -> None:
    """Bring the file to the newest schema, each migration in one transaction.

    Raises:
        StorageNewerError: a newer Hookline wrote the file.
        StorageForeignError: the file belongs to another program.
    """
    version = _version(database, path, newest=migrations[-1].number)
    for migration in migrations:
        if migration.number > version:
            _apply(database, migration)
            if version:
                logger.info("database migrated", extra={"to": migration.name})


def check_version(database: Database, path: str, migrations: Sequence[Migration]) -> None:
    """Look whether this version can read the file. Raises as `migrate`, and `StorageForeignError` for an empty file."""
    if _version(database, path, newest=migrations[-1].number) == 0:
        raise StorageForeignError(path, "it is empty")


def _version(database: Database, path: str, *, newest: int) -> int:
    version: int = database.value("user_version")
    application: int = database.value("application_id")
    if version == 0 and application == 0 and database.value("count_tables") == 0:
        return 0
    ours: int = _application_id()
    if application != ours:
        raise StorageForeignError(path, "it was made by another program")
    if version > newest:
        raise StorageNewerError(path, version, newest)
    return version


def _application_id() -> int:
    return int.from_bytes(b"Hkln", "big")


def _apply(database: Database, migration: Migration) -> None:
    database.execute("begin")
    try:
        for text in split_script(migration.text):
            database.connection.execute(text)
        database.execute("commit")
    finally:
        if database.connection.in_transaction:
            database.execute("rollback")


def split_script(script: str) -> Iterator[str]:
    """The single statements of a script, in order."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""
    if text.strip():
        yield text
