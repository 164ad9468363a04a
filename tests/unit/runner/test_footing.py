"""A host notices when a directory that it stands on is gone, or is another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hookline_runner.footing import Footing


def _replace_by_another(path: Path) -> None:
    path.rename(path.with_name("former"))
    path.mkdir()


def _replace_by_a_file(path: Path) -> None:
    path.rmdir()
    path.touch()


def test_what_is_there_is_not_lost(tmp_path: Path) -> None:
    footing = Footing([tmp_path / "a", tmp_path / "b" / "c"])
    (tmp_path / "a" / "entry").touch()

    assert footing.find_lost() == ""


@pytest.mark.parametrize("change", [Path.rmdir, _replace_by_another, _replace_by_a_file])
def test_what_is_gone_or_another_is_named(tmp_path: Path, change: Callable[[Path], None]) -> None:
    footing = Footing([tmp_path / "a", tmp_path / "b"])

    change(tmp_path / "b")

    assert footing.find_lost() == str(tmp_path / "b")


def test_a_directory_above_that_became_a_file_counts_as_well(tmp_path: Path) -> None:
    footing = Footing([tmp_path / "b" / "c"])
    (tmp_path / "b" / "c").rmdir()

    _replace_by_a_file(tmp_path / "b")

    assert footing.find_lost() == str(tmp_path / "b" / "c")
