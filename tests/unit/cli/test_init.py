"""New projects: what is written, and that nothing is overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hookline_cli.project_files import pack_project
from hookline_cli.saving import write_whole
from hookline_cli.templates import TEMPLATES


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_project_of_every_template_is_valid(hookline, tmp_path: Path, template: str) -> None:
    directory = tmp_path / "my-shop.2"

    outcome = hookline("init", str(directory), "--template", template)

    manifest = (directory / "hookline.yaml").read_text()
    assert outcome.code == 0
    assert "\n  name: my_shop_2\n" in manifest
    assert hookline("manifest", "check", str(directory)).code == 0


def test_an_editor_finds_the_schema(hookline, tmp_path: Path) -> None:
    hookline("init", str(tmp_path / "shop"))

    first = (tmp_path / "shop" / "hookline.yaml").read_text().splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    assert "project" in json.loads((tmp_path / "shop" / name).read_text())["properties"]


def test_the_schema_is_no_part_of_the_project(hookline, tmp_path: Path) -> None:
    hookline("init", str(tmp_path / "shop"))

    assert pack_project(tmp_path / "shop", None).file_count == 2


@pytest.mark.parametrize("taken", ["hookline.yaml", "hello.py", ".hookline/manifest.schema.json"])
def test_nothing_is_overwritten_and_nothing_half_made(hookline, tmp_path: Path, taken: str) -> None:
    path = tmp_path / taken
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")

    outcome = hookline("init", str(tmp_path))

    assert outcome.code == 1
    assert "is there already" in outcome.err
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]


def test_a_gitignore_that_is_there_stays(hookline, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")

    assert hookline("init", str(tmp_path)).code == 0
    assert (tmp_path / ".gitignore").read_text() == "mine\n"


@pytest.mark.parametrize("name", ["1st", "a-b", "", "é", "x" * 129])
def test_a_name_that_no_project_may_have_is_refused(hookline, tmp_path: Path, name: str) -> None:
    outcome = hookline("init", str(tmp_path), "--name", name)

    assert outcome.code == 1
    assert "cannot be a project's name" in outcome.err
    assert not list(tmp_path.iterdir())


def test_a_directory_without_a_usable_name_asks_for_one(hookline, tmp_path: Path) -> None:
    outcome = hookline("init", str(tmp_path / "---"))

    assert outcome.code == 1
    assert "--name" in outcome.err


def test_a_project_that_cannot_be_written_whole_is_not_there_at_all(
    hookline, tmp_path: Path
) -> None:
    place = tmp_path / "shop"
    place.mkdir()
    (place / ".hookline").write_text("a file where a directory is needed")

    outcome = hookline("init", str(place))

    assert outcome.code == 1
    assert str(place / ".hookline") in outcome.err
    assert [path.name for path in place.iterdir()] == [".hookline"]


def test_directories_made_for_a_project_go_when_it_cannot_be_written(
    hookline, tmp_path: Path
) -> None:
    outcome = hookline("init", str(tmp_path / "a" / ("x" * 300)), "--name", "shop")

    assert outcome.code in {1, 2}
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "recording.json"
    file.write_text("former")

    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "half \ud800")

    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [
        ("recording.json", "former")
    ]
