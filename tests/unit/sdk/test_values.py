"""Values: what goes in comes out, what cannot go in is refused with its place, and no tree can do harm."""

from __future__ import annotations

import enum
import json
import math
import pathlib
import threading
import uuid
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hookline import AttrDict, json_text, values

Point = namedtuple("Point", "x y")  # noqa: PYI024 # pyright: ignore[reportUntypedNamedTuple] - as users write them


@dataclass
class Order:
    number: int
    _secret: str = "s"


class Slotted:
    __slots__ = ("_hidden", "shown", "unset")

    def __init__(self) -> None:
        self.shown = 1
        self._hidden = 2


class Colour(enum.Enum):
    RED = "red"


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.timedeltas(),
    st.datetimes(timezones=st.just(UTC)),
)
keys = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)
    ),
    max_leaves=4,
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.sets(keys, max_size=4),
    ),
    max_leaves=12,
)
json_trees: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["$int", "$set", "$dict", "$time", "$bytes", "$duration", "$float", "$x", "a"]),
            inner,
            max_size=2,
        ),
    ),
    max_leaves=8,
)  # fmt: skip


class Response:
    """As that of `requests` looks from outside: what it holds cannot be written, what it says can."""

    __module__ = "requests.models"

    def __init__(self, content: str) -> None:
        self.status_code = 201
        self.headers = {"X-Kind": "b"}
        self.text = content
        self.raw = object()

    def json(self) -> object:
        return json.loads(self.text)


class OwnResponse(Response):
    pass


@pytest.mark.parametrize(
    ("response", "content"),
    [
        (Response('{"a": [1]}'), {"a": [1]}),
        (OwnResponse("[]"), []),
        (Response("<p>"), None),
        (Response("NaN"), math.nan),
    ],
)
def test_a_response_of_requests_is_its_status_headers_and_content(
    response: Response, content: object
):
    read = values.decode(values.encode(response))

    assert repr(read.pop("json")) == repr(content)
    assert read == {"status_code": 201, "headers": {"X-Kind": "b"}, "text": response.text}


@given(anything)
def test_a_value_comes_back_as_it_went(value: object):
    text = values.encode(value)

    assert values.decode(text) == value
    assert values.decode(text.decode()) == value
    assert values.encode(values.decode(text)) == text


@given(json_trees)
def test_a_tree_of_any_shape_is_read_or_refused_with_a_value_error(tree: object):
    try:
        read = values.from_tree(tree)
    except ValueError:
        return
    again = values.decode(values.encode(read))
    assert again == read or "nan" in repr(read)


@pytest.mark.parametrize(
    ("value", "back"),
    [
        ((1, (2,)), [1, [2]]),
        (frozenset({1}), {1}),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        (Point(1, [2]), {"x": 1, "y": [2]}),
        (Order(7), {"number": 7}),
        (Slotted(), {"shown": 1}),
        (Colour.RED, "red"),
        (AttrDict({"a": {"b": 1}}), {"a": {"b": 1}}),
        ({1: "a", "b": 2}, {1: "a", "b": 2}),
        ({"$int": "5"}, {"$int": "5"}),
        ({(1, Point(2, 3)): 4}, {(1, (2, 3)): 4}),
        (2**63, 2**63),
        (-(2**63), -(2**63)),
        (datetime(2026, 1, 2, 3), datetime(2026, 1, 2, 3, tzinfo=UTC)),  # noqa: DTZ001 - a time without a zone is the case
        (
            datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
            datetime(2026, 1, 2, 1, tzinfo=UTC),
        ),
        (timedelta.max, timedelta.max),
        (math.inf, math.inf),
    ],
)
def test_other_types_come_back_as_the_nearest_value(value: object, back: object):
    result = values.decode(values.encode(value))

    assert result == back
    assert type(result) is type(back)


def test_nan_comes_back_and_the_text_is_strict_json():
    text = values.encode([math.nan, -0.0])

    def refuse(_name: str) -> None:
        raise AssertionError(text)

    json.loads(text, parse_constant=refuse)
    number, zero = values.decode(text)
    assert math.isnan(number)
    assert math.copysign(1, zero) == -1


def test_equal_values_have_equal_bytes_whatever_their_order():
    one = {"b": {3, 1, 2}, "a": {2: "x", 1: "y"}}
    other = {"a": {1: "y", 2: "x"}, "b": {2, 3, 1}}

    assert values.encode(one) == values.encode(other)
    assert values.encode(one) == b'{"a":{"$dict":[[1,"y"],[2,"x"]]},"b":{"$set":[1,2,3]}}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, threading.Lock()]}, r"^value\['a'\]\[1\]: a lock cannot be a value\."),
        ({"a": Order(number=threading.Lock())}, r"^value\['a'\]\.number: a lock "),  # pyright: ignore[reportArgumentType] - a wrong one on purpose
        (date(2026, 1, 2), "a date cannot be a value; write it as a text"),
        (uuid.UUID(int=5), "a UUID cannot be a value; write it as a text"),
        (pathlib.PurePath("x"), "cannot be a value"),
        (Order, "a type Order cannot be a value"),
        (json, "a module cannot be a value"),
        (print, "a builtin_function_or_method print cannot be a value"),
        (ValueError("x"), "a ValueError cannot be a value"),
        (object(), "an object cannot be a value"),
        (3j, "a complex cannot be a value"),
        ({Slotted()}, r"^value\{…\}: a Slotted cannot be a key or a member of a set"),
        ({Slotted(): 1}, "a Slotted cannot be a key or a member of a set"),
        ((i for i in "ab"), "a generator <?.* cannot be a value"),
    ],
)
def test_what_cannot_be_a_value_is_refused_with_its_place(value: object, text: str):
    with pytest.raises(TypeError, match=text):
        values.encode(value)


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [[1] * values.MAX_NODES, nested(values.MAX_DEPTH)], ids=["large", "deep"]
)
def test_there_is_room_around_the_most_that_may_be_given(value: object):
    message = {"name": "x", "payload": {"completed": True, "value": value}}
    values.encode(value)

    text = values.encode(message, around=values.AROUND)

    assert values.decode(text, around=values.AROUND) == message
    for refuse in (lambda: values.encode(message), lambda: values.decode(text)):
        with pytest.raises(ValueError, match=r"containers|items"):
            refuse()


