"""A project whose sessions wait, talk and answer, its clients, and what must be true of it after a storm of kills."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx2

from tests.acceptance.conftest import RunningService
from tests.acceptance.harness import all_of, wait_until_nothing_runs
from tests.builders.chance import a_chance

ORDERS_PER_S = 2
QUOTES_PER_S = 4
NEWS_EVERY_S = 0.1
PARTS = 2
REPLIES = 3
NEWS = 4
PATIENCE_S = 120
NAP_S = 0.4
MANIFEST = """\
project:
  name: calls
  vars:
    - name: WORLD
      value: {world}
  triggers:
    - name: orders
      type: webhook
      dedupe: header:X-Delivery
      call: main.py:order
    - name: replies
      type: webhook
      dedupe: header:X-Delivery
    - name: news
      type: webhook
      dedupe: header:X-Delivery
    - name: quotes
      type: webhook
      is_sync: true
      call: main.py:quote
"""
_MAIN = """\
import json
import os
import time
import urllib.request

from hookline import (
    activity,
    add_values,
    check_and_set_value,
    get_value,
    http_outcome,
    next_event,
    next_signal,
    signal,
    start,
    subscribe,
    unsubscribe,
)


@activity
def tell(what, key):
    with urllib.request.urlopen(f"{os.environ['WORLD']}/{what}?key={key}", timeout=30) as answer:
        return json.load(answer)


def order(event, session_id):
    key, number = event.data.body.json["key"], event.data.body.json["number"]
    news = subscribe("news")
    replies = subscribe("replies", f"data.body.json.key == '{key}'")
    add_values("begun", 1)
    tell("ready", key)
    children = []
    for part in range(2):
        data = {"key": key, "part": part, "number": number, "parent": session_id}
        children.append(start("main.py:part", data, memo={"key": key, "part": str(part)}))
    for child in children:
        signal(child, "go", {"times": number})
    parts = [next_signal(["nothing", "part"]).payload["part"] for _ in children]
    ended = [next_signal(child).payload for child in children]
    more = next_signal(["part", *children], timeout=0.05)
    print(f"parts of {key}")
    heard = [next_event(replies, timeout=PATIENCE_S).body.json["part"] for _ in range(3)]
    time.sleep(NAP_S)
    again = next_event(replies, timeout=0.05)
    seen = [next_event(news).body.json["number"] for _ in range(4)]
    unsubscribe(news)
    enlist(key)
    add_values("sum", number)
    return {
        "parts": sorted(parts),
        "ended": ended,
        "more": more,
        "heard": heard,
        "again": again,
        "seen": seen,
    }


def enlist(key):
    while True:
        names = get_value("names")
        if check_and_set_value("names", names, [*(names or []), key]):
            return


def part(event):
    data = event.data
    add_values("parts", 1)
    times = next_signal("go").payload["times"]
    twice = next_signal("go", timeout=0.05)
    signal(data.parent, "part", {"part": data.part})
    if data.part == 1 and data.number % 5 == 0:
        raise LookupError(f"{data.key} has no part 1")
    return [data.key, data.part, times * 10 + data.part, twice]


def quote(event):
    key = event.data.body.json["key"]
    number = add_values("quotes", 1)
    http_outcome(201, json={"key": key, "number": number})
    return [key, number]


def values(event):
    kept = {name: get_value(name) for name in ("begun", "parts", "sum", "quotes")}
    names = get_value("names")
    return {**kept, "names": len(names), "distinct names": len(set(names))}
