"""A backup in the place of a home's database: whole or not at all, and nothing is lost."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from hookline_service.app import restore_database
from hookline_service.storage.errors import (
    StorageDamagedError,
    StorageForeignError,
    StorageLockedError,
)
from hookline_service.storage.sqlite import fold_log, open_sqlite_store
from hookline_service.use_cases.secrets import SecretKeyInvalidError
from tests.builders.projects import a_project, a_release

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


async def _store_with(path: Path, *names: str) -> None:
    async with await open_sqlite_store(path) as store:
        for name in names:
            await store.apply_release(a_release(a_project(name=name)))


async def _names_in(path: Path) -> list[str]:
    async with await open_sqlite_store(path, check=True) as store:
        return [project.name for project in await store.list_projects()]


def _copy_as_it_is(database: Path, home: Path) -> None:
    """The files of a database that is open, as a killed service leaves them."""
    for suffix in ("", "-wal"):
        (home / f"hookline.db{suffix}").write_bytes(Path(f"{database}{suffix}").read_bytes())


def _spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8192:12000] = b"\xa5" * 3808
    path.write_bytes(content)


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    path = tmp_path / "copies" / "backup.db"
    await _store_with(path, "kept")
    return path


async def test_a_home_has_the_database_of_the_backup(tmp_path: Path, backup: Path) -> None:
    home = tmp_path / "home"
    await _store_with(home / "hookline.db", "former")

    restored = restore_database(home, backup)

    assert await _names_in(home / "hookline.db") == ["kept"]
    assert restored.former is not None
    assert await _names_in(restored.former) == ["former"]


async def test_an_empty_home_takes_a_backup(tmp_path: Path, backup: Path) -> None:
    restored = restore_database(tmp_path / "new", backup)

    assert restored.former is None
    assert await _names_in(tmp_path / "new" / "hookline.db") == ["kept"]


async def test_the_log_of_writes_of_a_killed_service_is_kept_and_does_not_spoil_the_backup(
    tmp_path: Path, backup: Path
) -> None:
    home, running = tmp_path / "home", tmp_path / "running" / "hookline.db"
    home.mkdir()
    async with await open_sqlite_store(running) as store:
        await store.apply_release(a_release(a_project(name="former")))
        _copy_as_it_is(running, home)

    restored = restore_database(home, backup)

    assert await _names_in(home / "hookline.db") == ["kept"]
    assert restored.former is not None
    assert await _names_in(restored.former) == ["former"]


async def test_a_second_restore_keeps_what_the_first_one_kept(tmp_path: Path, backup: Path) -> None:
    home = tmp_path / "home"
    await _store_with(home / "hookline.db", "former")

    first, second = restore_database(home, backup), restore_database(home, backup)

    assert first.former != second.former
    assert first.former is not None
    assert await _names_in(first.former) == ["former"]


async def test_a_home_in_use_is_left_alone(tmp_path: Path, backup: Path) -> None:
    home = tmp_path / "home"
    async with await open_sqlite_store(home / "hookline.db"):
        with pytest.raises(StorageLockedError):
            restore_database(home, backup)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500])
async def test_what_is_no_backup_changes_nothing(tmp_path: Path, content: bytes) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    await _store_with(home / "hookline.db", "former")
    other.write_bytes(content)

    with pytest.raises(StorageForeignError):
        restore_database(home, other)

    assert await _names_in(home / "hookline.db") == ["former"]
    left = {each.name for each in home.iterdir()}
    assert left == {"hookline.db", "hookline.db.lock", "hookline.reserve"}


async def test_a_damaged_backup_changes_nothing(tmp_path: Path, backup: Path) -> None:
    home = tmp_path / "home"
    await _store_with(home / "hookline.db", "former")
    _spoil(backup)

    with pytest.raises(StorageDamagedError):
        restore_database(home, backup)

    assert await _names_in(home / "hookline.db") == ["former"]


async def test_keys_of_the_backup_are_added_to_those_of_the_home(
    tmp_path: Path, backup: Path
) -> None:
    home, keys = tmp_path / "home", tmp_path / "secret.key"
    home.mkdir()
    (home / "secret.key").write_text(f"{NEW}\n")
    keys.write_text(f"{OLD}\n{NEW}\n")

    restore_database(home, backup, keys)

    assert (home / "secret.key").read_text().split() == [NEW, OLD]


async def test_a_file_that_holds_no_key_changes_nothing(tmp_path: Path, backup: Path) -> None:
    home, keys = tmp_path / "home", tmp_path / "secret.key"
    await _store_with(home / "hookline.db", "former")
    keys.write_text("hunter2\n")

    with pytest.raises(SecretKeyInvalidError):
        restore_database(home, backup, keys)

    assert await _names_in(home / "hookline.db") == ["former"]


async def test_a_file_of_keys_that_is_no_text_changes_nothing(tmp_path: Path, backup: Path) -> None:
    keys = tmp_path / "secret.key"
    keys.write_bytes(b"\xff\xfe")

    with pytest.raises(SecretKeyInvalidError, match=str(keys)):
        restore_database(tmp_path / "home", backup, keys)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "it is empty"), (b"def main(event):\n" * 500, "file is not a database")],
)
async def test_what_is_no_backup_is_told_by_its_own_name(
    tmp_path: Path, content: bytes, told: str
) -> None:
    given = tmp_path / "m.py"
    given.write_bytes(content)

    with pytest.raises(StorageForeignError) as failure:
        restore_database(tmp_path / "home", given)

    assert str(failure.value) == (
        f"{given} is not a Hookline database: {told}; give a file that `hookline backup` wrote"
    )


async def test_a_damaged_backup_is_told_by_its_own_name(tmp_path: Path, backup: Path) -> None:
    _spoil(backup)

    with pytest.raises(StorageDamagedError, match=f"^{backup} is damaged .* take another backup"):
        restore_database(tmp_path / "home", backup)


async def test_nobody_is_asked_about_what_cannot_be_restored(tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "m.py"
    await _store_with(home / "hookline.db", "former")
    other.write_bytes(b"no database at all" * 500)
    asked: list[Path] = []

    with pytest.raises(StorageForeignError):
        restore_database(home, other, confirm=asked.append)

    assert asked == []


async def test_a_refusal_leaves_everything_as_it_was(tmp_path: Path, backup: Path) -> None:
    home, keys = tmp_path / "home", tmp_path / "secret.key"
    await _store_with(home / "hookline.db", "former")
    keys.write_text(f"{NEW}\n")

    def refuse(database: Path) -> None:
        raise InterruptedError(str(database))

    with pytest.raises(InterruptedError):
        restore_database(home, backup, keys, confirm=refuse)

    assert await _names_in(home / "hookline.db") == ["former"]
    assert not (home / "secret.key").exists()


async def test_an_empty_home_asks_nothing(tmp_path: Path, backup: Path) -> None:
    asked: list[Path] = []

    restore_database(tmp_path / "new", backup, confirm=asked.append)

    assert asked == []


async def test_a_restore_cut_off_before_the_new_database_is_there_loses_no_write(
    tmp_path: Path,
) -> None:
    home, running = tmp_path / "home", tmp_path / "running" / "hookline.db"
    home.mkdir()
    async with await open_sqlite_store(running) as store:
        await store.apply_release(a_release(a_project(name="former")))
        _copy_as_it_is(running, home)

    fold_log(home / "hookline.db")
    (home / "hookline.db-wal").unlink(missing_ok=True)  # as `restore` does before the last step

    assert await _names_in(home / "hookline.db") == ["former"]
