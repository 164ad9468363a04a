from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import SessionState
from hookline_service.storage.errors import (
    StorageDamagedError,
    StorageForeignError,
    StorageNewerError,
)
from hookline_service.storage.sqlite import SqliteStore, check_file, open_sqlite_store
from hookline_service.storage.sqlite.connection import open_writer
from hookline_service.storage.sqlite.migrations import Migration, load_migrations, migrate
from tests.builders.calls import a_call, a_call_entry, a_use, made, value_of
from tests.builders.moments import after
from tests.builders.projects import a_release
from tests.builders.sessions import a_begin

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


def _spoil(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + 900] = b"\xff\xfe\xa5" * 300
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


def a_first_file_at(path: Path) -> Path:
    """A file as the first schema left it: a waiting session with an event, a journal entry and a log record."""
    a_file_at(path, HISTORY[:1])
    connection = sqlite3.connect(path)
    connection.executescript(FIRST_DATA)
    connection.close()
    return path


FIRST_DATA = """
INSERT INTO projects VALUES (1, 'prj_1', 'orders', 'Orders', 1, 1, NULL);
INSERT INTO builds VALUES (1, 'bld_1', 1, 'env_1', 2, 2048, 1, X'7B7D');
INSERT INTO archives VALUES (1, X'00');
INSERT INTO deployments VALUES (1, 'dep_1', 1, 1, 'active', 1, 1);
INSERT INTO events VALUES (1, 'evt_1', 1, NULL, 'manual', 'post', NULL, 1, 1, NULL, X'7B7D', NULL);
INSERT INTO sessions (
    key, id, project_key, build_key, deployment_key, trigger_key, event_key, entry_point, state, is_durable, attempt,
    created_at, started_at, ended_at, wake_at, deadline_at, scheduled_for, retry_of, retry_number, stop_reason
) VALUES (1, 'ses_1', 1, 1, 1, NULL, 1, 'a.py:f', 'waiting', 1, 1, 1, 1, NULL, 5000000, NULL, NULL, NULL, 0, '');
INSERT INTO attempts VALUES (1, 1, 'run_1', 1, 2, 'suspended', '');
INSERT INTO journal VALUES (
    1, 1, '', 0, 1, 1, 'sleep', 'sleep(5)', 'a.py', 3, 1, 0, 'json', 1, 1, 5000000, X'5B5D', X'6E756C6C', X'6E756C6C'
);
INSERT INTO log VALUES (1, 1, 2, 1, 1, 'print', '', 'hello');
"""


async def test_a_first_file_with_data_is_as_good_as_a_new_one(tmp_path: Path) -> None:
    old = a_first_file_at(tmp_path / "old.db")
    new = tmp_path / "new.db"
    await (await open_sqlite_store(new)).aclose()

    async with await open_sqlite_store(old, check=True) as store:
        session = await store.get_session(SessionId("ses_1"))
        entries = await store.list_entries(session.id, 0, 10)
        log = await store.list_log(session.id, 0, 10)
        due = await store.list_due(after(0), 10)
        await store.change_session(a_begin(session.id, 2), [])
        entry = a_call_entry(session.id, index=1, seq=3)
        total = await made(store, a_call(session, a_use("add", "n", 4), entry=entry))

    assert (session.parent_id, session.memo, session.forked_from) == (None, None, None)
    assert (session.event_id, session.state) == ("evt_1", SessionState.WAITING)
    assert [each.name for each in entries] == ["sleep(5)"]
    assert [each.text for each in log] == ["hello"]
    assert due == [session]
    assert value_of(total) == 4
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


@pytest.mark.parametrize("at", [100, 4096 * 2], ids=["schema", "a table"])
async def test_a_file_damaged_anywhere_is_called_damaged_or_foreign(
    store: SqliteStore, path: Path, at: int
) -> None:
    await store.apply_release(a_release())
    await store.aclose()
    _spoil(path, at)

    with pytest.raises((StorageDamagedError, StorageForeignError)):
        await open_sqlite_store(path, check=True)


async def test_damage_is_found_when_a_closed_file_is_looked_at(
    store: SqliteStore, path: Path
) -> None:
    await store.apply_release(a_release(archive=b"x" * 200_000))
    await store.aclose()
    check_file(path)
    check_file(path.with_name("none.db"))
    damage(path)

    with pytest.raises(StorageDamagedError):
        check_file(path)


async def test_a_damaged_file_is_reported(store: SqliteStore, path: Path) -> None:
    await store.apply_release(a_release(archive=b"x" * 200_000))
    await store.aclose()
    damage(path)

    with pytest.raises(StorageDamagedError, match="restore a backup"):
        await open_sqlite_store(path, check=True)
