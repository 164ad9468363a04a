"""Whatever a body or a given value holds, every way in and out of the service has it as one value."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from hookline import json_text, values
from hookline_runner import fast_json
from hookline_runner.attempts import read_start
from hookline_runner.frames import FrameReader
from hookline_runner.recordings import Recording, read_recording
from hookline_runner.session.display import display
from hookline_service.api.serving import json_response
from hookline_service.api.streams import event_bytes
from hookline_service.api.values import json_value
from hookline_service.dispatcher.plans import EventFacts
from hookline_service.engine.contexts import LaunchSpec
from hookline_service.engine.wire import StartLimits, start_header
from hookline_service.model.ids import SubscriptionId
from hookline_service.model.plain_values import plain_json
from hookline_service.storage.results import taken_event
from hookline_service.use_cases.event_edits import edit_event
from hookline_service.use_cases.events import SentEvent, compose_event
from hookline_service.use_cases.sessions import encode_input
from hookline_triggers.filters import compile_filter
from hookline_triggers.retries import RetryPolicy
from hookline_triggers.webhook import delivery_id, event_data, event_meta
from tests.builders.events import an_event
from tests.builders.json_texts import json_texts
from tests.builders.moments import START
from tests.builders.projects import a_definition, a_project, a_release
from tests.builders.sessions import a_session

RELEASE = a_release(a_project(), definitions=[a_definition(name="orders")])
LIMITS = StartLimits(hot_window_s=1, log_limit_lines=1, log_limit_bytes=1, memory_limit_bytes=1)
CONTEXT = LaunchSpec(
    project_name="p",
    process="fork",
    variables={},
    limits=(),
    timeout_s=None,
    retries=RetryPolicy(),
)
_ENDLESS = re.compile(rb"[0-9]{300,}")
META = event_meta("POST", b"/webhooks/x", "x", [])
many = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def as_others_read(text: bytes) -> Any:
    """The value, of a text that strict readers take; some of these refuse numbers beyond every double, and they may."""
    orjson.loads(_ENDLESS.sub(b"1", text))
    return json.loads(text)


def start_of(event: Any, session: Any) -> Any:
    header, _ = start_header(session, event, CONTEXT, limits=LIMITS, journal_count=0)
    assert read_start(header).build_id == session.build_id
    return as_others_read(header)["event"]["data"]


def answered(value: object) -> Any:
    return as_others_read(bytes(json_response({"data": value}).body))["data"]


@pytest.mark.slow
@many
@given(body=json_texts())
def test_a_body_is_one_value_in_every_way(body: bytes, tmp_path: Path) -> None:
    event = an_event(RELEASE, data=fast_json.write(META), body=body)
    content = event_data(META, body)["body"]
    value = content["json"]

    assert start_of(event, a_session(RELEASE, event))["body"]["json"] == value
    assert EventFacts(event).data.get("body", {}).get("json") == value
    taken = taken_event(SubscriptionId("sub_1"), event.id, "post", event.data, event.body)
    assert values.decode_answer(taken.text or b"")["data"]["body"] == content
    assert as_others_read(taken.text or b"")["id"] == event.id
    assert answered({**content, "bytes": None})["json"] == value
    assert (
        as_others_read(event_bytes("x", {"json": value}).partition(b"data: ")[2])["json"] == value
    )
    assert recorded({"data": {**META, "body": {**content, "bytes": None}}}, tmp_path) == {
        "data": {**META, "body": {**content, "bytes": None}}
    }
    as_others_read(display(value).encode())
    for text in ("data.body.json == 1", "data.exists(x, x == 'method')"):
        reason = compile_filter(text).explain(EventFacts(event).data, "post").reason
        assert "Conversion" not in reason
    assert value is None or edit_event({}, body, {"data.body.json": value})[0] == {}


def recorded(event: dict[str, Any], directory: Path) -> object:
    """The event as a replay of an exported recording gets it."""
    path = directory / "recording.json"
    path.write_text(Recording(entry_point="a.py:b", journal=[], event=event, result=event).to_json(), "utf-8")  # fmt: skip
    as_others_read(path.read_bytes())
    recording = read_recording(path)
    assert recording.result == event
    frames = [frame for data in recording.start_frames() for frame in FrameReader().feed(data)]
    return as_others_read(frames[0].header)["event"]


@pytest.mark.slow
@many
@given(text=json_texts())
def test_a_given_value_is_one_value_in_every_way(text: bytes) -> None:
    try:
        value = fast_json.read_given(text)
    except ValueError:
        assert outcome(json_text.read_given, text) == "refused"
        return
    if json_text.is_deeper(value):
        return
    event = compose_event(RELEASE.triggers[0], SentEvent(data={}, body={"n": value}), START)
    if not json_text.is_deeper({"n": value}):
        assert event_data({"headers": {}}, event.body)["body"]["json"] == {"n": value}
    by_hand = an_event(RELEASE, data=fast_json.write(value), body=None)

    assert start_of(by_hand, a_session(RELEASE, by_hand)) == value
    session = a_session(RELEASE, input=encode_input(value))
    assert start_of(None, session) == ({} if value is None else value)
    taken = taken_event(SubscriptionId("sub_1"), by_hand.id, "x", by_hand.data, None)
    assert values.decode_answer(taken.text or b"")["data"] == value
    assert json_value(by_hand.data) == answered(value) == value
    if not json_text.is_deeper(value, values.MAX_DEPTH):
        stored = values.encode(value)
        assert values.decode(stored) == value
        assert json_text.read(plain_json(stored)) == value
        assert values.decode(values.encode(values.from_tree(values.to_tree(value)))) == value


def outcome(read: Any, text: bytes) -> Any:
    try:
        return read(text)
    except ValueError:
        return "refused"


@pytest.mark.slow
@many
@given(text=json_texts())
def test_two_bodies_have_one_id_only_if_their_numbers_are_equal(text: bytes) -> None:
    found = delivery_id("json:id", [], b'{"id":' + text + b"}")
    value = event_data(META, b'{"id":' + text + b"}")["body"]["json"]

    if value is None:
        assert found is None
    elif isinstance(value["id"], int) and not isinstance(value["id"], bool) and found:
        assert found.startswith("sha256:") or json_text.read(found) == value["id"]


@pytest.mark.parametrize(
    "value", ["\ud83d", {"\ude00": ["\ud83d"]}, float("nan"), [float("inf"), 10**30]]
)
def test_what_no_json_holds_is_shown_readably(value: Any) -> None:
    for text in (
        display(value).encode(),
        bytes(json_response({"value": value}).body),
        event_bytes("x", value).partition(b"data: ")[2],
        Recording(entry_point="a.py:b", journal=[], prints=["\ud83d"], result=value)
        .to_json()
        .encode(),
    ):
        as_others_read(text)


def test_a_time_is_shown_alike_beside_a_large_number() -> None:
    at = START + timedelta(microseconds=5)

    plain = answered({"at": at})
    assert answered({"at": at, "n": 10**30}) == {**plain, "n": 10**30}
