from __future__ import annotations

import pytest

from hookline_service.engine.exports import check_export
from hookline_service.model.errors import NotExportedError

EXPORTS = {"main.py:ok": None, "main.py:bill": frozenset({"billing", "shop"})}


@pytest.mark.parametrize(
    ("entry_point", "caller", "problem"),
    [
        ("main.py:ok", "anybody", ""),
        ("main.py:bill", "billing", ""),
        (
            "main.py:bill",
            "anybody",
            "project 'victim' exports main.py:bill to others, not to 'anybody'; to allow it, in the manifest of 'victim': `from` of this export must name anybody",
        ),
        (
            "main.py:secret",
            "billing",
            "project 'victim' does not export main.py:secret; to allow it, in the manifest of 'victim': write `exports: [main.py:secret]` under `project`",
        ),
        ("main.py:Ok", "billing", "project 'victim' does not export main.py:Ok"),
        ("main.py:bill", "", "project 'victim' exports main.py:bill to others, not to ''"),
    ],
)
def test_only_what_is_exported_may_be_started_by_those_it_is_exported_to(
    entry_point: str, caller: str, problem: str
) -> None:
    told = ""

    try:
        check_export(EXPORTS, project="victim", entry_point=entry_point, caller=caller)
    except NotExportedError as exc:
        told = exc.message

    assert told.startswith(problem)
    assert bool(told) == bool(problem)
