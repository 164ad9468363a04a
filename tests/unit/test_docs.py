"""The documentation says what the program does: made pages are fresh, links lead somewhere, nothing is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hookline_cli.main import cli
from hookline_cli.reference import cli_reference, error_reference, list_errors
from hookline_service.manifest.keys import PROJECT_KEYS, ROOT_KEYS, TRIGGER_KEYS, VARIABLE_KEYS
from hookline_service.settings import SETTINGS, settings_table

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
WRAPPED = [page for page in PAGES if page.parent != DOCS / "adr"]  # records are never edited
_LONGEST_LINE = 100
STALE = "run scripts/docs"


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


ALL_COMMANDS = dict(commands(cli, "hookline"))


def test_the_command_line_reference_is_fresh() -> None:
    assert (DOCS / "cli.md").read_text() == cli_reference(), STALE


def test_the_list_of_errors_is_fresh() -> None:
    assert (DOCS / "errors.md").read_text() == error_reference(), STALE


def test_the_table_of_settings_is_fresh() -> None:
    assert settings_table() in (DOCS / "operations.md").read_text(), STALE


@pytest.mark.parametrize("setting", [one.variable for one in SETTINGS])
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}`" in (DOCS / "operations.md").read_text()


@pytest.mark.parametrize("code", [code for code, _, _ in list_errors()])
def test_every_error_has_a_meaning(code: str) -> None:
    meaning = next(meaning for found, _, meaning in list_errors() if found == code)

    assert meaning.endswith((".", ";", ":")), (
        f"{code}: the first line of the docstring is its meaning"
    )


@pytest.mark.parametrize("name", sorted(ALL_COMMANDS))
def test_every_command_has_help_and_is_documented(name: str) -> None:
    command = ALL_COMMANDS[name]

    assert command.help
    assert f"# {name}\n" in (DOCS / "cli.md").read_text()


@pytest.mark.parametrize("name", sorted(ALL_COMMANDS))
def test_every_option_has_help(name: str) -> None:
    options = [one for one in ALL_COMMANDS[name].params if isinstance(one, click.Option)]

    assert [one.name for one in options if not one.help] == []


@pytest.mark.parametrize("name", sorted({one.name for keys in (ROOT_KEYS, PROJECT_KEYS, TRIGGER_KEYS, VARIABLE_KEYS) for one in keys}))  # fmt: skip
def test_every_key_of_the_manifest_is_documented(name: str) -> None:
    assert re.search(rf"\b{re.escape(name)}\b", (DOCS / "manifest.md").read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [link for link in links if not re.match(r"[a-z]+:", link)]

    assert [link for link in local if not (page.parent / link).exists()] == []


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The lines outside code and tables, with their numbers."""
    is_code = False
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code and not line.startswith("|"):
            yield number, line


@pytest.mark.parametrize("page", WRAPPED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_lines_of_prose_are_wrapped(page: Path) -> None:
    assert [number for number, line in prose(page) if len(line) > _LONGEST_LINE] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_shown_in_the_docs_exist(page: Path) -> None:
    shown = re.findall(r"(?:^\$ |`)hookline ((?:[a-z]+ ?)+)", page.read_text(), flags=re.MULTILINE)
    unknown: list[str] = []
    for words in shown:
        first, *rest = words.split()
        command = ALL_COMMANDS.get(f"hookline {first}")
        if command is None or (isinstance(command, click.Group) and rest and f"hookline {first} {rest[0]}" not in ALL_COMMANDS):  # fmt: skip
            unknown.append(words)

    assert unknown == []


def test_the_examples_in_the_readme_are_those_in_the_folder() -> None:
    shown = re.findall(r"<!-- (examples/\S+) -->\n```\w+\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)  # fmt: skip

    assert [file for file, _ in shown] == [
        "examples/hello/hookline.yaml",
        "examples/hello/hello.py",
    ]
    assert [file for file, text in shown if (ROOT / file).read_text() != text] == []


def test_what_the_readme_shows_of_a_function_is_that_function() -> None:
    shown = re.findall(r"<!-- (examples/\S+): \w+ -->\n```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)  # fmt: skip

    assert shown
    assert [path for path, text in shown if text not in (ROOT / path).read_text()] == []


def test_every_decision_is_listed() -> None:
    records = {path.name for path in (DOCS / "adr").glob("[0-9]*.md")}
    listed = set(re.findall(r"\(([0-9]{4}-[^)]+\.md)\)", (DOCS / "adr" / "README.md").read_text()))

    assert records <= listed


def test_every_page_is_reached_from_the_index() -> None:
    index = (DOCS / "README.md").read_text()

    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and page.name not in index] == []  # fmt: skip
