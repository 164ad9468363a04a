"""One filter on one event, in the service's own process: CEL, beside the same thing said in Python."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from bench.context import Context
from bench.hookline_service import BODY
from bench.measure import Outcome, Row, median, microseconds
from hookline_triggers.filters import compile_filter
from hookline_triggers.webhook import event_data, event_meta

_LONGEST_S = 50e-6
_CUSTOMER = re.compile("^[a-z]+@example[.]org$")
_Predicate = Callable[[dict[str, Any], str], bool]
_FILTERS: dict[str, _Predicate] = {
    "data.method == 'POST'": lambda data, _: data["method"] == "POST",
    "data.method in ['POST', 'PUT']": lambda data, _: data["method"] in {"POST", "PUT"},
    "data.headers['Content-Type'].startsWith('application/json')": lambda data, _: data["headers"][
        "Content-Type"
    ].startswith("application/json"),
    "data.url.path.endsWith('/orders')": lambda data, _: data["url"]["path"].endswith("/orders"),
    "data.url.query.customer == '4711'": lambda data, _: data["url"]["query"]["customer"] == "4711",
    "event_type == 'post' && data.body.json.order.number > 4000": lambda data, kind: (
        kind == "post" and data["body"]["json"]["order"]["number"] > 4000
    ),
    "has(data.body.json.order) && size(data.body.json.items) > 1": lambda data, _: (
        "order" in data["body"]["json"] and len(data["body"]["json"]["items"]) > 1
    ),
    "data.body.json.type in ['order.created', 'order.edited'] || data.body.json.note == '!'": lambda data, _: (
        data["body"]["json"]["type"] in {"order.created", "order.edited"}
        or data["body"]["json"]["note"] == "!"
    ),
    "data.body.json.items.exists(item, item == 'pears')": lambda data, _: any(
        item == "pears" for item in data["body"]["json"]["items"]
    ),
    "data.body.json.customer.matches('^[a-z]+@example[.]org$')": lambda data, _: (
        _CUSTOMER.search(data["body"]["json"]["customer"]) is not None
    ),
}
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"user-agent", b"bench/1.0"),
    (b"x-request-id", b"2f1c6f3e-8a5d-4c0b-9d55-6d1c2a2b7f10"),
    (b"accept", b"*/*"),
]


def measure(context: Context) -> Outcome:
    """Each filter over and over on the event of a webhook; both sides in turn."""
    rounds = context.times(2000, 300)
    data = event_data(
        event_meta("POST", b"/webhooks/abc/orders?customer=4711", "abc", _HEADERS), BODY
    )
    ours: dict[str, list[float]] = {text: [] for text in _FILTERS}
    python: dict[str, list[float]] = {text: [] for text in _FILTERS}
    for _ in range(context.repeats):
        for text, predicate in _FILTERS.items():
            compiled = compile_filter(text)
            if not (compiled.matches(data, "post") and predicate(data, "post")):
                raise RuntimeError(f"{text} does not match")
            ours[text].append(_seconds(compiled.matches, data, rounds))
            python[text].append(_seconds(predicate, data, rounds))
    each = {text: median(times) for text, times in ours.items()}
    slowest = max(each, key=lambda text: each[text])
    context.say(f"slowest: {slowest}, {microseconds(each[slowest])}")
    row = Row(
        what=f"one CEL filter on a webhook's event, {len(_FILTERS)} typical ones",
        measured=f"median {microseconds(median(list(each.values())))}, the slowest {microseconds(each[slowest])}",
        baseline=f"the same in Python: median {microseconds(median([median(times) for times in python.values()]))}",
        goal="≤ 50 µs each",
        met=each[slowest] <= _LONGEST_S,
    )
    return Outcome(rows=[row], raw={"cel_s": ours, "python_s": python})


def _seconds(predicate: _Predicate, data: dict[str, Any], rounds: int) -> float:
    """The median of ten means."""
    means: list[float] = []
    for _ in range(10):
        begun = time.perf_counter()
        for _ in range(rounds // 10):
            predicate(data, "post")
        means.append((time.perf_counter() - begun) / (rounds // 10))
    return median(means)
