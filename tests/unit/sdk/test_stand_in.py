"""What the SDK does where there is no service."""

from __future__ import annotations

import asyncio
import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from datetime import timedelta

import pytest

import hookline
from hookline import aio, host, store
from hookline.errors import CallRefusedError
from hookline.stand_in import MemoryStore, StandInHost


@pytest.fixture(autouse=True)
def fresh_host() -> Iterator[None]:
    host.uninstall()
    yield
    host.uninstall()


@pytest.mark.parametrize(
    "module", [one.name for one in pkgutil.iter_modules(hookline.__path__, "hookline.")]
)
def test_the_examples_of_the_sdk_run(module: str):
    failed, _ = doctest.testmod(importlib.import_module(module))

    assert failed == 0


def test_nothing_comes_and_nobody_waits():
    orders = hookline.subscribe("orders")

    assert orders != hookline.subscribe("orders")
    assert hookline.next_event(orders) is None
    assert hookline.next_event([orders], timeout=timedelta(days=3), full=True) is None
    assert hookline.next_signal("done") is None
    assert asyncio.run(aio.next_signal("done")) is None
    hookline.unsubscribe(orders)


def test_children_have_ids_and_signals_and_outcomes_are_remembered():
    child = hookline.start("f.py:g")
    hookline.signal(child, "go", {"n": 1})
    hookline.outcome((1, 2))
    hookline.http_outcome(204, event_id="evt_1")

    stand_in = host.current()
    assert isinstance(stand_in, StandInHost)
    assert list(stand_in.signals) == [(child, "go", {"n": 1})]
    assert list(stand_in.outcomes) == [
        (None, [1, 2]),
        ("evt_1", {"status_code": 204, "headers": {}, "more": False}),
    ]


def test_the_store_is_a_dictionary_in_which_nothing_is_the_same_as_no_key():
    store["b"] = {"n": (1,)}
    store["a"] = 5

    assert store["b"] == {"n": [1]}
    assert store["b"].n == [1]
    assert store["missing"] is None
    assert list(store) == hookline.list_values_keys() == ["a", "b"]
    assert len(store) == 2
    assert "a" in store
    assert "missing" not in store
    assert 5 not in store
    assert "" not in store
    assert store.get("missing", 7) == 7
    assert dict(store) == {"a": 5, "b": {"n": [1]}}
    store["a"] = None
    assert "a" not in store
    del store["missing"]


def test_the_store_pops_and_sets_defaults_as_a_dictionary_does():
    assert store.setdefault("a", 1) == 1
    assert store.setdefault("a", 2) == 1
    assert store.setdefault("b") is None
    assert store.pop("a") == 1
    assert store.pop("a", 3) == 3
    with pytest.raises(KeyError, match="a"):
        store.pop("a")
    store.update({"x": 1, "y": 2})
    store.clear()
    assert dict(store) == {}
    assert repr(store) == "hookline.store"


def test_what_is_read_is_not_what_was_written():
    value = {"n": [1]}
    store["a"] = value

    value["n"].append(2)
    store["a"]["n"].append(3)

    assert store["a"] == {"n": [1]}


def test_operations_are_held_to_their_rules():
    store["a"] = "text"

    with pytest.raises(CallRefusedError, match="not a number") as no_number:
        hookline.add_values("a", 1)
    with pytest.raises(CallRefusedError, match="takes 1 operand") as no_operation:
        hookline.mutate_value("a", "set")
    assert [one.value.code for one in (no_number, no_operation)] == [
        "store.not_a_number",
        "store.operation_invalid",
    ]
    assert hookline.mutate_value("a", "get") == "text"
    assert hookline.mutate_value("a", "check_and_set", "new", "text") is True
    assert hookline.mutate_value("a", "del") is None


def test_a_value_is_gone_when_its_time_is_over():
    now = 0.0
    memory = MemoryStore(lambda: now)
    memory.use({"op": "set", "key": "a", "operands": [1], "ttl_s": 10.0})
    memory.use({"op": "set", "key": "b", "operands": [2], "ttl_s": None})

    now = 9.9
    before = memory.as_dict()
    now = 10.0

    assert before == {"a": 1, "b": 2}
    assert memory.use({"op": "list", "key": "", "operands": []}) == ["b"]
    assert memory.use({"op": "add", "key": "a", "operands": [5]}) == 5


def test_values_are_published_until_they_are_not():
    stand_in = StandInHost()
    host.install(stand_in)

    hookline.publish_value("a")
    hookline.publish_value("b")
    hookline.unpublish_value("a")

    assert stand_in.store.published == {"b"}


def test_a_fresh_stand_in_follows_an_uninstall():
    store["a"] = 1
    host.uninstall()

    assert "a" not in store


def test_the_public_url_is_known_in_a_session_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("store_public_url", raising=False)
    with pytest.raises(ValueError, match="in a session only"):
        hookline.get_store_public_url()
    monkeypatch.setenv("store_public_url", "http://x/store/prj_1")

    assert hookline.get_store_public_url() == "http://x/store/prj_1"


def test_a_stand_in_sleeps_in_both_ways():
    hookline.sleep(0)
    asyncio.run(aio.sleep(timedelta(microseconds=1)))
