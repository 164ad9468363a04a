from __future__ import annotations

from typing import Any

import orjson
import pytest

from hookline.errors import RateLimitedError, UnavailableError
from hookline_service.api.webhook_counts import WebhookCounts
from hookline_service.api.webhooks import create_webhooks
from hookline_service.dispatcher.events import Accepted
from hookline_service.model.events import Recorded
from hookline_service.model.ids import EventId
from hookline_service.settings import Settings
from tests.builders.service import PROJECT, a_service

RECORDED = Accepted(recorded=Recorded(is_new=True, event_id=EventId("evt_1")))


class _Dispatcher:
    """Answers every request with `answer`, or raises it."""

    def __init__(self, answer: Any = RECORDED) -> None:
        self.answer = answer
        self.calls: list[tuple[str, dict[str, Any], bytes]] = []

    async def has_webhook(self, slug):  # noqa: ARG002 (the dispatcher's face)
        return self.answer is not None

    async def accept_webhook(self, slug, meta, headers, body):  # noqa: ARG002 (the dispatcher's face)
        self.calls.append((slug, meta, body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def _call(dispatcher: _Dispatcher, messages: list[dict[str, Any]], **scope: Any):
    app = create_webhooks(dispatcher, Settings(body_timeout_s=0.05), WebhookCounts())
    sent: list[dict[str, Any]] = []
    waiting = list(messages)

    async def receive():
        if not waiting:
            raise AssertionError("read past the end")
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    given = {
        "type": "http",
        "method": "POST",
        "path": "/webhooks/slug",
        "raw_path": b"/webhooks/slug",
        "query_string": b"",
        "headers": [],
    }
    await app(given | scope, receive, send)  # pyright: ignore[reportArgumentType]
    return sent


def _body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


async def test_an_accepted_event_is_named_in_the_answer():
    start, end = await _call(_Dispatcher(), [_body(b"x")])

    headers = dict(start["headers"])
    assert start["status"] == 202
    assert headers[b"hookline-event-id"] == headers[b"autokitteh-event-id"] == b"evt_1"
    assert headers[b"cache-control"] == b"no-cache"
    assert end["body"] == b""


async def test_the_raw_body_is_kept_whatever_pieces_it_came_in():
    dispatcher = _Dispatcher()

    await _call(dispatcher, [_body(b"\xff\x00", more=True), _body(b"", more=True), _body(b"end")])

    assert dispatcher.calls[0][2] == b"\xff\x00end"


async def test_sub_paths_and_queries_reach_the_event():
    dispatcher = _Dispatcher()

    await _call(
        dispatcher,
        [_body(b"")],
        path="/webhooks/slug/a b/c",
        raw_path=b"/webhooks/slug/a%20b/c",
        query_string=b"q=1&q=2",
    )

    slug, meta, _ = dispatcher.calls[0]
    assert slug == "slug"
    assert meta["raw_url"] == "/webhooks/slug/a%20b/c?q=1&q=2"
    assert meta["url"]["path_suffix"] == "a b/c"
    assert meta["url"]["query"] == {"q": "1, 2"}


async def test_an_unknown_slug_is_not_found():
    start, end = await _call(_Dispatcher(None), [])  # reads nothing of the body

    assert (start["status"], end["body"]) == (404, b"Not Found")


@pytest.mark.parametrize(
    ("header", "closes"),
    [
        ((b"content-length", b"500000"), True),
        ((b"transfer-encoding", b"chunked"), True),
        ((b"content-length", b"0"), False),
        ((b"accept", b"*/*"), False),
    ],
)
async def test_a_body_for_an_unknown_webhook_is_cut_off(header, closes):
    start, _ = await _call(_Dispatcher(None), [], headers=[header])

    assert ((b"connection", b"close") in start["headers"]) is closes


async def test_an_announced_body_over_the_limit_is_refused_unread():
    headers = [(b"content-length", b"524289")]

    start, _ = await _call(_Dispatcher(), [], headers=headers)

    assert start["status"] == 413
    assert (b"connection", b"close") in start["headers"]


async def test_a_body_that_turns_out_over_the_limit_is_refused_at_once():
    pieces = [_body(b"x" * 400_000, more=True) for _ in range(2)]

    start, _ = await _call(_Dispatcher(), pieces)

    assert start["status"] == 413


async def test_the_largest_body_is_accepted():
    start, _ = await _call(_Dispatcher(), [_body(b"x" * 524_288)])

    assert start["status"] == 202


async def test_a_client_that_leaves_is_not_answered_and_its_event_not_recorded():
    dispatcher = _Dispatcher()

    sent = await _call(dispatcher, [_body(b"half", more=True), {"type": "http.disconnect"}])

    assert (sent, dispatcher.calls) == ([], [])


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (RateLimitedError("slow down"), 429),
        (UnavailableError("disk full"), 503),
        (KeyError("x"), 500),
    ],
)
async def test_what_was_not_recorded_is_not_accepted(failure, status):
    start, _ = await _call(_Dispatcher(failure), [_body(b"x")])

    assert start["status"] == status