"""
MAIN = _MAIN.replace("PATIENCE_S", str(PATIENCE_S)).replace("NAP_S", str(NAP_S))


@dataclass
class Caller:
    """A client that sends webhooks until they are accepted, and now and then one that was accepted again."""

    chance: Random
    is_over: threading.Event
    refused: Counter[str] = field(default_factory=Counter)
    _accepted: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def deliver(self, url: str, delivery: str, body: dict[str, Any]) -> str:
        """Send until it is accepted, or all is over; the event's id."""
        with httpx2.Client(trust_env=False, timeout=10) as client:
            while not (event := self._send(client, url, delivery, body)):
                if self.is_over.wait(0.02):
                    return ""
            if self._accepted and self.chance.random() < 0.2:
                self._send(client, *self.chance.choice(self._accepted))
            self._accepted.append((url, delivery, body))
        return event

    def ask(self, url: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Send once; the JSON of a 2xx answer, else None."""
        try:
            with httpx2.Client(trust_env=False, timeout=60) as client:
                answer = client.post(url, json=body)
        except httpx2.TransportError as exc:
            self.refused[type(exc).__name__] += 1
            return None
        if answer.status_code != 201:
            self.refused[str(answer.status_code)] += 1
            return None
        return answer.json()

    def _send(self, client: httpx2.Client, url: str, delivery: str, body: dict[str, Any]) -> str:
        try:
            answer = client.post(url, json=body, headers={"X-Delivery": delivery})
        except httpx2.TransportError as exc:
            self.refused[type(exc).__name__] += 1
            return ""
        if answer.status_code != 202:
            self.refused[str(answer.status_code)] += 1
            return ""
        return answer.headers["hookline-event-id"]


class Clients:
    """Everybody who calls the service during a storm, each on a thread of its own."""

    def __init__(
        self, urls: dict[str, str], ready: set[str], chance: Random, *, for_s: float
    ) -> None:
        self._for_s = for_s
        self._is_over = threading.Event()
        self.callers = {
            name: Caller(a_chance(chance.getrandbits(32)), self._is_over) for name in urls
        }
        self.orders: dict[str, int] = {}
        self.answers: list[tuple[str, dict[str, Any] | None]] = []
        self.news = 0
        self._urls = urls
        self._chance = chance
        self._ready = ready  # keys of the orders that have subscribed
        self._replied: set[str] = set()
        self._calls = [threading.Thread(target=each) for each in (self._order, self._quote)]
        self._talks = [threading.Thread(target=each) for each in (self._reply, self._report)]

    def start(self) -> None:
        for each in (*self._calls, *self._talks):
            each.start()

    def is_calling(self) -> bool:
        return any(each.is_alive() for each in self._calls)

    def finish(self) -> None:
        self._is_over.set()
        for each in (*self._calls, *self._talks):
            each.join()

    def refused(self) -> Counter[str]:
        return sum((each.refused for each in self.callers.values()), Counter[str]())

    def _order(self) -> None:
        ends = time.monotonic() + self._for_s
        for number in itertools.takewhile(lambda _: time.monotonic() < ends, itertools.count()):
            key = f"key-{number}"
            body = {"key": key, "number": number}
            if not self.callers["orders"].deliver(self._urls["orders"], key, body):
                return
            self.orders[key] = number
            time.sleep(self._chance.uniform(0, 2 / ORDERS_PER_S))  # noqa: TID251 - spread over time

    def _quote(self) -> None:
        ends = time.monotonic() + self._for_s
        for number in itertools.takewhile(lambda _: time.monotonic() < ends, itertools.count()):
            key = f"quote-{number}"
            answer = self.callers["quotes"].ask(self._urls["quotes"], {"key": key})
            self.answers.append((key, answer))
            time.sleep(1 / QUOTES_PER_S)  # noqa: TID251 - spread over time

    def _reply(self) -> None:
        while not self._is_over.wait(0.01):
            for key in sorted(self._ready.copy() - self._replied):
                self._replied.add(key)
                for part in range(REPLIES):
                    body = {"key": key, "part": part}
                    caller = self.callers["replies"]
                    caller.deliver(self._urls["replies"], f"{key}-{part}", body)

    def _report(self) -> None:
        while not self._is_over.wait(NEWS_EVERY_S):
            body = {"number": self.news}
            self.callers["news"].deliver(self._urls["news"], f"news-{self.news}", body)
            self.news += 1


@dataclass
class Aftermath:
    """What a storm left behind: sessions by function, the keys of their events, the project's store."""

    orders: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    quotes: list[dict[str, Any]]
    keys: dict[str, str]
    values: dict[str, Any]


def is_at_rest(service: RunningService, orders: int) -> bool:
    """Whether each order has its session, and all sessions have ended."""
    sessions = all_of(service, "/sessions", "before")
    states = Counter(each["state"] for each in sessions)
    return len(sessions) >= orders and not states.keys() & {"created", "running", "waiting"}


def read_aftermath(service: RunningService) -> Aftermath:
    """What the service tells afterwards."""
    sessions = all_of(service, "/sessions", "before")
    by_function = {
        name: [each for each in sessions if each["entry_point"] == f"main.py:{name}"]
        for name in ("order", "part", "quote")
    }
    keys: dict[str, str] = {}
    for session in [*by_function["order"], *by_function["quote"]]:
        event = service.api("GET", f"/events/{session['event']}").json()
        keys[session["id"]] = event["data"]["body"]["json"]["key"]
    reader = service.cli("run", "calls", "main.py:values", "--durable", json=True)["id"]
    return Aftermath(
        orders=by_function["order"],
        parts=by_function["part"],
        quotes=by_function["quote"],
        keys=keys,
        values=service.wait_session(reader)["result"],
    )


def summary_of(clients: Clients, left: Aftermath) -> str:
    """The figures of a storm."""
    sessions = [*left.orders, *left.parts, *left.quotes]
    answered = sum(answer is not None for _key, answer in clients.answers)
    return (
        f"orders {len(left.orders)}, parts {len(left.parts)}, quotes {len(left.quotes)} "
        f"({answered} of {len(clients.answers)} answered), news {clients.news}; "
        f"attempts {sum(each['attempt'] for each in sessions)}; refused {dict(clients.refused())}"
    )


def check_aftermath(clients: Clients, left: Aftermath, home: Path) -> None:
    """Each call was applied once, and nothing of the stopped service is left but a whole database."""
    _check_orders(clients, left)
    _check_parts(clients, left)
    _check_quotes(clients, left)
    _check_store(clients, left)
    wait_until_nothing_runs(home)
    _check_database(home / "hookline.db")


def _check_orders(clients: Clients, left: Aftermath) -> None:
    """Each order ran once and got each event, signal and end of a child once, in order."""
    assert Counter(left.keys[each["id"]] for each in left.orders) == Counter(list(clients.orders))
    for session in left.orders:
        key = left.keys[session["id"]]
        number = clients.orders[key]
        result = session["result"]

        assert session["state"] == "completed", session
        first = result["seen"][0]
        assert result == {
            "parts": list(range(PARTS)),
            "ended": [_end_of(key, number, part) for part in range(PARTS)],
            "more": None,
            "heard": list(range(REPLIES)),
            "again": None,
            "seen": list(range(first, first + NEWS)),
        }


def _fails(number: int, part: int) -> bool:
    return part == 1 and number % 5 == 0


def _end_of(key: str, number: int, part: int) -> dict[str, Any]:
    if _fails(number, part):
        return {"completed": False}
    return {"completed": True, "value": [key, part, number * 10 + part, None]}


def _check_parts(clients: Clients, left: Aftermath) -> None:
    """Each child was started once, and ended as it should."""
    completed = [tuple(each["result"][:2]) for each in left.parts if each["state"] == "completed"]
    failed = [each["error"]["message"] for each in left.parts if each["state"] == "error"]
    all_parts = [
        (key, number, part) for key, number in clients.orders.items() for part in range(PARTS)
    ]

    assert len(left.parts) == len(all_parts)
    assert Counter(completed) == Counter(
        (key, part) for key, n, part in all_parts if not _fails(n, part)
    )
    assert Counter(failed) == Counter(
        f"{key} has no part 1" for key, n, part in all_parts if _fails(n, part)
    )


def _check_quotes(clients: Clients, left: Aftermath) -> None:
    """Each quote counted once, and who got an answer got the one of the own session."""
    numbers = {left.keys[each["id"]]: each["result"][1] for each in left.quotes}

    assert [each["state"] for each in left.quotes] == ["completed"] * len(left.quotes)
    assert len(numbers) == len(left.quotes)
    assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))
    for key, answer in clients.answers:
        assert answer is None or answer == {"key": key, "number": numbers[key]}


def _check_store(clients: Clients, left: Aftermath) -> None:
    """What all sessions did to the project's store is there, once each."""
    count = len(clients.orders)

    assert left.values == {
        "begun": count,
        "parts": count * PARTS,
        "sum": sum(clients.orders.values()),
        "quotes": len(left.quotes),
        "names": count,
        "distinct names": count,
    }


def _check_database(path: Path) -> None:
    """The file is whole, no child is there twice, and nothing waits for a session that has ended."""
    twice = "SELECT parent_id, memo FROM sessions WHERE parent_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1"
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute(twice).fetchall() == []
        for table in ("subscriptions", "deliveries", "signals", "waits"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table  # noqa: S608 - fixed names
