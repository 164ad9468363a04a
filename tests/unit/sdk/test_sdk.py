"""The SDK outside a session."""

from __future__ import annotations

import copy
import pickle  # noqa: TID251 - what it makes of our classes is tested
from datetime import timedelta

import pytest

import hookline
from hookline import AttrDict, Event


def test_a_key_is_read_as_an_attribute():
    data = AttrDict({"a": {"b": [{"c": 1}]}, "items": 5, "none": None})

    assert data.a.b[0] == {"c": 1}
    assert type(data.a.b[0]) is dict
    assert type(data["a"]) is dict
    assert data.none is None
    assert callable(data.items)
    assert data["items"] == 5


def test_an_attribute_is_a_copy_and_cannot_be_set():
    data = AttrDict({"a": {}})

    data.a["x"] = 1

    assert data["a"] == {}
    with pytest.raises(NotImplementedError):
        data.b = 1


def test_a_missing_key_is_a_missing_attribute():
    data = AttrDict({"a": 1})

    assert getattr(data, "b", "default") == "default"
    assert not hasattr(data, "b")
    assert "a" in dir(data)


def test_copies_and_pickles_stay_attr_dicts():
    data = AttrDict({"a": {"b": 1}})

    for other in (copy.copy(data), copy.deepcopy(data), pickle.loads(pickle.dumps(data))):  # noqa: S301 - our own bytes
        assert type(other) is AttrDict
        assert other == data == {"a": {"b": 1}}


def test_an_event_needs_only_data():
    event = Event(data=AttrDict({"n": 1}))

    assert (event.data.n, event.event_id, event.event_type) == (1, None, None)


def test_marks_leave_the_function_as_it_is():
    def work() -> int:
        return 5

    assert hookline.activity(work) is work
    assert hookline.inhibit_activities(work) is work
    assert work() == 5


def test_sleep_takes_seconds_or_a_timedelta_and_nothing_negative():
    hookline.sleep(0)
    hookline.sleep(timedelta(0))
    with pytest.raises(ValueError, match="non-negative"):
        hookline.sleep(-1)


def test_a_webhook_url_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("orders__webhook_url", "http://x/webhooks/1")

    assert hookline.get_webhook_url("orders") == "http://x/webhooks/1"
    with pytest.raises(ValueError, match="'other'"):
        hookline.get_webhook_url("other")
