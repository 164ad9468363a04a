"""Headers in any spelling, and repeated values one by one, wherever an event comes from."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from hookline import AttrDict, host as sdk_host, next_event
from hookline.request_values import Headers, Values, read_request
from hookline.testing import webhook_event
from tests.fakes.recording_host import RecordingHost

HEADERS = {"X-GitHub-Event": "push", "X-Tag": ["a", "b"], "Cookie": ["x=1", "y=2"]}


@pytest.mark.parametrize(
    "name", ["X-GitHub-Event", "x-github-event", "X-Github-Event", "X-GITHUB-EVENT"]
)
def test_a_header_is_found_in_any_spelling(name: str) -> None:
    headers = webhook_event(headers=HEADERS).data.headers

    assert headers[name] == headers.get(name) == getattr(headers, name) == "push"
    assert name in headers
    assert headers.get_all(name) == ["push"]


@pytest.mark.parametrize("name", ["x-nothing", "", "x github event", 5, None, ("a",)])
def test_a_header_that_is_not_there_is_not_found(name: Any) -> None:
    headers = webhook_event(headers=HEADERS).data["headers"]

    with pytest.raises(KeyError) as caught:
        headers[name]
    assert caught.value.args == (name,)
    assert (headers.get(name), headers.get(name, 1), name in headers) == (None, 1, False)


def test_headers_are_gone_through_by_their_usual_names() -> None:
    headers = webhook_event(headers=HEADERS).data["headers"]

    assert list(headers) == ["Cookie", "X-Github-Event", "X-Tag"]
    assert dict(headers) == {"Cookie": "x=1; y=2", "X-Github-Event": "push", "X-Tag": "a, b"}
    assert json.loads(json.dumps(headers)) == dict(headers)
    assert headers.x_github_event == "push"
    assert not hasattr(headers, "x_nothing")


def test_headers_that_are_changed_keep_one_value_for_each_name() -> None:
    headers = webhook_event(headers=HEADERS).data["headers"]

    headers["x-TAG"] = "c"
    headers.update({"x-new": "1"})
    headers.setdefault("X-new", "2")
    taken = headers.pop("x-github-EVENT")
    del headers["COOKIE"]

    assert (headers, taken) == ({"X-Tag": "c", "X-New": "1"}, "push")
    assert headers.get_all("x-tag") == ["c"]
    assert headers.get_all("cookie") == []


def test_repeated_values_are_given_one_by_one() -> None:
    event = webhook_event(
        path="/x?k=1", query={"k": ["2", "3, 4"], "l": "5"}, form={"f": ["a", "b"], "g": "c, d"}, headers=HEADERS
    )  # fmt: skip
    data = event.data

    assert (data.url.query.k, data.url.query.get_all("k")) == ("1, 2, 3, 4", ["1", "2", "3, 4"])
    assert (data["body"]["form"]["f"], data.body.form.get_all("f")) == ("a, b", ["a", "b"])
    assert (data.body.form.get_all("g"), data.body.form.get_all("none")) == (["c, d"], [])
    assert data.headers.get_all("x-tag") == ["a", "b"]
    assert data.headers.get_all("COOKIE") == ["x=1", "y=2"]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: value.copy()])
@pytest.mark.parametrize("kind", [Values, Headers])
def test_a_copy_is_of_the_same_kind_and_has_the_same_values(copied: Any, kind: Any) -> None:
    value = kind({"Ab": "1, 2"}, {"Ab": ["1", "2"]})

    other = copied(value)

    assert type(other) is kind
    assert (other, other.get_all("Ab")) == ({"Ab": "1, 2"}, ["1", "2"])


def test_what_is_no_request_is_left_as_it_is() -> None:
    for data in ({"headers": {"a": "b"}}, {"headers": 1, "method": "", "raw_url": ""}, {}):
        assert type(read_request(dict(data)).get("headers")) is type(data.get("headers"))


def test_a_request_of_an_odd_shape_does_not_fail() -> None:
    odd: dict[str, Any] = {"method": 1, "raw_url": None, "headers": {"a": 1}}

    read_request({**odd, "url": [], "body": {"form": 1}, "repeated": 5})
    read_request({**odd, "url": {"query": {"k": 1}}, "repeated": {"query": {"k": 2}, "form": []}})

    file = {"bytes": {"$bytes": "eA=="}}
    read = read_request({**odd, "body": {"form": {"f": file}}, "repeated": {"form": {"f": [file]}}})
    assert read["body"]["form"]["f"] == {"bytes": b"x"}


def test_the_next_event_is_read_in_the_same_way() -> None:
    data = dict(webhook_event(headers=HEADERS).data)
    plain = json.loads(json.dumps(data, default=str))
    sdk_host.install(RecordingHost({"id": "evt_1", "type": "post", "data": plain}))
    try:
        event = next_event("sub_1", full=True)
    finally:
        sdk_host.uninstall()

    assert event is not None
    assert event.data.headers["x-github-event"] == "push"
    assert event.data.headers.get_all("X-Tag") == ["a", "b"]


def test_attributes_keep_the_kind_of_what_they_give() -> None:
    data = AttrDict({"headers": Headers({"A": "b"}), "plain": {"c": 1}})

    assert data.headers["a"] == "b"
    assert data.headers is not data["headers"]
    assert type(data.plain) is AttrDict


@pytest.mark.parametrize(
    "header", [("a b", "c"), ("a:", "c"), ("", "c"), ("a", "b\nc"), ("a", "b\x00")]
)
def test_no_event_is_made_up_of_a_header_that_could_not_be_sent(header: tuple[str, str]):
    with pytest.raises(ValueError, match="is not a valid header"):
        webhook_event(headers=dict([header]))
