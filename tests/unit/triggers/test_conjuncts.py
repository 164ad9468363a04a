from __future__ import annotations

import pytest

from hookline_triggers.conjuncts import MOST_CONDITIONS, list_conditions


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("", []),
        (" . ", []),
        ("data.a", ["data.a"]),
        ("data.a && data.b", ["data.a", "data.b"]),
        ("data.a&&data.b&&data.c", ["data.a", "data.b", "data.c"]),
        ("(data.a && data.b) && (data.c)", ["data.a", "data.b", "data.c"]),
        ("((data.a && (data.b && data.c)))", ["data.a", "data.b", "data.c"]),
        ("(data.a) && (data.b)", ["data.a", "data.b"]),
        ("(data.a || data.b) && data.c", ["(data.a || data.b)", "data.c"]),
        ("(data.a || data.b)", ["(data.a || data.b)"]),
        ("data.a && data.b || data.c", ["data.a && data.b || data.c"]),
        ("data.a || data.b && data.c", ["data.a || data.b && data.c"]),
        ("data.a ? data.b && data.c : data.d", ["data.a ? data.b && data.c : data.d"]),
        ("(data.a ? data.b : data.c) && data.d", ["(data.a ? data.b : data.c)", "data.d"]),
        ("!(data.a && data.b)", ["!(data.a && data.b)"]),
        ("data.a.exists(x, x && x) && data.b", ["data.a.exists(x, x && x)", "data.b"]),
        ("data['&&'] && data.a == \"|| ?\"", ["data['&&']", 'data.a == "|| ?"']),
        ("data.a == '''(''' && data.b", ["data.a == '''('''", "data.b"]),
        ("data.a == r'\\' && data.b", ["data.a == r'\\'", "data.b"]),
        ("data.a // && never\n  && data.b // nor this", ["data.a", "data.b"]),
        ("data.a in [ // one\n 1,\n 2]", ["data.a in [ 1, 2]"]),
        ("[data.a && data.b][0] && {'a': data.c && data.d}.a", ["[data.a && data.b][0]", "{'a': data.c && data.d}.a"]),
    ],
)  # fmt: skip
def test_a_filter_is_split_where_every_part_must_hold(text: str, conditions: list[str]) -> None:
    assert [each.line for each in list_conditions(text)] == conditions


def test_a_condition_keeps_the_text_of_its_author() -> None:
    _, last = list_conditions("data.a && data.b\n== '''x\ny'''")

    assert last.text == "data.b\n== '''x\ny'''"
    assert last.line == "data.b == '''x\ny'''"


def test_of_very_many_conditions_the_last_ones_are_one() -> None:
    text = " && ".join(f"data.a{number}" for number in range(100))

    conditions = list_conditions(text)

    assert len(conditions) == MOST_CONDITIONS
    assert conditions[-1].text.startswith("data.a31 && data.a32")
    assert conditions[-1].text.endswith("data.a99")


def test_very_many_conditions_that_cannot_be_cut_are_all_one() -> None:
    text = "(" + " && ".join(f"data.a{number}" for number in range(100)) + ") && data.b"

    assert [each.text for each in list_conditions(text)] == [text]
