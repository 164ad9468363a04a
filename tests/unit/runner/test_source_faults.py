"""Errors that Python finds in a source, at whatever stage of compiling, are told in its words and at its place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hookline_runner.compiled import compile_project
from hookline_runner.source_faults import TOO_DEEP, judge

_FAULTS = [
    ("import asyncio\n\ndef f(event):\n    await asyncio.sleep(1)", 4, 5, "'await' outside async function"),
    ("x = 1\n\nreturn x", 3, 1, "'return' outside function"),
    ("def f(event):\n    if event:\n        break", 3, 9, "'break' outside loop"),
    ("def f(event):\n    continue", 2, 5, "'continue' not properly in loop"),
    ("async def f(event):\n    yield 1\n    return 2", 3, 5, "'return' with value in async generator"),
    ("def f(e):\n    try:\n        pass\n    except:\n        pass\n    except ValueError:\n        pass", 4, 5, "default 'except:' must be last"),
    ("def f(event, a, a):\n    pass", 1, 1, "duplicate argument 'a' in function definition"),
    ("def f():\n    nonlocal x", 2, 5, "no binding for nonlocal 'x' found"),
    ("from __future__ import braces_", 1, 1, "future feature braces_ is not defined"),
    ("x = 1\nfrom __future__ import annotations", 2, 1, "from __future__ imports must occur at the beginning of the file"),
    ("def f():\n    from os import *", 2, 1, "import * only allowed at module level"),
    ("class A:\n    yield 1", 2, 5, "'yield' outside function"),
    ("__debug__ = 1", 1, 1, "cannot assign to __debug__"),
    ("*a, *b = c", 1, 1, "multiple starred expressions in assignment"),
    ("match x:\n    case y: pass\n    case 1: pass", 2, 10, "name capture 'y' makes remaining patterns unreachable"),
    ("def f():\n    x = 1\n    global x", 3, 5, "name 'x' is assigned to before global declaration"),
    ("x = 'žž'; return 1", 1, 11, "'return' outside function"),
    ("# coding: foo\nx = 1", 1, 11, "unknown encoding: foo"),
    ("#!/usr/bin/python\n# -*- coding: foo -*-\nx = 1", 2, 15, "unknown encoding: foo"),
    ("x = 1\ny = '\0'", 2, 6, "source code string cannot contain null bytes"),
    ("if 1:\n\tx\n        y", 3, 1, "inconsistent use of tabs and spaces in indentation"),
    ("def f():\n    x = 'č' + f'abc {a b} c'", 2, 22, "f-string: invalid syntax. Perhaps you forgot a comma?"),
    ("x = '\\x1'", 1, 1, "(unicode error) 'unicodeescape' codec can't decode bytes in position 0-2: truncated \\xXX escape"),
    ("".join(" " * n + "while 1:\n" for n in range(25)) + " " * 25 + "pass", 21, 21, "too many statically nested blocks"),
    ("x = " + " " * 3000 + "1; return", 1, 3008, "'return' outside function"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "line", "column", "message"), _FAULTS)
def test_an_error_of_any_stage_is_told_as_python_tells_it(
    source: str, line: int, column: int, message: str
) -> None:
    fault = judge(source.encode()).error

    assert fault is not None
    is_exact = sys.version_info[:2] == (3, 11)  # others word some, and point elsewhere in the line
    assert fault["line"] == line
    assert not is_exact or fault["message"] == message
    assert TOO_DEEP not in fault["message"]
    if is_exact and column > 1:
        assert fault["column"] == column
    assert fault["source"].strip() in source.replace("\0", " ")


@pytest.mark.parametrize(
    "source",
    ["x = " + "-" * 300_000 + "1", "x = a" + ".b" * 200_000, "if 1: pass\n" + "elif 1: pass\n" * 20_000],
    ids=["minus", "attributes", "branches"],
)  # fmt: skip
def test_what_is_nested_too_deeply_is_called_so(source: str) -> None:
    fault = judge(source.encode()).error

    assert fault is not None
    assert fault["message"] == TOO_DEEP


def test_the_line_is_read_in_the_encoding_that_the_file_declares() -> None:
    fault = judge("# coding: latin-1\nx = 'é'; return 1".encode("latin-1")).error

    assert fault == {
        "line": 2,
        "column": 10,
        "message": "'return' outside function",
        "source": "x = 'é'; return 1",
    }


def test_a_file_in_utf_16_is_called_so() -> None:
    fault = judge("x = 1\n".encode("utf-16")).error

    assert fault is not None
    assert "the file is UTF-16; save it as UTF-8" in fault["message"]


def test_what_python_warns_of_is_kept_with_its_line() -> None:
    judged = judge(b"x = 1\ny = '\\d'\nassert (x, 'always')\n")

    assert judged.error is None
    told = {one["line"]: one["source"] for one in judged.warnings}
    assert told == {2: "y = '\\d'", 3: "assert (x, 'always')"}


def _prepare(files: Path, code: Path) -> None:
    """In a process of its own, for it limits its memory."""
    program = "import sys; from hookline_runner.prepare_step import main; main(sys.argv[1:])"
    subprocess.run([sys.executable, "-c", program, files, code, str(1024**3)], check=True)


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    if x < 0: return g(x)\n" + "".join(f"    elif x == {n}: return g({n})\n" for n in range(2000)),
        "def f(x):\n    return x" + ".b()" * 1200,
        "def f(x):\n    return x" + " + g(1)" * 2400,
    ],
    ids=["branches", "chained calls", "sums"],
)  # fmt: skip
def test_what_python_compiles_is_never_refused_for_our_rewriting(
    source: str, tmp_path: Path
) -> None:
    assert judge(source.encode()).error is None
    files, code = tmp_path / "files", tmp_path / "code"
    files.mkdir()
    code.mkdir()
    (files / "a.py").write_text(source)

    _prepare(files, code)

    facts = json.loads((code / "facts.json").read_text())["modules"]["a.py"]
    assert facts["error"] is None
    assert "f" in facts["names"]
    assert len(list(code.glob("*.gated"))) == 1


def test_the_names_of_a_file_that_parses_are_told_beside_its_error(tmp_path: Path) -> None:
    files, code = tmp_path / "files", tmp_path / "code"
    files.mkdir()
    code.mkdir()
    (files / "a.py").write_text("def f(event): ...\nreturn 1\n")

    _prepare(files, code)

    facts = json.loads((code / "facts.json").read_text())["modules"]["a.py"]
    assert facts["error"]["message"] == "'return' outside function"
    assert list(facts["names"]) == ["f"]
    assert compile_project({"a.py": b"return 1"}, str(code)) == ["a.py"]
