"""Values and exceptions come back from the journal as they went in."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hookline_runner.codec import (
    JSON,
    PICKLE,
    decode_exception,
    decode_value,
    encode_exception,
    encode_value,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def same(left: Any, right: Any) -> bool:
    """Equal in value and in every type, -0.0 told from 0.0, order of keys told too."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return math.copysign(1, left) == math.copysign(1, right) and left == right
    return bool(left == right)


def through(value: Any) -> Any:
    encoded = encode_value(value)
    assert encoded is not None
    return decode_value(encoded.encoding, encoded.data)


@given(JSON_VALUES)
def test_any_json_value_comes_back_exactly(value: Any):
    assert same(through(value), value)


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        (None, JSON),
        (True, JSON),
        ("é\ud800\0", JSON),
        ([1, 2.5, {"a": []}], JSON),
        ((1, 2), PICKLE),
        ({1: "a"}, PICKLE),
        ({"a": (1,)}, PICKLE),
        (math.inf, PICKLE),
        (1 << 70, PICKLE),
        pytest.param(10**5000, PICKLE, id="a huge number"),
        (b"x", PICKLE),
        ({1, 2}, PICKLE),
        (OrderedDict(a=1), PICKLE),
        (datetime(2020, 1, 1, tzinfo=UTC), PICKLE),
        (PurePath("a/b"), PICKLE),
        (list(range(10_000)), PICKLE),
    ],
)
def test_json_is_used_only_where_it_is_exact(value: Any, encoding: str):
    encoded = encode_value(value)

    assert encoded is not None
    assert encoded.encoding == encoding
    assert same(decode_value(encoded.encoding, encoded.data), value)


def test_one_list_in_two_places_stays_one():
    shared = [1]

    first, second = through([shared, shared])

    assert first is second


def test_a_cycle_comes_back_as_a_cycle():
    ring: list[Any] = []
    ring.append(ring)

    back = through(ring)

    assert back[0] is back


class Sly:
    """Pickles, and does not load."""

    def __reduce__(self) -> Any:
        return (int, ("not a number",))


class Failing:
    def __getstate__(self) -> Any:
        raise AttributeError("no")


@pytest.mark.parametrize("value", [threading.Lock(), lambda: 1, (x for x in ()), Sly(), Failing()])
def test_what_cannot_be_carried_is_told(value: Any):
    assert encode_value(value) is None


class StoredError(Exception):
    """Keeps all it is given, in attributes."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class ForgetfulError(Exception):
    """Keeps only one of its arguments."""

    def __init__(self, first: int, second: int) -> None:
        del second
        super().__init__(first)


class KeywordOnlyError(Exception):
    def __init__(self, *, name: str) -> None:
        super().__init__(f"no {name}")
        self.name = name


class HoldingError(Exception):
    def __init__(self, lock: object) -> None:
        super().__init__("held", lock)
        self.lock = lock
        self.note = "kept"


def exception_through(exc: BaseException) -> BaseException:
    encoded = encode_exception(exc)
    return decode_exception(encoded.encoding, encoded.data)


@pytest.mark.parametrize(
    "exc",
    [
        ValueError("x"),
        KeyError("k", 2),
        SystemExit(3),
        KeyboardInterrupt(),
        OSError(2, "no file", "name"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
        StoredError(1, "why"),
        ForgetfulError(1, 2),
        KeywordOnlyError(name="n"),
        ExceptionGroup("many", [ValueError(1), KeyError(2)]),
        StopIteration(5),
    ],
)
def test_an_exception_keeps_class_arguments_text_and_attributes(exc: BaseException):
    back = exception_through(exc)

    assert type(back) is type(exc)
    assert str(back) == str(exc)
    assert repr(back) == repr(exc)
    assert vars(back) == vars(exc)


def test_a_file_error_keeps_its_number():
    back = exception_through(FileNotFoundError(2, "no", "name"))

    assert isinstance(back, FileNotFoundError)
    assert (back.errno, back.filename) == (2, "name")


def test_what_an_exception_cannot_carry_becomes_none():
    back = exception_through(HoldingError(threading.Lock()))

    assert isinstance(back, HoldingError)
    assert back.args == ("held", None)
    assert back.lock is None
    assert back.note == "kept"


def test_a_class_made_in_a_function_gives_way_to_its_base():
    class LocalError(ConnectionError):
        pass

    back = exception_through(LocalError("gone"))

    assert isinstance(back, ConnectionError)
    assert type(back).__name__ == "LocalError"
    assert back.args == ("gone",)


def test_causes_and_notes_are_kept():
    outer = ValueError("outer")
    outer.__cause__ = KeyError("inner")
    outer.add_note("mind")

    back = exception_through(outer)

    assert repr(back.__cause__) == "KeyError('inner')"
    assert back.__suppress_context__
    assert back.__notes__ == ["mind"]


def test_exceptions_are_values_too_alone_and_within():
    unnamed = KeywordOnlyError(name="x")
    looped = KeywordOnlyError(name="y")
    vars(looped)["name"] = [looped]
    value = {
        "one": unnamed,
        "all": [1, (HoldingError(threading.Lock()), KeyError(2))],
        "loop": looped,
    }

    alone, within = encode_value(unnamed), encode_value(value)

    assert alone is not None
    assert within is not None
    assert repr(decode_value(alone.encoding, alone.data)) == "KeywordOnlyError('no x')"
    read = decode_value(within.encoding, within.data)
    assert read["one"].name == "x"
    assert repr(read["all"]) == "[1, (HoldingError('held', None), KeyError(2))]"
    assert (vars(read["all"][1][0]), vars(read["loop"])) == (
        {"lock": None, "note": "kept"},
        {"name": None},
    )
