"""Long junk is refused before the engine reads it; what is sound is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from hookline_triggers import filters
from hookline_triggers.cel_engine import compile_program
from hookline_triggers.cel_order import LONG, find_disorder
from hookline_triggers.cel_scan import find_foreign_sign
from hookline_triggers.errors import FilterInvalidError
from hookline_triggers.filters import compile_filter

JUNK = {
    "(" * 8000: "brackets are nested more than 50 deep",
    "( " * 3000: "brackets are nested more than 50 deep",
    "[" * 2000: "brackets are nested more than 50 deep",
    "{" * 2000: "brackets are nested more than 50 deep",
    "data[" * 1000: "brackets are nested more than 50 deep",
    "f(g(h(" * 300: "brackets are nested more than 50 deep",
    "[data," * 500: "brackets are nested more than 50 deep",
    "(" * 4000 + "1" + ")" * 4000: "brackets are nested more than 50 deep",
    "!" * 4000 + "data": "more than 10 `!` stand before one value",
    "-" * 4000 + "1": "more than 10 `-` stand before one value",
    "data." * 1000: "a name is missing after `.`",
    "data||" * 1000: "a value is missing after `||`",
    "1+" * 900: "a value is missing after `+`",
    "1+" * 4000: "it has more than 1,000 operators",
    "data in " * 1000: "a value is missing after `in`",
    "data ? data : " * 100: "a value is missing after `:`",
    "data ? " * 500 + "1": "a `?` has no `:`",
    "data data " * 500: "something is missing before `data`",
    "1 " * 4000: "something is missing before `1`",
    "((1)" * 500: "something is missing before `(`",
    "data," * 1000: "`,` is not expected here",
    "data]" * 1000: "`]` closes nothing",
    "[data)" + " || data" * 200: "`)` does not close the `[`",
    "(data == 1 " + "|| data == 2 " * 100: "the `(` is not closed",
}


@pytest.mark.parametrize("junk", JUNK, ids=lambda text: f"{text[:10]}… {len(text)}")
def test_junk_is_refused_in_words_and_never_read_by_the_engine(
    junk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(filters, "compile_program", read.append)

    with pytest.raises(FilterInvalidError) as refused:
        compile_filter(junk)

    assert (refused.value.problem, read) == (JUNK[junk], [])
    assert refused.value.line == 1


VALUES = st.sampled_from(
    [
        "data", "data.x", "data['a']", "data.in_", "1", "1.5", "0x1u", "'a b'", 'r"\\"', "true", "null", "[]", "{}",
        "[1, 2]", "{'a': 1, 'b': [2]}", "size(data)", "data.x.exists(i, i.y == 1)", "has(data.x)", "-1", "!true",
        "data.a[0].b", "(1)", "type(1)",
    ]
)  # fmt: skip
JOINS = st.sampled_from(["&&", "||", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", " in ", "? 1 :"])  # fmt: skip


WRAPPED = st.sampled_from(["{}", "({})", "[{}]", "!({})", "f({})", "{{'a': {}}}"])


@st.composite
def expressions(draw: st.DrawFn) -> str:
    pairs = draw(st.lists(st.tuples(JOINS, VALUES, WRAPPED), min_size=30, max_size=40))
    text = "true"
    for number, (join, value, wrapped) in enumerate(pairs):
        text = f"{text} {join} {value}"
        text = wrapped.format(text) if number % 3 == 0 else text
    return text


@settings(deadline=None, max_examples=40)
@given(expressions())
def test_what_the_engine_reads_is_in_order(text: str) -> None:
    try:
        compile_program(text)
    except ValueError:
        return

    assert find_disorder(text) is None


PIECES = st.sampled_from([*"()[]{}.,:?!-+<>", "==", "&&", "||", " in ", " a ", " 1 ", "'x'", " \n"])


@settings(deadline=None, max_examples=40)
@given(st.lists(PIECES, min_size=LONG, max_size=2 * LONG).map("".join))
def test_what_is_out_of_order_the_engine_does_not_read(text: str) -> None:
    if find_foreign_sign(text) is not None or find_disorder(text) is None:
        return

    with pytest.raises(ValueError, match="ERROR"):
        compile_program(text)


def test_long_filters_that_people_write_are_taken() -> None:
    names = ", ".join(f"'{number}'" for number in range(800))
    compile_filter(f"data.name in [{names}]")
    compile_filter(" || ".join(f"data.a.b == '{number}'" for number in range(200)))
    compile_filter(" && ".join(f"(data.n{n} > {n} ? true : !has(data.n{n}))" for n in range(100)))
