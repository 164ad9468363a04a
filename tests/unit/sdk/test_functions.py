"""What user code calls: checked before the host is asked, asked in the form of the protocol, answered in that of the reference."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

import hookline
from hookline import AttrDict, Event, Signal, aio, host
from hookline.arguments import entry_point_of
from hookline_triggers.calls import parse_call
from hookline_triggers.errors import CallInvalidError
from tests.fakes.recording_host import RecordingHost

EVENT = {"subscription": "sub_1", "id": "evt_1", "type": "post", "data": {"a": {"b": 1}}}


@pytest.fixture(autouse=True)
def no_host_is_left_behind() -> Iterator[None]:
    yield
    host.uninstall()


def asked(*answers: object) -> RecordingHost:
    recording = RecordingHost(*answers)
    host.install(recording)
    return recording


def test_a_subscription_names_its_source_and_filter():
    recording = asked("sub_1")

    assert hookline.subscribe("orders", "data.n > 1") == "sub_1"
    assert recording.asked == [("call", "subscribe", {"source": "orders", "filter": "data.n > 1"})]


def test_no_filter_and_no_project_may_be_said_as_none():
    recording = asked("sub_1", "ses_1")

    hookline.subscribe("orders", None)
    hookline.start("main.py:f", project=None)

    assert recording.asked[0] == ("call", "subscribe", {"source": "orders", "filter": ""})
    assert recording.asked[1][2]["project"] == ""


def test_the_next_event_is_its_data_or_in_full():
    asked(EVENT, EVENT, None)

    data = hookline.next_event("sub_1")
    full = hookline.next_event(["sub_1"], full=True)

    assert data == {"a": {"b": 1}}
    assert data is not None
    assert data.a.b == 1
    assert full == Event(data=AttrDict({"a": {"b": 1}}), event_id="evt_1", event_type="post")
    assert hookline.next_event("sub_1", timeout=1, full=True) is None


@pytest.mark.parametrize(
    ("timeout", "timeout_s"),
    [
        (None, None),
        ("", None),
        (0, None),
        (0.0, None),
        (timedelta(0), None),
        (False, None),
        (5, 5.0),
        (0.001, 0.001),
        (timedelta(minutes=1), 60.0),
        (-1, 0.0),
        (timedelta(seconds=-1), 0.0),
        (math.inf, None),
        (1e300, None),
        (10**400, None),
        (-(10**400), 0.0),
        (timedelta.max, None),
    ],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("function", [hookline.next_event, hookline.next_signal])
def test_a_time_out_is_seconds_or_a_timedelta_and_a_falsy_one_has_no_end(
    function: Callable[..., object], timeout: object, timeout_s: float | None
):
    recording = asked()

    assert function("x", timeout=timeout) is None
    assert recording.asked[0][3] == timeout_s


@pytest.mark.parametrize("timeout", ["5", [5], object(), True, 5j])
@pytest.mark.parametrize("function", [hookline.next_event, hookline.next_signal])
def test_a_time_out_of_another_type_is_refused(function: Callable[..., object], timeout: object):
    recording = asked()

    with pytest.raises(TypeError, match=r"timeout must be seconds \(int or float\) or a timedelta"):
        function("x", timeout=timeout)
    assert recording.asked == []


@pytest.mark.parametrize("function", [hookline.next_event, hookline.next_signal])
def test_an_empty_list_is_answered_at_once(function: Callable[..., object]):
    recording = asked()

    assert function([]) is None
    assert function((), timeout=5) is None
    assert recording.asked == []


def test_a_signal_has_name_and_payload():
    recording = asked({"name": "done", "payload": {"value": [1, {"a": 2}]}}, None)

    taken = hookline.next_signal(["done", "failed"], timeout=3)

    assert taken == Signal("done", {"value": [1, {"a": 2}]})
    assert taken is not None
    assert taken.payload.value == [1, {"a": 2}]
    assert recording.asked == [("wait", "take_signal", {"names": ["done", "failed"]}, 3.0)]
    assert hookline.next_signal("done") is None


def test_a_child_is_started_with_what_json_makes_of_its_data():
    recording = asked("ses_2")

    data: dict[Any, Any] = {"n": (1, 2), 3: None}
    child = hookline.start("flows/batch.py count", data, {"who": "Ada", "n": 5}, "other")

    assert child == "ses_2"
    assert recording.asked[0][2] == {
        "entry_point": "flows/batch.py:count",
        "data": {"n": [1, 2], "3": None},
        "memo": {"who": "Ada", "n": "5"},
        "project": "other",
    }


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("f.py:g", {"a": object()}), "^start: invalid data: Object of type object is not JSON"),
        (("f.py:g", {"a": {1, 2}}), "^start: invalid data: "),
        (("f.py:g", {"a": b"x"}), "^start: invalid data: "),
        (("f.py:g", {"a": math.nan}), "^start: invalid data: "),
        (("f.py:g", [1]), "^start: invalid data: a dict is wanted, not list"),
        (("f.py:g", "text"), "^start: invalid data: a dict is wanted, not str"),
        (("f.py:g", {"a": "\ud800"}), "^start: invalid data: .*half a character"),
        (("f.py:g", None, {"a": object()}), "^start: invalid memo: "),
        (("f.py:g", None, ["a"]), "^start: invalid memo: a dict is wanted"),
        (("f.py:g", None, {"a": "x" * 70_000}), "^start: invalid memo: it has 70009 bytes"),
        (("",), "loc must not be empty"),
        (("f.py",), "names no function"),
        (("f.py:",), "names no function"),
        (("f.py:1a",), "names no function"),
        (("f.py:class",), "names no function"),
        (("f.txt:g",), "names no file"),
        (("../f.py:g",), "names no file"),
        (("/f.py:g",), "names no file"),
        (("a//f.py:g",), "names no file"),
        ((".py:g",), "names no file"),
        (("a/.py:g",), "names no file"),
        (("a\\f.py:g",), "names no file"),
    ],
)
def test_a_child_that_cannot_be_is_refused_before_the_host_is_asked(
    arguments: tuple[Any, ...], text: str
):
    recording = asked()

    with pytest.raises(ValueError, match=text):
        hookline.start(*arguments)
    assert recording.asked == []


def test_data_that_contains_itself_or_goes_too_deep_is_refused():
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"a": deep}

    for data in (cycle, deep):
        with pytest.raises(ValueError, match=r"^start: invalid data: "):
            hookline.start("f.py:g", data)


@pytest.mark.parametrize(
    "text",
    [
        "f.py:g", "f.py g", " a/b.py : g ", "a.py:3.4,g", "./f.py:g", "f.py:g h", "f.py:gé", "f", ":g", "f.py:g:h",
        "a/./f.py:g", "a/../f.py:g", "f.py\t:g", "a b.py:g", ".py:g", "f.py:None", "a:b/f.py g", "f.py:3.4,", "  ",
    ],
)  # fmt: skip
def test_an_entry_point_is_read_as_the_manifest_reads_it(text: str):
    try:
        there = str(parse_call(text))
    except CallInvalidError:
        there = "refused"
    try:
        here = entry_point_of(text, "loc")
    except ValueError:
        here = "refused"

    assert here == there


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: hookline.subscribe(""), "subscribe: source must not be empty"),
        (lambda: hookline.unsubscribe(""), "must not be empty"),
        (lambda: hookline.next_event(""), "must not be empty"),
        (lambda: hookline.next_event(["a", ""]), "must not be empty"),
        (lambda: hookline.next_signal(""), "must not be empty"),
        (lambda: hookline.signal("", "a"), "session_id must not be empty"),
        (lambda: hookline.signal("ses_1", ""), "name must not be empty"),
        (lambda: hookline.signal("ses_1", "x" * 1001), "1000 characters, not 1001"),
        (lambda: hookline.subscribe("a\udc80"), "half a character"),
        (lambda: hookline.subscribe("a", "\udc80"), "half a character"),
        (lambda: hookline.signal("ses_1", "a", "\udc80"), "^signal: payload: .*half"),
        (lambda: hookline.get_value(""), "key must not be empty"),
        (lambda: hookline.set_value("a", 1, ttl=0), "ttl must be more than 0"),
        (lambda: hookline.set_value("a", 1, ttl=timedelta(-1)), "ttl must be more than 0"),
        (lambda: hookline.mutate_value("a", "drop"), "op must be one of add, check_and_set"),
        (lambda: hookline.outcome(1, event_id=""), "event_id must not be empty"),
        (lambda: hookline.sleep(-1), "non-negative"),
        (lambda: hookline.sleep(math.nan), "nan"),
    ],
)
def test_what_is_wrong_in_value_is_a_value_error(call: Callable[[], object], text: str):
    recording = asked()

    with pytest.raises(ValueError, match=text):
        call()
    assert recording.asked == []


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: hookline.subscribe(5), "subscribe: source must be a str, not int"),  # pyright: ignore[reportArgumentType] - wrong on purpose, here and below
        (lambda: hookline.subscribe("a", 5), "filter must be a str, not int"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.next_event(None), "must be a str or a list of them, not NoneType"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.next_event([None]), "must be a str, not NoneType"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.next_signal({"a": 1}), "must be a str or a list of them, not dict"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.signal("ses_1", "a", object()), "signal: payload: an object"),
        (lambda: hookline.start(print), "loc must be a str"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.start("f.py:g", project=5), "project must be a str"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.get_value(5), "key must be a str, not int"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.set_value("a", [object()]), r"^set_value: value\[0\]: an object"),
        (lambda: hookline.set_value("a", object()), "^set_value: value: an object"),
        (lambda: hookline.check_and_set_value("a", 1, [object()]), r"^check_and_set_value: new\[0\]: an object"),
        (lambda: hookline.set_value("a", 1, ttl="5"), "ttl must be seconds"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.add_values("a", "1"), "n must be an int or float, not str"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.add_values("a", True), "not bool"),
        (lambda: hookline.check_and_set_value("a", print, 1), "^check_and_set_value: expected: "),
        (lambda: hookline.outcome(object()), "^outcome: value: an object"),
        (lambda: hookline.signal("s", "n", {"a": object()}), r"^signal: payload\['a'\]: an object"),
        (lambda: hookline.http_outcome("200"), "status_code must be an int, not str"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.http_outcome(headers={"A": None}), "headers must be texts, and 'A' is a NoneType"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.http_outcome(headers={7: "x"}), "headers must be texts, and a name is an int"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.http_outcome(headers="A: b"), "headers must be a dict or a list of pairs, not a str"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.get_webhook_url(7), "get_webhook_url: trigger_name must be a str"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.register_no_activity(len), "register_no_activity takes a list of functions and classes"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.register_no_activity([{}]), "register_no_activity takes a list of functions and classes"),
        (lambda: hookline.activity(retry_on=None), "retry_on takes subclasses of Exception, not None"),  # pyright: ignore[reportArgumentType]
        (lambda: hookline.sleep("1"), "must be seconds"),  # pyright: ignore[reportArgumentType]
    ],
)  # fmt: skip
def test_what_is_wrong_in_type_is_a_type_error(call: Callable[[], object], text: str):
    recording = asked()

    with pytest.raises(TypeError, match=text):
        call()
    assert recording.asked == []


STORE_CALLS: list[tuple[Callable[[], object], tuple[Any, ...]]] = [
        (lambda: hookline.get_value("k"), ("get", "k", [], None)),
        (lambda: hookline.set_value("k", 5), ("set", "k", [5], None)),
        (lambda: hookline.set_value("k", None), ("set", "k", [None], None)),
        (lambda: hookline.set_value("k", 5, ttl=timedelta(hours=1)), ("set", "k", [5], 3600.0)),
        (lambda: hookline.add_values("k", 2.5), ("add", "k", [2.5], None)),
        (lambda: hookline.check_and_set_value("k", "old", "new"), ("check_and_set", "k", ["new", "old"], None)),
        (lambda: hookline.del_value("k"), ("del", "k", [], None)),
        (hookline.list_values_keys, ("list", "", [], None)),
        (lambda: hookline.mutate_value("k", "check_and_set", "new", "old"), ("check_and_set", "k", ["new", "old"], None)),
        (lambda: hookline.publish_value("k"), ("publish", "k", [], None)),
        (lambda: hookline.unpublish_value("k"), ("unpublish", "k", [], None)),
]  # fmt: skip


@pytest.mark.parametrize(("call", "arguments"), STORE_CALLS)
def test_the_store_is_asked_in_the_form_of_the_protocol(
    call: Callable[[], object], arguments: tuple[Any, ...]
):
    recording = asked()

    call()

    op, key, operands, ttl_s = arguments
    wanted = {"op": op, "key": key, "operands": operands, "ttl_s": ttl_s}
    assert recording.asked == [("call", "store", wanted)]


def answer_of(recording: RecordingHost) -> dict[str, Any]:
    way, operation, arguments = recording.asked[0]
    assert (way, operation) == ("call", "outcome")
    return arguments


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({}, {"status_code": 200}),
        ({"status_code": 0}, {"status_code": 0}),
        ({"status_code": HTTPStatus.CREATED}, {"status_code": 201}),
        ({"body": "hi"}, {"body": "hi"}),
        ({"body": ""}, {"body": ""}),
        ({"body": b"hi"}, {"body": b"hi"}),
        ({"body": {1: (2,)}}, {"body": {"1": [2]}}),
        ({"json": {"a": [1]}}, {"json": {"a": [1]}}),
        ({"json": 0}, {"json": 0}),
        ({"json": {"at": datetime(2026, 1, 1, tzinfo=UTC)}}, {"json": {"at": "2026-01-01T00:00:00+00:00"}}),
        ({"json": [{2, 1}, b"hi", timedelta(seconds=1.5)]}, {"json": [[1, 2], "aGk=", 1.5]}),
        ({"json": Event(AttrDict({"a": {3}}))}, {"json": {"data": {"a": [3]}, "event_id": None, "event_type": None}}),
        ({"body": {"pairs": frozenset({(1, 2)})}}, {"body": {"pairs": [[1, 2]]}}),
        ({"json": math.nan}, {"json": None}),
        ({"json": {"a": [math.inf, -math.inf, 1.5]}}, {"json": {"a": [None, None, 1.5]}}),
        ({"body": {"a": math.nan}}, {"body": {"a": None}}),
        ({"json": Event(AttrDict({"a": math.nan}))}, {"json": {"data": {"a": None}, "event_id": None, "event_type": None}}),
        ({"headers": {"X-Tab": "a\tb"}}, {"headers": {"X-Tab": "a\tb"}}),
        ({"headers": {"X-Count": 5}}, {"headers": {"X-Count": "5"}}),
        ({"more": True, "body": "part"}, {"more": True, "body": "part"}),
    ],
)  # fmt: skip
def test_an_http_answer_has_status_headers_more_and_one_body(
    given: dict[str, Any], answer: dict[str, Any]
):
    recording = asked()

    hookline.http_outcome(**given)

    usual: dict[str, Any] = {"status_code": 200, "headers": {}, "more": False}
    wanted = usual | answer
    assert answer_of(recording) == {"value": wanted, "event": None}


def test_an_http_answer_takes_its_arguments_by_position_too():
    recording = asked()

    hookline.http_outcome(404, "<p>gone</p>", None, {"A": "b"}, True, "evt_9")

    value = {"status_code": 404, "body": "<p>gone</p>", "headers": {"A": "b"}, "more": True}
    assert answer_of(recording) == {"value": value, "event": "evt_9"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Set-Cookie": ["a=1", "b=2"], "X": 7},
        {"Set-Cookie": ("a=1", "b=2"), "X": "7"},
        [("Set-Cookie", "a=1"), ("X", "7"), ("Set-Cookie", "b=2")],
        iter([["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X", "7"]]),
    ],
)
def test_a_header_may_have_several_values(headers: Any):
    recording = asked()

    hookline.http_outcome(headers=headers)

    assert answer_of(recording)["value"]["headers"] == {"Set-Cookie": ["a=1", "b=2"], "X": "7"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"body": "a", "json": 1}, "body or json, not both"),
        ({"status_code": 99}, "from 200 to 599, not 99"),
        ({"status_code": 1000}, "from 200 to 599"),
        ({"json": object()}, "invalid json: "),
        ({"json": {(1, 2): 3}}, "invalid json: "),
        ({"json": {"call": print}}, "invalid json: "),
        ({"body": object()}, "invalid body: "),
        ({"headers": {"A": "b\r\nC: d"}}, "is not a valid header"),
        ({"headers": {"": "b"}}, "is not a valid header"),
        ({"headers": {"a b": "c"}}, "no spaces"),
        ({"headers": {"a:": "c"}}, "no spaces"),
        ({"headers": {"Ä": "c"}}, "no spaces"),
        ({"headers": {"A\n": "c"}}, "no spaces"),
        ({"headers": {"A": "b\x00"}}, "no other control character"),
        ({"headers": {"A": "b\x1b"}}, "no other control character"),
    ],
)
def test_an_answer_that_cannot_be_sent_is_refused(given: dict[str, Any], text: str):
    asked()

    with pytest.raises(ValueError, match=text):
        hookline.http_outcome(**given)


def test_every_function_has_a_coroutine_twin_with_the_same_parameters():
    plain = {
        name
        for name in hookline.__all__
        if inspect.isfunction(getattr(hookline, name))
        and name not in {"activity", "inhibit_activities", "register_no_activity", "get_webhook_url", "get_store_public_url"}
    }  # fmt: skip

    assert set(aio.__all__) == plain
    for name in plain:
        one, other = getattr(hookline, name), getattr(aio, name)
        assert inspect.iscoroutinefunction(other)
        assert inspect.signature(one) == inspect.signature(other)


def test_a_waiting_function_knows_its_twin():
    waiting = [name for name in aio.__all__ if hasattr(getattr(hookline, name), "__hookline_aio__")]

    assert sorted(waiting) == ["next_event", "next_signal", "sleep"]
    for name in waiting:
        assert getattr(hookline, name).__hookline_aio__ is getattr(aio, name)


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "add_values": ("k", 1),
    "check_and_set_value": ("k", 1, 2),
    "http_outcome": (201, "x"),
    "list_values_keys": (),
    "mutate_value": ("k", "add", 1),
    "next_event": ("sub_1",),
    "set_value": ("k", 1),
    "signal": ("ses_1", "n", 1),
    "sleep": (5,),
    "start": ("f.py:g",),
}


@pytest.mark.parametrize("name", aio.__all__)
def test_a_coroutine_twin_asks_for_the_same(name: str):
    arguments = ARGUMENTS.get(name, ("k",))
    recording = asked()
    getattr(hookline, name)(*arguments)
    getattr(hookline, name)(*arguments)
    plain = [(str(way).removesuffix("_async"), *facts) for way, *facts in recording.asked]

    async def twice() -> None:
        await getattr(aio, name)(*arguments)
        await getattr(aio, name)(*arguments)

    recording = asked()
    asyncio.run(twice())
    twin = [(str(way).removesuffix("_async"), *facts) for way, *facts in recording.asked]

    assert twin == plain
    assert len(twin) == 2


def test_the_coroutine_twins_wait_beside_other_tasks_and_read_alike():
    recording = asked(EVENT, {"name": "n", "payload": 5}, None)

    async def handler() -> object:
        event = await aio.next_event("sub_1", full=True)
        taken = await aio.next_signal("n", timeout=2)
        nothing = await aio.next_event([], full=False)
        await aio.sleep(timedelta(seconds=3))
        return event, taken, nothing

    assert asyncio.run(handler()) == (
        Event(AttrDict({"a": {"b": 1}}), "evt_1", "post"),
        Signal("n", 5),
        None,
    )
    assert recording.asked == [
        ("wait_async", "take_event", {"subscriptions": ["sub_1"]}, None),
        ("wait_async", "take_signal", {"names": ["n"]}, 2.0),
        ("sleep_async", 3.0),
    ]
