from __future__ import annotations

import pytest

from hookline_triggers.definitions import TriggerDefinition, TriggerKind
from hookline_triggers.errors import FilterInvalidError
from hookline_triggers.matching import explain_match, matches


def a_trigger(event_type: str = "", text: str = "") -> TriggerDefinition:
    return TriggerDefinition(name="t", kind=TriggerKind.WEBHOOK, event_type=event_type, filter=text)


@pytest.mark.parametrize(
    ("event_type", "text", "expected"),
    [
        ("", "", True),
        ("*", "", True),
        ("push", "", True),
        ("Push", "", False),
        ("pull", "", False),
        ("push", "data.n == 1", True),
        ("", "event_type == 'push'", True),
        ("", "data.n == 2", False),
        ("", "data.nope == 2", False),
        ("pull", "data.n == 1", False),
        ("", ".", True),
    ],
)
def test_a_trigger_takes_events_of_its_type_that_pass_its_filter(
    event_type: str, text: str, expected: bool
) -> None:
    assert matches(a_trigger(event_type, text), "push", {"n": 1}) is expected


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [
        (a_trigger("pull"), "the event's type is 'push', not 'pull'"),
        (a_trigger("", "data.nope == 1"), "filter: no such key: 'nope'"),
        (a_trigger("", "data.n == 2"), "filter: false"),
        (a_trigger("", "data.n == 1"), ""),
    ],
)
def test_it_is_told_why_an_event_is_not_taken(trigger: TriggerDefinition, reason: str) -> None:
    assert explain_match(trigger, "push", {"n": 1}).reason == reason


def test_a_filter_that_was_never_checked_is_an_error_and_no_silence() -> None:
    with pytest.raises(FilterInvalidError):
        matches(a_trigger("", "data.n =="), "push", {})
