"""No filter holds up the service or fills its memory, whatever the event."""

from __future__ import annotations

import pytest

from hookline_triggers.errors import FilterInvalidError
from hookline_triggers.filters import compile_filter


def _doubled(count: int, grown: str) -> str:
    text = "a0.size() > 0"
    for number in range(1, count + 1):
        text = f"cel.bind(a{number - 1}, {grown.replace('x', f'a{number}')}, {text})"
    return f"cel.bind(a{count}, data.text, {text})"


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2].all(a, [1, 2].all(b, true))",
        "data.list.exists(a, data.list.exists(b, a == b))",
        "data.list.exists(a, a.list.exists(b, data.list.exists(c, true)))",
        "lists.range(9999).exists(a, lists.range(9999).exists(b, false))",
        "[data.list, data.list].exists(a, a.exists(b, b == 1))",
        "data.a.exists(a, a.b.exists(b, b.c.exists(c, c.d.exists(d, d == 1))))",
        "[data.text]" + ".map(a, a + a)" * 30 + ".size() > 0",
        "[data.text]" + ".map(a, [a, a])" * 30 + ".size() > 0",
        "[data.text]" + ".map(a, {'a': a, 'b': a})" * 30 + ".size() > 0",
        "data.list.map(a, data.text + data.text).size() > 0",
        "data.list.exists(a, a + a + a + a == data.text)",
        _doubled(30, "x + x"),
        _doubled(30, "[x, x]"),
        "+".join(["data.text"] * 500) + " == ''",
    ],
)
def test_what_may_be_too_much_work_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(FilterInvalidError) as caught:
        compile_filter(text)

    assert caught.value.column > 0
    assert "work" in caught.value.problem or "grow" in caught.value.problem


@pytest.mark.parametrize(
    "text",
    [
        "data.items.exists(i, i.tags.exists(t, t == 'bug'))",
        "data.items.exists(i, i['tags'].all(t, t.startsWith('b')))",
        "data['items'].exists(i, i.price + i.tax > 100)",
        "data.items.exists(i, i.price + 1 + 2 + 3 > 100)",
        "'bug' in data.items.map(i, i.name + '!') || 'bug' in data.items.map(i, i.name)",
        "data.items.filter(i, i.on).map(i, i.name).exists(n, n in ['bug', 'x', 'y', 'z'])",
        "data.a + '/' + data.b + '/' + data.c == data.path",
        "cel.bind(a, data.a + data.b, cel.bind(b, a + data.c, b == a + b))",
        "data.items.exists(i, i.on) && data.items.exists(i, i.tags.exists(t, t == 'x'))",
    ],
)
def test_what_people_write_is_taken(text: str) -> None:
    assert compile_filter(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "data.text.replace('a', data.text) != ''",
        "data.list.join(data.text) != ''",
        "data.numbers.distinct() != []",
        "sets.contains(data.numbers, data.numbers)",
        "sets.intersects(data.numbers, ['x'].map(x, data.numbers)[0])",
        "'%s%s%s'.format([data.text, data.text, data.text]).size() > 0 && '%s'.format([data.list]) == data.text.replace('a', 'aaaaaaaaaa')",
    ],
)
def test_functions_make_no_more_than_a_filter_needs(text: str) -> None:
    data = {"text": "a" * 500_000, "list": ["a"] * 50_000, "numbers": list(range(50_000))}

    explained = compile_filter(text).explain(data, "push")

    assert not explained.is_match
    assert explained.reason


def test_few_replacements_in_a_short_text_are_made_whatever_their_limit() -> None:
    assert compile_filter("'abc'.replace('b', 'x', 1000000000) == 'axc'").matches({}, "")
