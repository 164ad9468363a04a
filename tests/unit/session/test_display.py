"""What people are shown of a value is short, is JSON, and never fails."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from hookline_runner.session.display import LIMIT_BYTES, display, display_call


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
