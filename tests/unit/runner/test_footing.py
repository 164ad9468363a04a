"""A host notices when a directory that it stands on is gone, or is another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hookline_runner.footing import Footing


def _replace_by_another(path: Path) -> None:
    path.rename(path.with_name("former"))
    path.mkdir()


def _replace_by_a_file(path: Path) -> None:
    path.rmdir()
    path.touch()


def _replace_by_a_new_one(path: Path) -> None:
    path.rmdir()
    path.mkdir()


@pytest.fixture
def footing(tmp_path: Path) -> Iterator[Footing]:
    with closing(Footing([tmp_path / "a", tmp_path / "b" / "c"])) as made:
        yield made


def test_what_is_there_is_not_lost(footing: Footing, tmp_path: Path) -> None:
    (tmp_path / "a" / "entry").touch()

    assert footing.find_lost() == ""


@pytest.mark.parametrize(
    "change", [Path.rmdir, _replace_by_a_new_one, _replace_by_another, _replace_by_a_file]
)
def test_what_is_gone_or_another_is_named(
    footing: Footing, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    change(tmp_path / "a")

    assert footing.find_lost() == str(tmp_path / "a")


def test_a_directory_above_that_became_a_file_counts_as_well(
    footing: Footing, tmp_path: Path
) -> None:
    (tmp_path / "b" / "c").rmdir()

    _replace_by_a_file(tmp_path / "b")

    assert footing.find_lost() == str(tmp_path / "b" / "c")
