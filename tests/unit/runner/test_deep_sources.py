"""Sources that are nested as deeply as Python takes them are served; deeper ones get an error, not a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookline_runner.analysis import analyse_module
from hookline_runner.compiled import compile_project, compile_source


def _branches(count: int) -> str:
    more = "".join(f"    elif x == {number}: return g({number})\n" for number in range(count))
    return f"def f(x):\n    if x < 0: return g(x)\n{more}"


@pytest.mark.parametrize(
    "source",
    [_branches(900), "def f(x):\n    return x" + ".b()" * 450, "x = a" + " + g(1)" * 900],
    ids=["branches", "chained calls", "sums"],
)
def test_what_python_takes_is_analysed_and_rewritten(source: str) -> None:
    compile(source, "a.py", "exec")

    assert analyse_module(source.encode(), "a.py")["error"] is None
    compile_source(source.encode(), "a.py", rewritten=True)


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "-" * 300_000 + "1",
        "x = " + "lambda:" * 50_000 + "1",
        "x = " + "not " * 200_000 + "1",
        "x = " + "(" * 100_000,
        "x = a" + ".b" * 200_000,
        "if 1: pass\n" + "elif 1: pass\n" * 20_000,
    ],
    ids=["minus", "lambda", "not", "parentheses", "attributes", "branches"],
)
def test_what_python_does_not_take_is_an_error_of_the_file(source: str, tmp_path: Path) -> None:
    facts = analyse_module(source.encode(), "a.py")

    assert facts["error"]["message"]
    assert compile_project({"a.py": source.encode()}, str(tmp_path)) == ["a.py"]


def test_names_and_imports_are_told_in_the_order_of_the_file() -> None:
    source = """
import a
if a:
    import b
    one = 1
elif b:
    def one(event): ...
else:
    from c import d as one
def two(event):
    import e
for three in (four := []):
    def four(event): ...
"""

    facts = analyse_module(source.encode(), "a.py")

    assert [one["module"] for one in facts["imports"]] == ["a", "b", "c", "e"]
    kinds = {name: found["kind"] for name, found in facts["names"].items()}
    assert kinds["one"] == "import"
    assert kinds["two"] == "function"
    assert kinds["three"] == "value"
    assert kinds["four"] == "function"
