"""What is known of a module without running it."""

from __future__ import annotations

import json

import pytest

from hookline_runner.analysis import analyse, analyse_module


def names_of(source: str) -> dict[str, dict[str, object]]:
    return analyse_module(source.encode(), "main.py")["names"]


@pytest.mark.parametrize(
    ("signature", "verdict"),
    [
        ("def f(event): pass", "ok"),
        ("def f(event, more=1): pass", "ok"),
        ("def f(*args): pass", "ok"),
        ("def f(event, session_id): pass", "ok"),
        ("def f(event, *, session_id): pass", "ok"),
        ("async def f(event, /): pass", "ok"),
        ("class f:\n    def __init__(self, event): pass", "ok"),
        ("def f(): pass", "it takes no argument"),
        ("def f(*, event): pass", "it takes no argument"),
        ("def f(event, other): pass", "requires other"),
        ("def f(event, *, name): pass", "requires name"),
        ("def f(session_id): pass", "first argument is session_id"),
        ("class f:\n    def __init__(self): pass", "it takes no argument"),
        ("@deco\ndef f(): pass", "unknown"),
        ("class f(Base): pass", "unknown"),
    ],
)
def test_whether_a_function_can_be_called_with_one_event(signature: str, verdict: str):
    assert verdict in str(names_of(signature)["f"]["event"])


def test_names_are_found_wherever_the_module_binds_them():
    source = """
import os.path, sys as system
from a import b as c
x = y = 1
p, (q, *r) = 1, (2, 3)
z: int = 3
if x:
    def inside(event): pass
else:
    w = 2
try:
    import json
except ImportError as exc:
    json = None
for i in []:
    pass
with open("x") as file:
    pass
[hidden for hidden in []]
def local():
    not_global = 1
"""
    expected = {"os", "system", "c", "x", "y", "p", "q", "r", "z", "inside", "w", "json", "i", "file", "local"}  # fmt: skip

    assert set(names_of(source)) == expected


def test_a_syntax_error_is_told_with_its_place_and_line():
    facts = analyse({"main.py": b"x = 1\ndef f(:\n    pass\n", "data.txt": b"def f(:"})

    assert list(facts) == ["main.py"]
    error = facts["main.py"]["error"]
    assert (error["line"], error["column"], error["source"]) == (2, 7, "def f(:")
    assert error["message"]


@pytest.mark.parametrize(
    "source", [b"\xff", b"x = '\0'", b"(" * 5000, "é = 1\nx = (".encode("latin-1")]
)
def test_no_source_breaks_the_analysis(source: bytes):
    facts = analyse_module(source, "main.py")

    assert facts["error"]["message"]
    json.dumps(facts)


def test_imports_tell_where_and_how():
    source = """
import a.b, c
from d import e, f
from . import g
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import h
try:
    import i
except ImportError:
    import j
def lazy():
    import k
"""
    imports = {
        (item["module"], *item["names"]): item
        for item in analyse_module(source.encode(), "m.py")["imports"]
    }

    assert imports["a.b",]["line"] == 2
    assert imports["d", "e", "f"]["level"] == 0
    assert imports["", "g"]["level"] == 1
    assert imports["h",]["type_checking"]
    assert imports["i",]["in_try"]
    assert imports["j",]["in_try"]
    assert imports["k",]["lazy"]
    assert not imports["c",]["lazy"]
