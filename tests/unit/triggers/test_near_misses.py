from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from hookline_triggers.filters import compile_filter
from hookline_triggers.near_misses import Miss, Prober

DATA: dict[str, Any] = {
    "method": "POST",
    "headers": {"X-Github-Event": "push"},
    "body": {"json": {"kind": "push", "text": "5", "n": 5, "items": [{"id": 1}], "yes": True}},
}


def _miss(text: str) -> Miss:
    prober = Prober(text)
    verdict = prober.judge(DATA, "post")
    assert not verdict.is_match
    return prober.describe(DATA, "post", verdict)


@pytest.mark.parametrize(
    ("text", "path", "view"),
    [
        ('data.body.json.kind == "Push"', "data.body.json.kind", '"push"'),
        ('"Push" == data.body.json.kind', "data.body.json.kind", '"push"'),
        ('data["body"].json["kind"] == "x"', 'data["body"].json["kind"]', '"push"'),
        ('data.headers["x-github-event"] == "ping"', 'data.headers["x-github-event"]', '"push"'),
        ("data.body.json.items[0].id == 2", "data.body.json.items[0].id", "1"),
        ('data.body.json.kind.startsWith("a")', "data.body.json.kind", '"push"'),
        ("size(data.body.json.items) > 3", "data.body.json.items", "a list of 1"),
        ("data.body.json.items.exists(i, i.id == 5)", "data.body.json.items", "a list of 1"),
        ("!has(data.body.json.kind)", "data.body.json.kind", '"push"'),
        ("!data.body.json.yes", "data.body.json.yes", "true"),
        ('event_type == "put"', "event_type", '"post"'),
        ('data.method == "GET" || data.method == "PUT"', "data.method", '"POST"'),
    ],
)
def test_the_field_that_a_condition_names_is_shown_with_its_value(
    text: str, path: str, view: str
) -> None:
    miss = _miss(text)

    assert miss.condition == text
    assert miss.reason == "false"
    assert [(each.path, each.view) for each in miss.fields] == [(path, view)]


def test_the_first_condition_that_did_not_hold_is_named() -> None:
    prober = Prober('data.method == "POST" && data.body.json.n == 6 && event_type == "put"')

    verdict = prober.judge(DATA, "post")

    assert verdict.held == (True, False, False)
    assert prober.describe(DATA, "post", verdict).condition == "data.body.json.n == 6"


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("data.body.json.text == 5", "it is a text, and 5 is a number"),
        ("5 == data.body.json.text", "it is a text, and 5 is a number"),
        ("-5 < data.body.json.text", "it is a text, and -5 is a number"),
        ('data.body.json.n == "5"', 'it is a number, and "5" is a text'),
        ('data.body.json.n in ["5", "6"]', 'it is a number, and ["5", "6"] holds none'),
        ('data.body.json.yes == "true"', 'it is true or false, and "true" is a text'),
        ("data.body.json.kind == null", "it is a text, and null is null"),
        ('data.body.json.items == "a"', 'it is a list, and "a" is a text'),
        ('data.body.json.kind == "PUSH"', "they differ in upper and lower case only"),
        ('data.body.json.kind in ["a", "Push"]', "they differ in upper and lower case only"),
        ('data.body.json.kind == "push "', "they differ in blanks around them only"),
        ('data.body.json.kind == "pull"', ""),
        ("data.body.json.n == 6.5", ""),
        ('!(data.body.json.kind == "push")', ""),
        ('data.body.json.kind + "a" == "Push"', ""),
        ("data.body.json.kind == data.body.json.text", ""),
    ],
)
def test_what_can_never_be_equal_and_what_differs_little_is_told(text: str, note: str) -> None:
    assert _miss(text).note == note


def test_an_error_is_told_with_the_field_that_is_missing() -> None:
    miss = _miss("data.body.json.kin == 'push'")

    assert miss.reason == "no such key: 'kin'"
    assert [each.view for each in miss.fields] == ['missing: `data.body.json` has no "kin", but "kind"']  # fmt: skip


def test_an_error_holds_no_long_key_and_no_likely_secret() -> None:
    data = {
        "body": {"json": {}, "text": "ghp_16C7e42F292c6912E7710c838347Ae178B4a" + "x " * 10_000}
    }
    prober = Prober("data.body.json[data.body.text] == 1")

    miss = prober.describe(data, "post", prober.judge(data, "post"))

    assert "16C7e42F" not in miss.reason
    assert len(miss.reason) <= 200


def test_a_condition_that_is_no_filter_by_itself_does_not_hold() -> None:
    prober = Prober("data.body.json.kind && 1 == 1")

    verdict = prober.judge(DATA, "post")

    assert verdict.held == (False, True)
    assert "not true or false" in prober.describe(DATA, "post", verdict).reason


def test_a_long_condition_is_cut() -> None:
    text = "data.method in [" + ", ".join(f'"a{number}"' for number in range(300)) + "]"

    assert len(_miss(text).condition) == 200


PARTS = [
    'data.method == "POST"',
    "data.body.json.n > 9",
    "data.body.json.none.at.all",
    "(data.body.json.yes || data.body.json.nope)",
    "!has(data.body.json.nope)",
]


@pytest.mark.parametrize("parts", [parts for size in (1, 2, 3) for parts in product(PARTS, repeat=size)])  # fmt: skip
def test_a_filter_takes_an_event_when_all_its_conditions_hold_and_only_then(
    parts: tuple[str, ...],
) -> None:
    text = " && ".join(parts)

    verdict = Prober(text).judge(DATA, "post")

    assert verdict.is_match == compile_filter(text).matches(DATA, "post")
    assert verdict.is_match or not all(verdict.held)
    assert len(verdict.held) == (0 if verdict.is_match else len(parts))
