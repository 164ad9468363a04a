from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hookline_service.storage.errors import (
    StorageDamagedError,
    StorageForeignError,
    StorageNewerError,
)
from hookline_service.storage.sqlite import SqliteStore, open_sqlite_store
from hookline_service.storage.sqlite.connection import open_writer
from hookline_service.storage.sqlite.migrations import Migration, load_migrations, migrate
from tests.builders.projects import a_release

HISTORY = load_migrations()


def schema_of(path: Path) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
    version = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return [*sorted(rows, key=str), version]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(4, len(content) // 4096, 2):
        content[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    path.write_bytes(content)


def a_file_at(path: Path, migrations: tuple[Migration, ...]) -> Path:
    database = open_writer(path)
    migrate(database, str(path), migrations)
    database.close()
    return path


def test_migrations_are_numbered_without_gaps() -> None:
    assert [each.number for each in HISTORY] == list(range(1, len(HISTORY) + 1))


@pytest.mark.parametrize("migration", HISTORY, ids=lambda each: each.name)
def test_a_migration_ends_by_setting_its_number(migration: Migration) -> None:
    assert migration.text.rstrip().endswith(f"PRAGMA user_version = {migration.number};")


@pytest.mark.parametrize("version", range(1, len(HISTORY) + 1))
async def test_an_old_file_migrates_to_the_schema_of_a_new_one(
    version: int, tmp_path: Path
) -> None:
    old = a_file_at(tmp_path / "old.db", HISTORY[:version])
    new = tmp_path / "new.db"

    for path in (old, new):
        await (await open_sqlite_store(path)).aclose()

    assert schema_of(old) == schema_of(new)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = a_file_at(tmp_path / "hookline.db", HISTORY)
    before = schema_of(path)
    broken = Migration(
        number=len(HISTORY) + 1,
        name="broken",
        text="CREATE TABLE extra (a INTEGER);\nINSERT INTO nowhere VALUES (1);\n",
    )

    with pytest.raises(sqlite3.OperationalError):
        a_file_at(path, (*HISTORY, broken))

    assert schema_of(path) == before


def test_a_later_migration_is_applied_to_a_file_with_data(tmp_path: Path) -> None:
    path = a_file_at(tmp_path / "hookline.db", HISTORY)
    number = len(HISTORY) + 1
    later = Migration(
        number=number,
        name="later",
        text=f"CREATE TABLE extra (a INTEGER) STRICT;\nPRAGMA user_version = {number};\n",
    )

    a_file_at(path, (*HISTORY, later))

    assert schema_of(path)[-1] == (number,)


async def test_a_file_of_a_newer_hookline_is_refused(store: SqliteStore, path: Path) -> None:
    await store.aclose()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()

    with pytest.raises(StorageNewerError, match="999") as caught:
        await open_sqlite_store(path)

    assert caught.value.code == "storage.newer"
    assert caught.value.details == {"path": str(path), "found": 999, "known": len(HISTORY)}


async def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE notes (a)")
    connection.close()

    with pytest.raises(StorageForeignError, match=r"other\.db"):
        await open_sqlite_store(path)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_bytes(b"these are words, not pages\n" * 400)

    with pytest.raises(StorageForeignError, match=r"text\.db"):
        await open_sqlite_store(path)

    assert path.read_bytes() == b"these are words, not pages\n" * 400


async def test_a_refused_file_can_be_opened_by_someone_else(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_bytes(b"these are words, not pages\n" * 400)
    with pytest.raises(StorageForeignError):
        await open_sqlite_store(path)
    path.unlink()

    store = await open_sqlite_store(path)

    await store.aclose()


async def test_a_sound_file_passes_its_check(store: SqliteStore, path: Path) -> None:
    release = a_release()
    await store.apply_release(release)
    await store.aclose()

    async with await open_sqlite_store(path, check=True) as again:
        assert await again.get_project(release.project.id) == release.project


async def test_a_damaged_file_is_reported(store: SqliteStore, path: Path) -> None:
    await store.apply_release(a_release(archive=b"x" * 200_000))
    await store.aclose()
    damage(path)

    with pytest.raises(StorageDamagedError, match="restore a backup"):
        await open_sqlite_store(path, check=True)
