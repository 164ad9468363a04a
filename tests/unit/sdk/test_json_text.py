from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from hookline.json_text import (
    MAX_DEPTH,
    MAX_INT_DIGITS,
    Reader,
    is_deeper,
    read,
    read_given,
    whole_text,
    write,
)
from tests.builders.json_texts import json_texts, json_values


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def is_refused(reader: Callable[[bytes], object], text: bytes) -> bool:
    try:
        reader(text)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"9" * MAX_INT_DIGITS, 10**MAX_INT_DIGITS - 1),
        (b"1.0", 1.0),
        (b"\xef\xbb\xbf[1]", [1]),
        ("\ufeff[1]", [1]),
        (rb'"\ud83d"', "\ufffd"),
        ('"\ud83d"', "\ufffd"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\\ud83d"', r"\ud83d"),
        (b'"\xff"', "\ufffd"),
        (b'{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_a_text_has_one_value(text: bytes | str, value: Any) -> None:
    found = read(text)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e400", "beyond every float"),
        (b"9" * (MAX_INT_DIGITS + 1), "4000 digits"),
        (b"-" + b"9" * (MAX_INT_DIGITS + 1), "4000 digits"),
        (b"1 2", "Extra data"),
        (b"", "Expecting value"),
        (b"\xef\xbb\xbf\xef\xbb\xbf1", "Expecting value"),
        (b"[" * 100_000, "too deeply"),
        (rb'"\ud8"', "escape"),
    ],
)
def test_what_is_no_json_is_refused_with_a_reason(text: bytes, says: str) -> None:
    for reader in (read, read_given):
        with pytest.raises(ValueError, match=says):
            reader(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (rb'{"s":"\ud83d"}', r"\\ud83d at character 6 is half a character"),
        (rb'"\ude00\ud83d"', r"\\ude00 at character 1 is half a character"),
        ('"\udcff"', "character 1 is half a character"),
        (b'"\xff"', "it is not UTF-8: byte 1 is 0xff"),
    ],
)
def test_whoever_can_be_told_is_told_of_what_is_no_character(text: bytes | str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_given(text)


def test_the_first_value_of_a_text_is_read_whatever_follows() -> None:
    assert Reader().read_first('\ufeff \n{"n": 1} and more') == {"n": 1}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\ud83d", '"\ufffd"'),
        ({"\ude00": ["é"]}, '{"\ufffd":["é"]}'),
        ([10**30, float("nan"), (1, float("-inf"))], "[1" + "0" * 30 + ",null,[1,null]]"),
    ],
)
def test_what_is_written_can_be_read_by_anybody(value: Any, text: str) -> None:
    assert write(value) == text


def test_texts_for_people_have_spaces_or_lines() -> None:
    assert write({"b": 1, "a": [2]}, is_spaced=True, sort_keys=True) == '{"a": [2], "b": 1}'
    assert write({"b": 1}, indent=2) == '{\n  "b": 1\n}'


def test_what_is_no_json_is_not_written() -> None:
    with pytest.raises(TypeError):
        write({"a": object()})
    with pytest.raises(ValueError, match="deeply"):
        write(nested(100_000))
    assert write([b"x"], default=lambda value: f"<{value!r}>") == """["<b'x'>"]"""


def test_a_value_is_deeper_than_the_limit_by_one_container() -> None:
    assert not is_deeper("x")
    assert not is_deeper(nested(MAX_DEPTH))
    assert is_deeper(nested(MAX_DEPTH + 1))
    assert not is_deeper({"a": nested(MAX_DEPTH - 1), "b": []})
    assert is_deeper({"a": [], "b": nested(MAX_DEPTH)})


@pytest.mark.slow
@settings(max_examples=200)
@given(value=json_values())
def test_what_was_written_is_read_as_it_was(value: Any) -> None:
    assert read(write(value)) == value
    assert read_given(write(value, indent=1)) == value
    assert json.loads(write(value)) == value


@pytest.mark.slow
@settings(max_examples=300)
@given(text=json_texts())
@example(text=b'{"\\ud83d":"\\\\ud83d"}')
def test_what_was_read_can_be_written_and_read_again(text: bytes) -> None:
    if is_refused(read, text):
        assert is_refused(read_given, text)
        return
    value = read(text)

    again = write(value).encode()

    assert read(again) == read_given(again) == value


@given(text=st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010)))
def test_a_whole_text_is_as_long_and_can_be_encoded(text: str) -> None:
    whole = whole_text(text)

    whole.encode()
    assert len(whole) == len(text)
    assert [one for one in whole if one != "\ufffd"] == [
        one for one in text if not "\ud800" <= one <= "\udfff"
    ]
