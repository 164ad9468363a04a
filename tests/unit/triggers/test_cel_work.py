"""How much work filters are said to be, and that what is looked up once means the same as before."""

from __future__ import annotations

from typing import Any

import pytest

from hookline_triggers.cel_work import ENDLESS, INLINE
from hookline_triggers.filters import compile_filter


def _data(**json: Any) -> dict[str, Any]:
    return {"body": {"json": json}, "method": "POST"}


ITEMS = [{"id": number, "name": f"n{number}", "tags": ["a", "b"]} for number in range(4_000)]
WORDS = [f"word{number}" for number in range(2_000)]


@pytest.mark.parametrize(
    "text",
    [
        "data.method == 'POST' && has(data.body.json.id)",
        "data.body.json.items.exists(i, i.id == data.body.json.one)",
        "data.body.json.items.exists(i, i.tags.exists(t, t == data.body.json.one))",
        "data.body.json.items.filter(i, i.name.startsWith('n')).size() > 0",
        "data.body.json.text.matches('^[a-z]+$')",
    ],
)
def test_an_ordinary_filter_on_an_ordinary_event_is_little_work(text: str):
    data = _data(id=1, items=ITEMS[:10], one=3, text="abc")

    assert compile_filter(text).work(data) <= INLINE


@pytest.mark.parametrize(
    "text",
    [
        "data.body.json.a.exists(x, x in data.body.json.b)",
        "data.body.json.a.all(x, x in data.body.json.a)",
        "data.body.json.a.map(x, x in data.body.json.b).size() > 0",
        "data.body.json.a.exists(x, data.body.json.text.matches(x))",
        "data.body.json.a.exists(x, data.body.json.text.contains(x))",
        "data.body.json.a.exists(x, data.body.json['a'].size() > 5 && x == 'y')",
        "data.body.json.a.exists(x, has(data.body.json.b) && x == 'y')",
        "data.body.json.items.exists(i, i.id == data.body.json.missing)",
        "sets.intersects(data.body.json.a, data.body.json.b)",
        "data.body.json.items.exists(i, i.tags.exists(t, i.name == t))",
        "data.body.json.text.matches(data.body.json.a[0])",
        "cel.bind(d, data.body.json, d.items.exists(i, i.id in d.a))",
    ],
)
def test_what_grows_with_the_square_of_the_data_is_much_work(text: str):
    data = _data(a=WORDS, b=WORDS, items=ITEMS, text="x" * 20_000)

    assert compile_filter(text).work(data) > INLINE


@pytest.mark.parametrize(
    "text",
    [
        r'data.body.json.a.exists(x, x.matches("\\pL{200}z"))',
        r"data.body.json.a.exists(x, x.matches('^[\\w.]+@[\\w.]+[.][a-z]{2,}$'))",
        " || ".join([r"data.method.matches(r'\pL{200}z')"] * 9),
        "data.method.matches('(a{1,1000}){1,1000}')",
        "[1, 2, 3, 4, 5, 6, 7, 8, 9].exists(x, data.method.matches(r'\\w{9}'))",
        "matches('a', data.body.json.text)",
    ],
)
def test_what_compiles_large_patterns_or_one_often_is_much_work(text: str):
    made = compile_filter(text)

    assert not made.is_plain
    assert made.work(_data(a=WORDS, text="a")) > INLINE


def test_a_pattern_that_comes_with_the_event_is_never_little_work():
    made = compile_filter("data.body.json.text.matches(data.body.json.pattern)")

    assert made.work(_data(text="a", pattern="b")) == ENDLESS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data.body.json.items.exists(i, i.id == data.body.json.one)", True),
        ("data.body.json.items.exists(i, i.id == data.body.json['one'])", True),
        ("data.body.json.items.exists(i, i.id == data.body.json.missing)", False),
        ("data.body.json.items.all(i, i.id < data.body.json.one + 10)", True),
        ("data.body.json.items.exists(data, data.id == 3)", True),
        ("data.body.json.items.exists(i, has(data.body.json.one) && i.id == 1)", True),
        ("data.body.json.items.exists(i, has(data.body.json.no) || i.id == 1)", True),
        ("data.body.json.items.exists(i, i.name == data.body.json.names[0])", True),
        ("data.body.json.items.map(i, data.body.json.one).all(x, x == 3)", True),
        ("cel.bind(o, data.body.json.one, data.body.json.items.exists(i, i.id == o))", True),
        ("data.body.json.items.exists(i, i.id == 1) && data.body.json.one == 3", True),
        ("data.body.json.items.exists(i, i.id == data.body.json.one.deeper)", False),
        ("data.body.json.items.exists(i, data.body.json.names.size() == i.id)", True),
    ],
)
def test_what_is_looked_up_once_means_the_same(text: str, expected: bool):
    data = _data(items=ITEMS[:10], one=3, names=["n4", "x"])

    assert compile_filter(text).matches(data, "post") is expected
