from __future__ import annotations

from pathlib import Path

from hookline_service.api.reference import routes_table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "http-api.md"


def test_the_table_of_routes_is_fresh():
    assert routes_table() in PAGE.read_text(), "run scripts/docs"
