"""What people are shown of a value is short, is JSON, and never fails."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from hookline_runner.session.display import LIMIT_BYTES, RESULT_LIMIT_BYTES, display, display_call


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class OddDict(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (5, 5),
        (True, True),
        ("text", "text"),
        ([1, "a", None], [1, "a", None]),
        ((1, 2), [1, 2]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        ({1: 2}, {"1": 2}),
        (math.inf, "inf"),
        (b"x", "b'x'"),
    ],
)
def test_plain_values_are_shown_as_they_are(value: Any, shown: Any):
    assert json.loads(display(value)) == shown


@pytest.mark.parametrize(
    "value",
    [
        "x" * 1_000_000,
        b"x" * 1_000_000,
        list(range(1_000_000)),
        {str(n): "x" * 100 for n in range(1000)},
        [["x" * 100] * 100] * 100,
        pytest.param(10**100_000, id="a huge number"),
        Odd(),
        OddDict(a=1),
        {"deep": [[[[[[[[[[1]]]]]]]]]]},
    ],
)
def test_whatever_the_value_is_the_text_is_short_json(value: Any):
    text = display(value)

    json.loads(text)
    assert len(text) < 2 * LIMIT_BYTES


def test_a_call_is_shown_by_its_arguments():
    assert json.loads(display_call((1,), {"k": "v"})) == {"args": [1], "kwargs": {"k": "v"}}


def test_whole_numbers_are_shown_as_numbers_as_long_as_python_writes_them() -> None:
    value = [10**30, -(2**64), 10**4000 - 1, 10**4000, {10**5000: 1}]

    shown = json.loads(display(value, RESULT_LIMIT_BYTES))

    assert shown[:3] == value[:3]
    assert shown[3] == "a whole number of 13288 bits"
    assert shown[4] == {"a whole number of 16610 bits": 1}


def test_a_whole_number_that_leaves_no_room_is_cut() -> None:
    shown = json.loads(display(["x" * 1500, 10**3999, 5]))

    assert shown[1].endswith("… (4000 characters)")
