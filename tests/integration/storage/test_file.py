"""The file itself: who may read it, who owns it, how it is copied."""

from __future__ import annotations

import sqlite3
import stat
import sys
from pathlib import Path

import anyio
import pytest

from hookline_service.model.events import EventFilter
from hookline_service.storage.errors import (
    BackupExistsError,
    StorageLockedError,
    StorageUnavailableError,
)
from hookline_service.storage.sqlite import SqliteStore, open_sqlite_store
from tests.builders.events import an_event
from tests.builders.projects import a_release


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_only_the_owner_may_read_the_files(store: SqliteStore, path: Path) -> None:
    await store.apply_release(a_release())

    modes = {each.name: mode_of(each) for each in path.parent.iterdir()}

    assert set(modes) == {
        "hookline.db",
        "hookline.db-wal",
        "hookline.db-shm",
        "hookline.db.lock",
        "hookline.reserve",
    }
    assert set(modes.values()) == {0o600}
    assert mode_of(path.parent) == 0o700


async def test_a_closed_store_leaves_no_log_behind(store: SqliteStore, path: Path) -> None:
    await store.apply_release(a_release())

    await store.aclose()

    left = {each.name for each in path.parent.iterdir()}
    assert left == {"hookline.db", "hookline.db.lock", "hookline.reserve"}


async def test_everything_written_is_there_after_opening_again(
    store: SqliteStore, path: Path
) -> None:
    release = a_release()
    await store.apply_release(release)
    await store.aclose()

    async with await open_sqlite_store(path) as again:
        assert await again.find_active_deployment(release.project.id) == release.deployment


@pytest.mark.usefixtures("store")
async def test_a_second_service_is_refused_and_told_who_has_the_file(path: Path) -> None:
    code = (
        "import anyio, sys\n"
        "from pathlib import Path\n"
        "from hookline_service.storage.sqlite import open_sqlite_store\n"
        "anyio.run(open_sqlite_store, Path(sys.argv[1]))\n"
    )

    second = await anyio.run_process([sys.executable, "-c", code, str(path)], check=False)

    assert second.returncode == 1
    assert b"StorageLockedError" in second.stderr
    assert b"is in use by process" in second.stderr


@pytest.mark.usefixtures("store")
async def test_the_file_has_one_owner_even_when_its_lock_was_deleted(path: Path) -> None:
    path.with_name("hookline.db.lock").unlink()

    with pytest.raises(StorageLockedError):
        await open_sqlite_store(path)


@pytest.mark.usefixtures("store")
async def test_the_file_has_one_owner_whatever_path_leads_to_it(path: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(path.parent, target_is_directory=True)

    with pytest.raises(StorageLockedError):
        await open_sqlite_store(tmp_path / "alias" / path.name)


@pytest.mark.usefixtures("store")
async def test_the_same_process_cannot_open_the_file_twice(path: Path) -> None:
    with pytest.raises(StorageLockedError) as caught:
        await open_sqlite_store(path)

    assert caught.value.code == "storage.locked"


async def test_a_child_process_does_not_keep_the_file(store: SqliteStore, path: Path) -> None:
    async with await anyio.open_process([sys.executable, "-c", "input()"]) as child:
        await store.aclose()

        again = await open_sqlite_store(path)

        await again.aclose()
        child.kill()


async def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageUnavailableError):
        await open_sqlite_store(tmp_path / "file" / "hookline.db")


async def test_a_backup_is_a_whole_store_of_that_moment(store: SqliteStore, tmp_path: Path) -> None:
    release = a_release()
    await store.apply_release(release)
    copy = tmp_path / "copies" / "backup.db"
    copy.parent.mkdir()

    await store.backup(copy)
    await store.record_event(an_event(release), [])

    assert mode_of(copy) == 0o600
    assert [each.name for each in copy.parent.iterdir()] == ["backup.db"]
    async with await open_sqlite_store(copy, check=True) as restored:
        assert await restored.get_project(release.project.id) == release.project
        assert await restored.list_events(EventFilter()) == []


async def test_a_backup_goes_on_while_others_write(store: SqliteStore, tmp_path: Path) -> None:
    release = a_release(archive=b"x" * 5_000_000)
    await store.apply_release(release)

    async with anyio.create_task_group() as group:
        group.start_soon(store.backup, tmp_path / "backup.db")
        for _ in range(200):
            await store.record_event(an_event(release), [])

    connection = sqlite3.connect(tmp_path / "backup.db")
    assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    connection.close()


async def test_a_backup_never_overwrites_a_file(store: SqliteStore, tmp_path: Path) -> None:
    copy = tmp_path / "precious.db"
    copy.write_bytes(b"precious")

    with pytest.raises(BackupExistsError):
        await store.backup(copy)

    assert copy.read_bytes() == b"precious"


async def test_a_backup_that_cannot_be_written_leaves_nothing(
    store: SqliteStore, tmp_path: Path
) -> None:
    with pytest.raises(StorageUnavailableError):
        await store.backup(tmp_path / "no" / "such" / "folder.db")

    assert not (tmp_path / "no").exists()
