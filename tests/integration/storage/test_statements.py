"""House rules of SQL: every statement is sound, described, used, and finds rows by an index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest

from hookline.errors import InternalError
from hookline_service.storage.sqlite.connection import Database, open_writer
from hookline_service.storage.sqlite.migrations import load_migrations, migrate
from hookline_service.storage.sqlite.statements import load_statements, parse_statements

SOURCES = "\n".join(
    file.read_text("utf-8")
    for file in files("hookline_service.storage").joinpath("sqlite").iterdir()
    if file.name.endswith(".py")
)
SMALL_TABLES = frozenset(
    {"p", "projects", "t", "c", "b", "d", "sqlite_master", "json_each", "value_keys"}
)  # a few rows each, read whole; json_each is a list that was given


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = open_writer(tmp_path_factory.mktemp("statements") / "hookline.db")
    migrate(database, "hookline.db", load_migrations())
    yield database
    database.close()


def plan_of(database: Database, name: str) -> list[str]:
    text = load_statements()[name]
    names = dict.fromkeys(re.findall(r":([a-z_]+)", text))
    numbered = [int(match) for match in re.findall(r"\?(\d+)", text)]
    count = max(numbered) if numbered else text.count("?")
    parameters = names or (None,) * count
    rows = database.connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)
    return [row[3] for row in rows]


@pytest.mark.parametrize("name", sorted(load_statements()))
def test_every_statement_is_accepted(name: str, database: Database) -> None:
    plan = plan_of(database, name)

    assert isinstance(plan, list)


@pytest.mark.parametrize("name", sorted(load_statements()))
def test_every_statement_is_used(name: str) -> None:
    assert f'"{name}"' in SOURCES


@pytest.mark.parametrize("name", sorted(load_statements()))
def test_no_statement_reads_a_large_table_whole(name: str, database: Database) -> None:
    plan = plan_of(database, name)

    scanned = [step for step in plan if step.startswith("SCAN") and "USING" not in step]
    tables = {step.split()[1] for step in scanned} - {"CONSTANT"}
    assert tables <= SMALL_TABLES


@pytest.mark.parametrize("name", sorted(set(load_statements()) - {"list_builds"}))
def test_no_page_is_sorted_in_memory(name: str, database: Database) -> None:
    text = load_statements()[name]

    plan = plan_of(database, name)

    sorts = any("TEMP B-TREE FOR ORDER BY" in step for step in plan)
    few = {"list_sessions_of_event", "find_trigger_of_name"}  # of one event, or of one name
    assert not sorts or "LIMIT" not in text or name in few


def test_every_statement_has_a_name_of_its_own() -> None:
    statements = [
        statement.name
        for file in files("hookline_service.storage").joinpath("sql").iterdir()
        if file.name.endswith(".sql")
        for statement in parse_statements(file.read_text("utf-8"))
    ]

    assert len(statements) == len(set(statements))


def test_a_statement_without_a_description_is_refused() -> None:
    with pytest.raises(InternalError, match="lonely"):
        list(parse_statements("-- name: lonely\nSELECT 1;\n"))


def test_a_statement_without_an_end_is_refused() -> None:
    with pytest.raises(InternalError, match="open"):
        list(parse_statements("-- name: open\n-- Says one.\nSELECT 1\n"))


def test_python_holds_no_sql() -> None:
    words = r'"(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|BEGIN|COMMIT)\b'

    assert re.findall(words, SOURCES) == []
