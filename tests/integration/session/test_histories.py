"""Sessions that were recorded once are replayed by every version: see tests/histories."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hookline_runner.recordings import read_recording
from hookline_runner.testing import replay

HISTORIES = Path(__file__).resolve().parents[2] / "histories"
PROJECT = HISTORIES / "project"
RECORDINGS = sorted(HISTORIES.glob("*.json"))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_what_was_recorded_once_replays_for_ever(path: Path) -> None:
    recorded = read_recording(path)

    done = replay(path, project=PROJECT)

    assert done.prints == recorded.prints
    assert done.result == recorded.result


def test_every_kind_of_entry_is_among_them() -> None:
    journals = [read_recording(path).journal for path in RECORDINGS]
    kinds = {row[2] for journal in journals for row in journal}
    encodings = {row[8] for journal in journals for row in journal}

    assert kinds == {"activity", "riding", "sleep", "cancelled", "call", "wait"}
    assert {"json", "pickle", "values", "none"} <= {one.partition("+")[0] for one in encodings}


def test_every_function_of_the_project_has_a_recording() -> None:
    tree = ast.parse((PROJECT / "handlers.py").read_text())
    handlers = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.args.args
        and node.args.args[0].arg == "event"
    }

    recorded = {read_recording(path).entry_point.partition(":")[2] for path in RECORDINGS}

    assert handlers - {"child"} == recorded
