from __future__ import annotations

import orjson
import pytest

from hookline_service.use_cases.events import EventInvalidError, SentEvent, compose_event
from hookline_triggers.definitions import TriggerKind
from hookline_triggers.webhook import event_data
from tests.builders.projects import a_build, a_definition, a_deployment, a_project, a_trigger
from tests.builders.service import NOW


def _trigger(**fields):
    return a_trigger(a_deployment(a_build(a_project())), definition=a_definition(**fields))


WEBHOOK = _trigger()
SCHEDULE = _trigger(kind=TriggerKind.SCHEDULE, schedule="@daily")


def test_an_event_for_a_webhook_looks_like_a_request():
    event = compose_event(WEBHOOK, SentEvent(body={"a": 1}), NOW)

    data = event_data(orjson.loads(event.data), event.body)
    assert (event.type, data["method"], data["body"]["json"]) == ("post", "POST", {"a": 1})
    assert data["url"]["path"] == f"/webhooks/{WEBHOOK.slug}"


def test_parts_of_the_request_can_be_given():
    given = {"method": "get", "headers": {"X-A": "1"}, "url": {"query": {"q": "2"}}}

    event = compose_event(WEBHOOK, SentEvent(data=given), NOW)

    data = orjson.loads(event.data)
    assert (event.type, data["method"]) == ("get", "GET")
    assert (data["headers"], data["url"]["query"]) == ({"X-A": "1"}, {"q": "2"})


def test_the_data_of_a_recorded_event_can_be_sent_again():
    original = compose_event(WEBHOOK, SentEvent(body="text"), NOW)
    shown = event_data(orjson.loads(original.data), original.body)
    shown["body"]["bytes"] = "dGV4dA=="

    again = compose_event(WEBHOOK, SentEvent(data=shown), NOW)

    assert (again.data, again.body) == (original.data, original.body)


def test_a_schedules_event_is_a_tick():
    event = compose_event(SCHEDULE, SentEvent(), NOW)

    assert (event.type, event.data, event.body) == ("tick", b"{}", None)


@pytest.mark.parametrize(
    ("trigger", "sent"),
    [
        (WEBHOOK, SentEvent(data=[1])),
        (WEBHOOK, SentEvent(data={"url": "x"})),
        (WEBHOOK, SentEvent(data={"headers": "x"})),
        (WEBHOOK, SentEvent(data={"method": 5})),
        (WEBHOOK, SentEvent(body="x" * 600_000)),
        (WEBHOOK, SentEvent(body={"bytes": "!", "text": None, "form": None, "json": None})),
        (SCHEDULE, SentEvent(body="x")),
    ],
)
def test_parts_of_the_wrong_shape_are_refused(trigger, sent):
    with pytest.raises(EventInvalidError):
        compose_event(trigger, sent, NOW)
