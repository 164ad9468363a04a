from __future__ import annotations

import pytest

from hookline_triggers.definitions import TriggerDefinition, TriggerKind
from hookline_triggers.doubts import find_doubts


def _hints(
    kind: TriggerKind = TriggerKind.WEBHOOK, event_type: str = "", text: str = ""
) -> list[str]:
    definition = TriggerDefinition(name="a", kind=kind, event_type=event_type, filter=text)
    return [doubt.hint for doubt in find_doubts(definition)]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("event_type == 'POST'", "write `event_type == 'post'`"),
        ('"Get" == event_type', "write `event_type == 'get'`"),
        ("data.method == 'post' || data.method == 'PUT'", "write `data.method == 'POST'`"),
        ("data['method'] == \"Post\"", "write `data.method == 'POST'`"),
        ("data.Headers['A'] == 'b'", "did you mean `data.headers`?"),
        ("has(data.body.JSON)", "it has bytes, form, json, text"),
        ("data.body.jsn.a == 1", "did you mean `data.body.json`?"),
        ("data.url.params.a == '1'", "it has path, path_suffix, query"),
        ("data.action == 'opened'", "it has body, headers, method, raw_url, trailers, url"),
    ],
)
def test_what_no_request_has_is_told_with_what_would_be_right(text: str, hint: str) -> None:
    assert _hints(text=text) == [hint]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "event_type == 'post' && data.method == 'POST'",
        "event_type != 'POST'",
        "event_type in ['POST', 'post']",
        "data.body.json.method == 'post'",
        "data.body.json.data.foo == data.url.query.data",
        "data.body.json.items.exists(data, data.method == 'post')",
        "data.method == data.body.text",
    ],
)
def test_what_a_request_may_have_raises_no_doubt(text: str) -> None:
    assert _hints(text=text) == []


def test_types_of_events_are_methods_in_lower_case_at_webhooks_alone() -> None:
    assert _hints(event_type="POST") == ["write post"]
    assert _hints(event_type="post") == _hints(event_type="ORDER") == []
    assert _hints(TriggerKind.CONNECTION, "POST", "data.action == 'opened'") == []