async def test_too_many_events_say_when_to_come_back():
    start, _ = await _call(_Dispatcher(RateLimitedError("x", retry_after_s=3)), [_body(b"")])

    assert (b"retry-after", b"3") in start["headers"]


async def test_a_failure_of_the_inside_is_not_told(caplog):
    _, end = await _call(_Dispatcher(RuntimeError("secret detail")), [_body(b"")])

    assert b"secret detail" not in end["body"]
    assert "incident" in caplog.records[-1].__dict__


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_every_method_is_an_event(method):
    service = a_service()
    deployed = await service.deploy()

    async with service.client(token=None) as client:
        response = await client.request(method, deployed["triggers"][0]["url"])

    event = await service.store.get_event(response.headers["hookline-event-id"])
    assert response.status_code == 202
    assert event.type == method.lower()


async def test_a_recorded_request_can_be_read_back_whole():
    service = a_service()
    deployed = await service.deploy()
    body = b'{"half": "\\ud800", "n": 1}'

    async with service.client() as client:
        answer = await client.post(deployed["triggers"][0]["url"] + "/x?y=1", content=body)
        event = answer.headers["hookline-event-id"]
        shown = await client.get(f"/api/v1/events/{event}")

    data = shown.json()["data"]
    assert shown.status_code == 200
    assert data["body"]["json"]["n"] == 1
    assert data["url"]["path_suffix"] == "x"
    assert orjson.loads(shown.content)["trigger"] == "incoming"


@pytest.mark.parametrize("path", ["/webhooks/", "/webhooks//", "/webhooks/%00", "/webhooks/nope/x"])
async def test_odd_slugs_are_not_found(path):
    service = a_service()
    await service.deploy()

    async with service.client(token=None) as client:
        response = await client.post(path)

    assert response.status_code == 404


async def test_webhooks_are_counted_by_what_became_of_them():
    service = a_service()
    manifest = PROJECT["hookline.yaml"].replace(
        "type: webhook\n", "type: webhook\n      dedupe: header:X-Id\n"
    )
    deployed = await service.deploy({**PROJECT, "hookline.yaml": manifest})
    url = deployed["triggers"][0]["url"]

    async with service.client() as client:
        for delivery in ("1", "2", "2"):
            await client.post(url, headers={"X-Id": delivery})
        await client.post("/webhooks/nope")
        await client.post(url, content=b"x" * 600_000)
        metrics = (await client.get("/metrics")).text

    assert "hookline_webhooks_accepted_total 2\n" in metrics
    assert "hookline_webhooks_duplicates_total 1\n" in metrics
    assert 'hookline_webhooks_refused_total{status="404"} 1\n' in metrics
    assert 'hookline_webhooks_refused_total{status="413"} 1\n' in metrics
    assert metrics.count("# TYPE hookline_webhooks_refused_total counter") == 1
