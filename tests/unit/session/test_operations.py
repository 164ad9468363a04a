"""How operations are named and shown, and what was taken for nobody."""

from __future__ import annotations

import pytest

from hookline.errors import CallRefusedError
from hookline_runner.session.calling import Undelivered
from hookline_runner.session.operations import (
    ARGUMENTS_LIMIT_BYTES,
    decision_of,
    encode_arguments,
    shown_arguments,
    topics_of,
)


@pytest.mark.parametrize(
    ("operation", "arguments", "name"),
    [
        ("take_event", {"subscriptions": ["a"]}, "next_event"),
        ("take_signal", {"names": ["a"]}, "next_signal"),
        ("start_session", {}, "start"),
        ("subscribe", {}, "subscribe"),
        ("store", {"op": "check_and_set"}, "check_and_set_value"),
        ("store", {"op": "add"}, "add_values"),
        ("store", {"op": "of a later version"}, "store.of a later version"),
        ("of_a_later_version", {}, "of_a_later_version"),
    ],
)
def test_an_operation_is_named_as_its_author_called_it(
    operation: str, arguments: dict[str, object], name: str
):
    assert decision_of(operation, arguments).name == name


def test_arguments_that_say_nothing_are_not_shown():
    arguments: dict[str, object] = {"op": "set", "key": "k", "operands": [0], "ttl_s": None}

    assert shown_arguments("store", arguments) == {"key": "k", "operands": [0]}
    assert shown_arguments("subscribe", {"source": "a", "filter": ""}) == {"source": "a"}


def test_topics_are_in_the_order_asked_for():
    assert topics_of("take_event", {"subscriptions": ["b", "a"]}) == ("sub:b", "sub:a")
    assert topics_of("take_signal", {"names": ["n"]}) == ("sig:n",)
    assert topics_of("store", {"op": "get"}) == ()


def test_arguments_over_the_limit_are_refused_with_their_size():
    with pytest.raises(CallRefusedError, match="signal was given 8388") as refused:
        encode_arguments("signal", {"payload": "x" * ARGUMENTS_LIMIT_BYTES})

    assert refused.value.code == "call.too_large"


def test_what_was_put_back_comes_first_for_the_first_topic_that_has_some():
    kept = Undelivered()
    events = [{"subscription": name, "data": n} for n, name in enumerate("abba")]
    for event in events:
        kept.keep("take_event", event)
    kept.keep("take_event", None)  # the time was over

    order = [kept.take(("sub:b", "sub:a")) for _ in range(5)]

    assert order == [events[1], events[2], events[0], events[3], None]


def test_what_was_put_back_goes_with_its_subscription():
    kept = Undelivered()
    kept.keep("take_event", {"subscription": "a"})
    kept.keep("take_signal", {"name": "a"})

    kept.forget("sub:a")

    assert kept.take(("sub:a",)) is None
    assert kept.take(("sig:a",)) == {"name": "a"}
