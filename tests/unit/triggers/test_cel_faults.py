from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from hookline_triggers.errors import FilterInvalidError
from hookline_triggers.filters import compile_filter

ENGINE_WORDS = (
    "expecting",
    "input",
    "token",
    "IDENTIFIER",
    "NUM_",
    "EOF",
    "alternative",
    "Context",
)


def fault_of(text: str) -> FilterInvalidError:
    with pytest.raises(FilterInvalidError) as caught:
        compile_filter(text)
    return caught.value


def refusal_of(text: str) -> FilterInvalidError | None:
    try:
        compile_filter(text)
    except FilterInvalidError as exc:
        return exc
    return None


@pytest.mark.parametrize(
    ("text", "column", "problem", "hint"),
    [
        ("data.x = 1", 8, "`=` is not an operator", "write `==` to compare"),
        ("data.x === 1", 8, "`===` is not an operator", "write `==` to compare"),
        ("data.x <> 1", 8, "`<>` is not an operator", "write `!=`"),
        ("data->x", 5, "`->` is not an operator", "write `.` for a member"),
        ("data.x & data.y", 8, "`&` is not an operator", "write `&&`"),
        ("data.x and data.y", 8, "`and` is not an operator", "write `&&`"),
        ("data.x == 1 or data.y", 13, "`or` is not an operator", "write `||`"),
        ("not data.x", 1, "`not` is not an operator", "write `!`, as in `!(data.x in [1, 2])`"),
        ("data.x is null", 8, "`is` is not an operator", "write `==`"),
        ("data.x == 1 # one", 13, "`#` begins no remark", "write `//`"),
        ("if data.x", 1, "`if` is a reserved word", "write `condition ? a : b`"),
        ("data.x ? 1", 11, "a `?` has no `:`", "write `condition ? a : b`"),
        ("data.x ==", 10, "a value is missing after `==`", ""),
        ("data.x in", 10, "a value is missing after `in`", ""),
        ("&& data.x", 1, "a value is missing before `&&`", ""),
        ("data.x && || 1", 11, "a value is missing before `||`", ""),
        ("data..x", 6, "a name is missing after `.`", ""),
        ("data.in", 6, "the name after `.` cannot be `in`", 'write `["in"]`'),
        ("data.x.1 == 2", 7, "`.1` is not a member", "write `[1]` for an element"),
        ("(data.x == 1", 1, "the `(` is not closed", "add `)`"),
        ('data["x" == 1', 5, "the `[` is not closed", "add `]`"),
        ("data.x == 1)", 12, "`)` closes nothing", ""),
        ("[data.x == 1)", 13, "`)` does not close the `[`", ""),
        ('data.x == "a', 11, "the text that begins here is not closed", 'add `"` at its end'),
        ("data.x == 'it's'", 15, "the text ends before `s`", "write `\\'` for a quotation mark inside of a text"),
        ("data.x == “a”", 11, "`“` is not a quotation mark", "put texts in straight quotes, as in 'text'"),
        ("data.x 1", 8, "something is missing before `1`", "write an operator such as `&&` or `==` between the two values"),
        ("data.x in [1 2]", 14, "something is missing before `2`", "write a comma or an operator between the two values"),
        ("has(data)", 5, "has() takes a member of something", "as in `has(data.user)`"),
        ("data.l.all(1, true)", 12, "the first argument of all() is a name", "as in `data.items.all(item, item > 0)`"),
        ("data.x == 99999999999999999999", 11, "the number is too large", ""),
        ("data.x == 1;", 12, "`;` has no meaning here", ""),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_words_at_its_place(text, column, problem, hint):
    fault = fault_of(text)

    assert (fault.column, fault.problem, fault.hint) == (column, problem, hint)


@pytest.mark.parametrize(
    "text", ["data.x == '= & #' = 1", "data.a<=1 && data.b!=2 || data.c>=3 = 1"]
)
def test_a_sign_within_texts_and_operators_is_not_blamed(text):
    fault = fault_of(text)

    assert (fault.column, fault.problem) == (text.rindex("=") + 1, "`=` is not an operator")


def test_the_excerpt_shows_the_line_with_a_caret():
    fault = fault_of("data.x == 1 &&\n\tdata.y = 2")

    assert (fault.line, fault.column) == (2, 9)
    assert fault.excerpt == "     data.y = 2\n            ^"


def test_the_excerpt_of_a_long_line_is_cut_around_the_place():
    fault = fault_of("data.x == 1 && " * 200 + "data.y = 2" + " && data.z" * 100)

    shown, caret = fault.excerpt.split("\n")
    assert len(shown) < 130
    assert shown[caret.index("^")] == "="


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["data", ".", "a", "(", ")", "[", "]", "==", "'x'", '"', "&&", "||", "!", "1", "=", "and", "not", "#",
             " ", " ", "\n", "in", "has(", "?", ":", "\\", "é", "\0", "$", "``", "if", "😀", "'" * 3, "//"]
        ),
        max_size=12,
    ).map("".join)
)  # fmt: skip
def test_any_refusal_is_readable_and_points_into_the_text(text):
    refused = refusal_of(text)
    if refused is None:
        return

    lines = text.split("\n")
    assert refused.line == 0 or refused.column <= len(lines[refused.line - 1]) + 1
    assert not any(word in refused.problem for word in ENGINE_WORDS)
    assert (refused.problem + refused.hint).isprintable()
    assert (refused.excerpt == "") == (refused.line == 0)
