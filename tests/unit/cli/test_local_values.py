"""What a local run takes from the directory it runs in: values for variables, and the project of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookline_cli.failures import ArgumentInvalidError, FileUnusableError
from hookline_cli.local_run import find_local_project
from hookline_cli.project_files import pack_without_manifest
from hookline_cli.settings import find_values, read_values, temporary_service_environment


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=plain", "plain"),
        ("NAME = spaced out ", "spaced out"),
        ("export NAME=shell", "shell"),
        ("NAME=a#b", "a#b"),
        ("NAME=a # a comment", "a"),
        ("NAME=# a comment", ""),
        ("NAME=", ""),
        ('NAME="quoted # not a comment" # a comment', "quoted # not a comment"),
        ("NAME='single'", "single"),
        ("NAME='open", "'open"),
        ("NAME=a=b", "a=b"),
    ],
)
def test_a_line_of_the_values_file_gives_a_value(tmp_path: Path, line: str, value: str) -> None:
    (tmp_path / ".env").write_text(line + "\n")

    assert read_values(tmp_path / ".env") == {"NAME": value}


@pytest.mark.parametrize("line", ["", "# NAME=x", "NAME", "2NAME=x", "a b=c", "=x"])
def test_other_lines_of_the_values_file_are_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line + "\n")

    assert read_values(tmp_path / ".env") == {}


def test_the_environment_wins_over_the_values_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB=file\nUNWANTED=file\n")

    found = find_values(["A", "B", "C"], tmp_path, {"A": "environment", "OTHER": "x"})

    assert found == {"A": "environment", "B": "file"}


def test_a_values_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe")

    with pytest.raises(FileUnusableError, match="UTF-8"):
        find_values(["A"], tmp_path, {})


def test_what_belongs_to_a_kept_service_does_not_reach_a_temporary_one() -> None:
    given = {"HOOKLINE_TOKEN": "t", "HOOKLINE_HOME": "/h", "HOOKLINE_SANDBOX": "off", "PATH": "/b"}

    assert temporary_service_environment(given) == {"HOOKLINE_SANDBOX": "off", "PATH": "/b"}


def test_a_file_belongs_to_the_nearest_manifest_above_it(tmp_path: Path) -> None:
    (tmp_path / "hookline.yaml").write_text("")
    file = tmp_path / "inner" / "deep" / "main.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    (tmp_path / "inner" / "autokitteh.yaml").write_text("")

    project = find_local_project(f"{file}:run")

    assert project.directory == tmp_path / "inner"
    assert project.manifest_file == "autokitteh.yaml"
    assert project.entry_point == "deep/main.py:run"


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("orders", "orders"),
        ("my-orders.2", "my_orders_2"),
        ("2024", "local_2024"),
        ("---", "local"),
    ],
)
def test_a_file_without_a_manifest_gets_one_named_like_its_directory(
    tmp_path: Path, directory: str, name: str
) -> None:
    file = tmp_path / directory / "main.py"
    file.parent.mkdir()
    file.write_text("")

    project = find_local_project(f"{file}:run")

    assert (project.directory, project.manifest_file) == (file.parent, None)
    assert f'"name": "{name}"'.encode() in project.manifest_text


@pytest.mark.parametrize("target", ["main.py", "main.py:", ":run", ""])
def test_a_target_that_names_no_function_is_refused(target: str) -> None:
    with pytest.raises(ArgumentInvalidError, match="FILE:FUNC"):
        find_local_project(target)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileUnusableError, match="no such file"):
        find_local_project(f"{tmp_path}/main.py:run")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "--local"), "FILE:FUNC"),
        (("run", "--local", "project", "main.py:run"), "FILE:FUNC"),
        (("run", "main.py:run"), "PROJECT FILE:FUNC"),
        (("run", "--local", "main.py:run", "--deployment", "dep_1"), "--deployment"),
    ],
)
def test_a_command_line_that_names_too_little_or_too_much_is_not_understood(
    hookline, arguments: tuple[str, ...], told: str
) -> None:
    outcome = hookline(*arguments)

    assert outcome.code == 2
    assert told in outcome.err


def test_a_directory_with_everything_in_it_is_no_project(tmp_path: Path) -> None:
    for number in range(5_001):
        (tmp_path / f"{number}.txt").touch()

    with pytest.raises(FileUnusableError, match="more than 5,000 files"):
        pack_without_manifest(tmp_path, b"")
