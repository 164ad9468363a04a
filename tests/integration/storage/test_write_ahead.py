"""A write-ahead log that a killed service left: read whole, or told of and kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hookline_service.storage.sqlite import SqliteStore, open_sqlite_store
from hookline_service.storage.sqlite.write_ahead import committed_frames
from tests.builders.events import an_event
from tests.builders.projects import a_release

_COMMITS = 5


@pytest.fixture
async def left(store: SqliteStore, path: Path, tmp_path: Path) -> Path:
    """A file with its log as they are after `kill -9`."""
    release = a_release()
    await store.apply_release(release)
    for _ in range(_COMMITS):
        await store.record_event(an_event(release), [])
    home = tmp_path / "left"
    home.mkdir()
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{path}{suffix}", home / f"hookline.db{suffix}")
    return home / "hookline.db"


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _spoil(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + 200] = b"\xa5" * 200
    path.write_bytes(content)


def _copies(path: Path) -> list[Path]:
    return list(path.parent.glob("*.damaged-*"))


async def test_a_whole_log_is_read_without_a_word(left: Path, caplog) -> None:
    assert committed_frames(_log_of(left))

    async with await open_sqlite_store(left):
        assert not _copies(left)
        assert not caplog.records


@pytest.mark.parametrize("at", [0, 40, 5000], ids=["header", "first frame", "second frame"])
async def test_a_damaged_log_is_told_of_and_kept(left: Path, at: int, caplog) -> None:
    whole = len(_log_of(left).read_bytes())
    _spoil(_log_of(left), at)
    spoilt = _log_of(left).read_bytes()

    async with await open_sqlite_store(left):
        copies = _copies(left)

    assert [copy.read_bytes() for copy in copies] == [spoilt]
    assert len(spoilt) == whole
    assert "damaged" in caplog.text


async def test_what_was_never_confirmed_is_no_damage(left: Path) -> None:
    with _log_of(left).open("ab") as log:
        log.write(b"\0" * 9000)

    async with await open_sqlite_store(left):
        assert not _copies(left)


async def test_a_second_damage_does_not_overwrite_what_is_kept_of_the_first(left: Path) -> None:
    first = left.with_name("hookline.db-wal.damaged-1")
    first.write_bytes(b"first")
    _spoil(_log_of(left), 40)

    async with await open_sqlite_store(left):
        assert len(_copies(left)) == 2
        assert first.read_bytes() == b"first"
