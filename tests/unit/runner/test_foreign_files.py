from __future__ import annotations

import os
from pathlib import Path

import pytest

from hookline_runner.foreign_files import read_foreign_file


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")

    assert read_foreign_file(tmp_path / "f", most=5) == b"12345"


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"123456")

    assert read_foreign_file(tmp_path / "f", most=5) is None


def test_nobody_waits_for_the_other_end_of_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")

    assert read_foreign_file(tmp_path / "f", most=5) is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"1")
    (tmp_path / "f").symlink_to("secret")

    with pytest.raises(OSError, match="symbolic links"):
        read_foreign_file(tmp_path / "f", most=5)