def test_a_hundred_containers_may_lie_within_each_other_and_no_more():
    assert values.decode(values.encode(nested(100))) == nested(100)
    with pytest.raises(ValueError, match="100 containers within each other"):
        values.encode(nested(101))
    with pytest.raises(ValueError, match="100 containers within each other"):
        values.from_tree(nested(101))


def test_a_text_nested_deeper_than_python_goes_is_a_value_error():
    with pytest.raises(ValueError, match="100 containers within each other"):
        values.decode("[" * 100_000 + "]" * 100_000)


@pytest.mark.slow
def test_an_event_is_as_deep_and_as_large_as_what_comes_from_outside():
    deep = {"data": {"body": {"json": nested(json_text.MAX_DEPTH)}}}
    large = {"data": [1] * (values.MAX_NODES + 1)}

    assert values.decode_answer(values.encode_event(deep)) == deep
    assert values.decode_answer(values.encode_event(large)) == large
    with pytest.raises(ValueError, match="containers"):
        values.encode(deep, around=values.AROUND)


def test_a_value_that_contains_itself_is_refused():
    cycle: list[object] = []
    cycle.append({"again": cycle})

    with pytest.raises(ValueError, match=r"^value\[0\]\['again'\]: the value contains itself"):
        values.encode(cycle)


def test_a_value_met_twice_is_written_twice():
    shared = {"a": 1}

    assert values.decode(values.encode([shared, shared])) == [shared, shared]


def test_a_value_that_grows_by_doubling_is_refused_in_time():
    value: object = "x"
    for _ in range(60):
        value = [value, value]

    with pytest.raises(ValueError, match="more than 1000000 items"):
        values.encode(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10**5000, "4000 digits"),
        ("\ud800", "half a character"),
        ({"\udc80": 1}, "half a character"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))), "outside the years of UTC"),
        ({10**5000: 1}, "4000 digits"),
    ],
    ids=["int", "text", "key", "time", "int key"],
)
def test_a_value_that_cannot_be_kept_is_a_value_error(value: object, text: str):
    with pytest.raises(ValueError, match=text):
        values.encode(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"$pickle": "x"}', r"value: '\$pickle' is not a known form"),
        ('[{"$int": "1", "$set": []}]', r"^value\[0\]: '\$int' is not a known form"),
        ('{"$int": "1", "a": 1}', "is not a known form"),
        ('{"$int": 1}', r"\$int: a text is wanted, not a int"),
        ('{"$int": "1_000"}', "is not a whole number"),
        ('{"$int": "٣"}', "is not a whole number"),
        ('{"$int": "-"}', "is not a whole number"),
        ('{"$int": "' + "9" * 5_000 + '"}', "4000 digits"),
        ('{"$float": "1.5"}', "one of nan, inf, -inf"),
        ('{"$bytes": "a"}', r"\$bytes: "),
        ('{"$bytes": "%%%%"}', r"\$bytes: "),
        ('{"$bytes": "ä"}', r"\$bytes: "),
        ('{"$set": {}}', "a list is wanted"),
        ('{"$set": [{}]}', "cannot be a key or a member of a set"),
        ('{"$set": [{"$dict": []}]}', "cannot be a key or a member of a set"),
        ('{"$dict": [[1]]}', "a list of pairs"),
        ('{"$dict": {"a": 1}}', "a list of pairs"),
        ('{"$dict": [[{"a": 1}, 1]]}', "cannot be a key"),
        ('{"$time": "2026-01-02T03:04:05"}', "with a zone"),
        ('{"$time": "0001-01-01T00:00:00+05:00"}', "with a zone"),
        ('{"$time": 5}', "a text is wanted"),
        ('{"$duration": 1.5}', "whole number of microseconds"),
        ('{"$duration": true}', "whole number of microseconds"),
        ('{"$duration": 1000000000000000000000000}', "too great"),
        ("NaN", "is not JSON"),
        ('"\\ud800"', "half a character"),
        ('{"\\ud800": 1}', "half a character"),
        ("{", "Expecting"),
        ("", "Expecting"),
        ("9" * 5_000, "4000 digits"),
    ],
)
def test_a_hostile_text_is_refused_with_a_clear_one(text: str, message: str):
    with pytest.raises(ValueError, match=message):
        values.decode(text)


def test_bytes_that_are_no_text_are_a_value_error():
    with pytest.raises(ValueError, match="not UTF-8: byte 0 is 0xff"):
        values.decode(b"\xff\xff\xff")


def test_what_is_not_json_is_not_a_tree():
    with pytest.raises(ValueError, match="a bytes is not JSON"):
        values.from_tree([b"x"])


def test_members_of_an_event_stay_in_their_order():
    event = {"b": {"$set": 1, "a": 2, "$b": 3}, "a": {"z": 1, "y": 2}}

    back = values.decode_answer(values.encode_event(event))

    assert json.dumps(back) == json.dumps(event)


@pytest.mark.parametrize("number", [10**4000 - 1, 1 - 10**4000])
def test_the_largest_number_of_a_text_is_a_value(number: int):
    assert values.decode(values.encode(json_text.read(str(number)))) == number
