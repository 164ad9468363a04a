from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings

from hookline import json_text
from hookline_runner import fast_json
from tests.builders.json_texts import json_texts, json_values


def outcome(read: Any, text: bytes) -> str:
    """What is read, with the types of numbers and the order of members."""
    try:
        return repr(read(text))
    except ValueError as exc:
        return f"refused: {exc}"


@pytest.mark.slow
@settings(max_examples=600)
@given(text=json_texts())
def test_the_fast_way_reads_what_the_plain_way_reads(text: bytes) -> None:
    assert outcome(fast_json.read, text) == outcome(json_text.read, text)
    assert outcome(fast_json.read_given, text) == outcome(json_text.read_given, text)


@pytest.mark.slow
@settings(max_examples=300)
@given(value=json_values())
def test_the_fast_way_writes_what_the_plain_way_reads(value: Any) -> None:
    assert json_text.read(fast_json.write(value)) == value


@pytest.mark.parametrize(
    "value",
    ["\ud83d", {"\ud83d": 1}, [float("nan")], [float("inf"), 10**30], {"n": 10**30, "s": "\ude00"}],
)
def test_both_ways_write_the_same_for_what_json_lacks(value: Any) -> None:
    assert fast_json.write(value) == json_text.write(value).encode()


def test_other_values_are_written_alike_beside_a_large_number() -> None:
    class Colour(Enum):
        RED = "red"

    others = {"at": datetime(2026, 1, 1, tzinfo=UTC), "colour": Colour.RED, "x": b"x"}

    plain = fast_json.read(fast_json.write(others, default=repr))
    beside = fast_json.read(fast_json.write({**others, "n": 10**30}, default=repr))

    assert beside == {**plain, "n": 10**30}


def test_what_nobody_can_write_is_refused() -> None:
    with pytest.raises(TypeError):
        fast_json.write(object())


@pytest.mark.parametrize(
    ("header", "fields"),
    [(rb'{"n":1,"s":"\ud83d"}', {"n": 1, "s": "\ufffd"}), (b'{"n":%s}' % (b"9" * 400), {"n": 10**400 - 1})],
)  # fmt: skip
def test_a_header_is_read_whatever_it_holds(header: bytes, fields: dict[str, Any]) -> None:
    assert fast_json.read_header(header) == fields
