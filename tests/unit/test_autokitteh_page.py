"""The page for those who move over names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from hookline_cli.reference import connections_table

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "autokitteh.md"


def test_the_table_of_connections_is_fresh() -> None:
    assert connections_table() in _PAGE.read_text(), "run scripts/docs"


def test_every_test_that_the_page_names_is_there() -> None:
    text = "\n".join(path.read_text() for path in sorted((_ROOT / "tests").rglob("test_*.py")))
    files = {path.name for path in (_ROOT / "tests").rglob("test_*.py")}
    there = {*re.findall(r"def (test_\w+)", text), *files}

    named = set(re.findall(r"`(test_[\w.]+)`", _PAGE.read_text()))

    assert len(named) > 20
    assert named - there == set()
