"""Trees that foreign code may leave; each is made in a thread or process that may descend, as such code does."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hookline_runner.removal import remove_anything


def _deep(root: Path) -> None:
    _descend(root, "d", sys.getrecursionlimit() + 500)


def _deep_and_long(root: Path) -> None:
    _descend(root, "n" * 200, 1_500)


def _wide(root: Path) -> None:
    for number in range(12_000):
        os.close(os.open(root / str(number), os.O_CREAT | os.O_WRONLY))


def _many_directories(root: Path) -> None:
    for number in range(300):
        (root / str(number) / "a" / "b").mkdir(parents=True)
        (root / str(number) / "a" / "f").touch()


def _unreadable(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "f").touch()
    (root / "a" / "b").chmod(0)
    (root / "a").chmod(0)
    root.chmod(0)


def _odd_names(root: Path) -> None:
    os.mkdir(os.fsencode(root) + b"/\xff\xfe\n")  # noqa: PTH102 - such a name is no path of pathlib
    os.mkdir(os.fsencode(root) + b"/\xff\xfe\n/\x80")  # noqa: PTH102 - as above
    (root / "-rf").touch()
    (root / ("x" * 255)).mkdir()


def _odd_kinds(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    (root / "nowhere").symlink_to("/nowhere/at/all")


def _descend(root: Path, name: str, depth: int) -> None:
    here = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


@pytest.mark.parametrize(
    "shape",
    [_deep, _deep_and_long, _wide, _many_directories, _unreadable, _odd_names, _odd_kinds],
)
def test_whatever_foreign_code_left_is_removed(
    tmp_path: Path, shape: Callable[[Path], None]
) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    shape(root)
    open_before = os.listdir("/proc/self/fd")  # noqa: PTH208 - names are enough

    assert remove_anything(str(root))

    assert list(tmp_path.iterdir()) == []
    assert os.listdir("/proc/self/fd") == open_before  # noqa: PTH208 - as above


def test_what_is_not_there_is_gone(tmp_path: Path) -> None:
    assert remove_anything(str(tmp_path / "nothing"))


def test_links_out_of_the_tree_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o500)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "out").symlink_to(kept)

    assert remove_anything(str(tmp_path / "tree"))
    (tmp_path / "link").symlink_to(kept)
    assert remove_anything(str(tmp_path / "link"))

    assert stat.S_IMODE(kept.stat().st_mode) == 0o500


def test_removal_stops_at_its_bound_and_goes_on_later(tmp_path: Path) -> None:
    _many_directories(tmp_path)

    calls = 1
    while not remove_anything(str(tmp_path), most=100):
        calls += 1

    assert calls > 10


def test_what_cannot_be_removed_leaves_nothing_else_behind(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for name in ("a", "b", "c"):
        (root / name / "x" / "y").mkdir(parents=True)
    try:
        os.mknod(root / "b" / "x" / "y" / "f", stat.S_IFREG | 0o600)
        _make_immutable(root / "b" / "x" / "y" / "f", immutable=True)
    except OSError:
        pytest.skip("files cannot be made immutable here")

    try:
        assert not remove_anything(str(root))

        left = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
        assert left == ["b", "b/x", "b/x/y", "b/x/y/f"]
    finally:
        _make_immutable(root / "b" / "x" / "y" / "f", immutable=False)


def _make_immutable(path: Path, *, immutable: bool) -> None:
    import fcntl  # noqa: PLC0415 - with its numbers, this is all about one call
    import struct  # noqa: PLC0415 - as above

    with path.open() as file:
        fcntl.ioctl(file, 0x40086602, struct.pack("l", 0x10 if immutable else 0))
