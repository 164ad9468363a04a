"""Working directories on a real disk: equal to the project's files again after anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hookline_runner.work_directory import ProjectFiles, empty_directory, remove_anything

FILES = {"main.py": "print(1)", "data/deep/words.txt": "one two", "big.bin": "x" * 400_000}


@pytest.fixture
def files(tmp_path: Path) -> ProjectFiles:
    root = tmp_path / "files"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return ProjectFiles(str(root))


def _content(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_fresh_directory_holds_the_files_and_is_intact(
    tmp_path: Path, files: ProjectFiles
) -> None:
    work = tmp_path / "work"

    files.refresh(str(work))

    assert _content(work) == FILES
    assert files.is_intact(str(work))


def _same_size(work: Path) -> None:
    (work / "main.py").write_text("print(2)")


def _same_size_and_times(work: Path) -> None:
    before = (work / "main.py").stat()
    with (work / "main.py").open("r+") as file:
        file.write("print(2)")
    os.utime(work / "main.py", ns=(before.st_atime_ns, before.st_mtime_ns))


def _swap_copies(work: Path) -> None:
    copy = work / "copy"
    copy.write_text("print(2)")
    os.utime(
        copy, ns=((work / "main.py").stat().st_atime_ns, (work / "main.py").stat().st_mtime_ns)
    )
    copy.rename(work / "main.py")


def _replace_by_link(work: Path) -> None:
    (work / "main.py").unlink()
    (work / "main.py").symlink_to("/etc/passwd")


def _replace_directory_by_link(work: Path) -> None:
    (work / "data").rename(work.parent / "elsewhere")
    (work / "data").symlink_to(work.parent / "elsewhere")


def _add_hard_link(work: Path) -> None:
    os.link(work / "main.py", work.parent / "link")


def _swap_kinds(work: Path) -> None:
    (work / "main.py").unlink()
    (work / "main.py").mkdir()
    (work / "main.py" / "x").touch()


CHANGES: list[Callable[[Path], object]] = [
    _same_size,
    _same_size_and_times,
    _swap_copies,
    _replace_by_link,
    _replace_directory_by_link,
    _add_hard_link,
    _swap_kinds,
    lambda work: (work / "main.py").unlink(),
    lambda work: (work / "new").mkdir(),
    lambda work: (work / "data" / "new.txt").touch(),
    lambda work: (work / "main.py").chmod(0),
    lambda work: (work / "data").chmod(0),
    lambda work: os.mkfifo(work / "pipe"),
    lambda work: remove_anything(str(work)),
]


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_noticed_and_undone(
    tmp_path: Path, files: ProjectFiles, change: Callable[[Path], object]
) -> None:
    work = tmp_path / "work"
    files.refresh(str(work))

    change(work)

    assert not files.is_intact(str(work))
    files.refresh(str(work))
    assert files.is_intact(str(work))
    assert _content(work) == FILES


def test_what_a_link_points_to_is_left_alone(tmp_path: Path, files: ProjectFiles) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "letter").touch()
    work = tmp_path / "work"
    work.symlink_to(precious)

    files.refresh(str(work))
    remove_anything(str(work))

    assert (precious / "letter").exists()


def test_an_empty_directory_is_empty_whatever_was_there(tmp_path: Path) -> None:
    target = tmp_path / "tmp"
    target.mkdir()
    (target / "left").touch()

    empty_directory(str(target))

    assert list(target.iterdir()) == []


def test_a_tree_made_unreadable_is_removed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "a" / "b").mkdir(parents=True)
    (target / "a").chmod(0)

    remove_anything(str(target))

    assert not target.exists()


@pytest.mark.parametrize("notes", [b"", b"x", b"1 2 main.py\0", b"1 2\0", b"a b c\0", None])
def test_directories_whose_notes_were_tampered_with_are_copied_anew(
    tmp_path: Path, files: ProjectFiles, notes: bytes | None
) -> None:
    work, place = tmp_path / "work", tmp_path / "work.notes"
    files.refresh(str(work))
    place.unlink()
    os.mkfifo(place) if notes is None else place.write_bytes(notes)

    assert not files.is_intact(str(work))
    files.refresh(str(work))
    assert files.is_intact(str(work))
    assert _content(work) == FILES
