"""What a directory of foreign code takes on disk is found, whatever its shape, and by bounded work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hookline_runner.disk_use import DiskUse, disk_use_of
from hookline_runner.removal import remove_anything

MANY = 1_000_000
MIB = 1024 * 1024


def blocks_of(*paths: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in paths)


def deep_tree(root: Path, levels: int) -> None:
    """Directories in one another, deeper than a path can say, and a file of 1 MiB at the end."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("a" * 50, dir_fd=here)
        below = os.open("a" * 50, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("deep", os.O_WRONLY | os.O_CREAT, dir_fd=here)
    os.write(file, b"x" * MIB)
    os.close(file)
    os.close(here)


def test_files_and_directories_count_by_their_blocks(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "large").write_bytes(b"x" * 3 * MIB)
    (tmp_path / "empty").touch()

    use = disk_use_of(str(tmp_path), most_files=MANY)

    taken = blocks_of(tmp_path / "sub", tmp_path / "sub" / "large", tmp_path / "empty")
    assert use == DiskUse(taken, 3)
    assert use.used_bytes >= 3 * MIB


def test_what_is_not_there_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert disk_use_of(str(tmp_path / "none"), most_files=MANY) == DiskUse()
    assert disk_use_of(str(tmp_path / "file"), most_files=MANY) == DiskUse()


def test_holes_take_no_room(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)

    assert disk_use_of(str(tmp_path), most_files=MANY).used_bytes < MIB


def test_a_file_with_several_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x" * MIB)
    for number in range(10):
        (tmp_path / f"other-{number}").hardlink_to(tmp_path / "one")

    use = disk_use_of(str(tmp_path), most_files=MANY)

    assert use == DiskUse(blocks_of(tmp_path / "one"), 11)


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    (outside / "large").write_bytes(b"x" * MIB)
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    (tmp_path / "also").symlink_to(outside)

    assert disk_use_of(str(inside), most_files=MANY).used_bytes < MIB
    assert disk_use_of(str(tmp_path / "also"), most_files=MANY) == DiskUse()


def test_depth_hides_nothing(tmp_path: Path) -> None:
    deep_tree(tmp_path, 1500)

    use = disk_use_of(str(tmp_path), most_files=MANY)
    (tmp_path / "side").touch()
    again = disk_use_of(str(tmp_path), most_files=MANY)
    remove_anything(str(tmp_path))

    assert use.files == 1501
    assert use.used_bytes >= MIB
    assert again.files == 1502


@pytest.mark.parametrize("name", [b"\xff\xfe", b"new\nline", b" ", b"\\", "ü".encode()])
def test_names_of_any_bytes_count(tmp_path: Path, name: bytes) -> None:
    place = tmp_path / os.fsdecode(name)
    place.mkdir()
    (place / "file").write_bytes(b"x" * MIB)

    use = disk_use_of(str(tmp_path), most_files=MANY)

    assert (use.files, use.used_bytes >= MIB) == (2, True)


def test_what_its_owner_made_unreadable_counts_and_stays_so(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "large").write_bytes(b"x" * MIB)
    (tmp_path / "shut").chmod(0o300)

    use = disk_use_of(str(tmp_path), most_files=MANY)

    assert (use.files, use.used_bytes >= MIB) == (2, True)
    assert (tmp_path / "shut").stat().st_mode & 0o777 == 0o300


def test_the_walk_ends_where_there_are_too_many(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file").touch()

    assert disk_use_of(str(tmp_path), most_files=50).files == 51
    assert disk_use_of(str(tmp_path), most_files=120).files == 120
