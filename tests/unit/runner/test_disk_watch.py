"""Whose files take too much is found by few looks: by what all together added, and now and then anyway."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hookline_runner.disk_watch import DiskExcess, DiskLimits, DiskWatch, Keeper, Room
from hookline_runner.session_trees import Watched

MIB = 1024 * 1024
LIMITS = DiskLimits(used_bytes=8 * MIB, files=50)
ROOT = 1  # a process that has no session below it here


class Disk:
    """A file system that says what it is told, and the directory of one session on a real one."""

    def __init__(self, path: Path) -> None:
        self.directory = path / "7"
        self.directory.mkdir()
        self.room = Room(1000 * MIB, 1000)
        self.now = 100.0
        self.watch = DiskWatch(LIMITS, room_of=lambda _: self.room)

    def look(self, *, after_s: float = 0.25) -> list[DiskExcess]:
        self.now += after_s
        keeper = Keeper(
            watched=Watched(root=ROOT, limit_bytes=0, sessions={7: 7}),
            directories={7: str(self.directory)},
        )
        return self.watch.look("/", [keeper], self.now)

    def write(self, mib: int, *, shown_mib: int | None = None) -> None:
        """Write a file; the file system tells of it, or of something else."""
        (self.directory / f"{os.urandom(4).hex()}").write_bytes(b"x" * (mib * MIB))
        added = (mib if shown_mib is None else shown_mib) * MIB
        self.room = Room(self.room.used_bytes + added, self.room.files + 1)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    made = Disk(tmp_path)
    made.look()
    made.look()
    return made


def test_a_session_over_the_limit_is_named_with_the_setting(disk: Disk) -> None:
    disk.write(5)
    assert disk.look() == []
    disk.write(5)

    (excess,) = disk.look()

    assert (excess.root, excess.number) == (ROOT, 7)
    assert excess.detail == (
        "files of 10 MiB, over the limit of 8 MiB; HOOKLINE_DISK_LIMIT_MB sets it"
    )


def test_too_many_files_are_named_as_such(disk: Disk) -> None:
    for number in range(60):
        (disk.directory / str(number)).touch()
    disk.room = Room(disk.room.used_bytes, disk.room.files + 60)

    (excess,) = disk.look()

    assert excess.detail == "more than 50 files; HOOKLINE_FILES_LIMIT sets the limit"


def test_what_others_write_is_not_held_against_it(disk: Disk) -> None:
    disk.write(2)
    for _ in range(5):
        disk.room = Room(disk.room.used_bytes + 100 * MIB, disk.room.files + 1000)
        assert disk.look() == []


def test_what_the_file_system_does_not_show_is_found_a_little_later(disk: Disk) -> None:
    disk.write(10, shown_mib=0)

    assert disk.look() == []
    assert disk.look(after_s=11) != []


def test_a_session_that_begins_on_a_busy_disk_is_looked_into_soon(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.write(10)

    found = [disk.look(), disk.look()]

    assert [bool(each) for each in found] == [False, True]


def test_a_directory_that_is_gone_takes_nothing(disk: Disk) -> None:
    disk.directory.rmdir()
    disk.room = Room(disk.room.used_bytes + 100 * MIB, disk.room.files)

    assert disk.look() == []
