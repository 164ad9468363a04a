"""What operations on the store do to a value."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from hookline.errors import ConflictError, InvalidError
from hookline.store_rules import DELETED, UNCHANGED, NotANumberError, apply, are_equal

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("operation", "current", "operands", "after", "result"),
    [
        ("get", None, [], UNCHANGED, None),
        ("get", {"a": 1}, [], UNCHANGED, {"a": 1}),
        ("set", None, [5], 5, None),
        ("set", 5, [None], DELETED, None),
        ("set", 5, [False], False, None),
        ("del", None, [], DELETED, None),
        ("del", 5, [], DELETED, None),
        ("add", None, [2], 2, 2),
        ("add", 1, [2.5], 3.5, 3.5),
        ("add", 2**70, [1], 2**70 + 1, 2**70 + 1),
        ("add", 5, [-5], 0, 0),
        ("check_and_set", None, ["new", None], "new", True),
        ("check_and_set", "old", ["new", None], UNCHANGED, False),
        ("check_and_set", "old", ["new", "old"], "new", True),
        ("check_and_set", "old", [None, "old"], DELETED, True),
        ("check_and_set", 1, [2, True], UNCHANGED, False),
        ("check_and_set", 1, [2, 1.0], 2, True),
    ],
)
def test_an_operation_does_what_it_says(
    operation: str, current: object, operands: list[object], after: object, result: object
):
    outcome = apply(operation, current, operands)

    assert outcome == (after, result)
    assert [type(one) for one in outcome] == [type(after), type(result)]


@pytest.mark.parametrize(
    ("current", "addend"),
    [("5", 1), (5, "1"), (True, 1), (1, True), ([], 1), (1, None), (None, "a"), ({}, 1)],
)
def test_only_numbers_are_added(current: object, addend: object):
    with pytest.raises(NotANumberError, match="not a number") as caught:
        apply("add", current, [addend])

    assert isinstance(caught.value, ConflictError)
    assert caught.value.code == "store.not_a_number"


@pytest.mark.parametrize(
    ("current", "addend"), [(10**400, 1.5), (10**4000 - 1, 10**4000)], ids=["float", "long"]
)
def test_a_sum_that_cannot_be_kept_is_refused(current: int, addend: float):
    with pytest.raises(NotANumberError, match="cannot be kept"):
        apply("add", current, [addend])


@pytest.mark.parametrize(
    ("operation", "operands", "text"),
    [
        ("drop", [], "no operation 'drop'; it has get, set"),
        ("set", [], "set takes 1 operand, not 0"),
        ("check_and_set", [1], "check_and_set takes 2 operands, not 1"),
        ("get", [1], "get takes 0 operands"),
    ],
)
def test_an_operation_that_there_is_not_is_refused(
    operation: str, operands: list[object], text: str
):
    with pytest.raises(InvalidError, match=text):
        apply(operation, None, operands)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (2**70, float(2**70), True),
        (1, True, False),
        (0, False, False),
        ([1, [2]], [1.0, [2.0]], True),
        ([1], [True], False),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ({1: "x"}, {True: "x"}, False),
        ({1: "x"}, {1.0: "x"}, True),
        ({1, 2}, {2.0, 1}, True),
        ({1}, {True}, False),
        ({1}, [1], False),
        (math.nan, math.nan, True),
        ("nan", math.nan, False),
        ("a", b"a", False),
        (None, 0, False),
        (None, "", False),
        ([], {}, False),
        (timedelta(hours=1), timedelta(minutes=60), True),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), True),
    ],
)
def test_equality_is_of_shape_and_content(one: object, other: object, equal: bool):
    assert are_equal(one, other) is equal
    assert are_equal(other, one) is equal


@given(numbers, numbers)
def test_a_first_addition_sets_and_the_next_one_adds(first: float, second: float):
    held, _ = apply("add", None, [first])

    assert apply("add", held, [second]) == (first + second, first + second)
