from __future__ import annotations

import socket

import pytest

from hookline_service.model.events import EventFilter
from tests.builders.service import TOKEN
from tests.integration.api.conftest import ServedService, read_all

AUTH = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def _get(target: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\n" + AUTH + b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    "target",
    [
        b"/api/v1/projects/..",
        b"/api/v1/projects/%2e%2e/%2e%2e/etc/passwd",
        b"/api/v1/projects/%00",
        b"/api/v1/projects/%ff%fe",
        b"/api/v1/projects/%zz",
        b"/api/v1/sessions/%E2%80%AE",
        b"/api/v1/sessions?before=%00",
        b"/api/v1/sessions?before=%ff",
        b"/api/v1/sessions?limit=%F0%9F%98%80",
        b"//etc/passwd",
        b"/\\..\\x",
        b"http://evil.example/api/v1/projects/nope",
        b"*",
        b"/api/v1/projects/" + b"x" * 20_000,
        b"/webhooks/../api/v1/projects/nope",
        b"/webhooks/%2e%2e/%2e%2e/x",
        b"/webhooks/%00%ff",
        b"/webhooks/" + b"a" * 30_000,
    ],
)
def test_no_path_makes_the_service_fail(served: ServedService, target):
    assert 200 <= _status(served.exchange(_get(target))) < 500


@pytest.mark.parametrize(
    "method", [b"PATCH", b"TRACE", b"CONNECT", b"PROPFIND", b"GET\0", b"get", b"\xff"]
)
def test_no_method_makes_the_service_fail(served: ServedService, method):
    assert 400 <= _status(served.exchange(_get(b"/api/v1/projects", method))) < 500


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(served: ServedService, request_bytes):
    answer = served.exchange(request_bytes)

    assert not answer or 400 <= _status(answer) < 500


def test_a_flood_of_headers_is_refused_or_passed_over(served: ServedService):
    flood = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 100) for number in range(3000))
    request = b"GET /api/v1/projects HTTP/1.1\r\n" + AUTH + flood + b"Connection: close\r\n\r\n"

    answer = served.exchange(request)

    assert not answer or _status(answer) < 500
    assert _status(served.exchange(_get(b"/healthz"))) == 200


@pytest.mark.parametrize("path", [b"/api/v1/sessions", b"WEBHOOK"])
def test_a_body_that_never_comes_ends_at_its_deadline(served: ServedService, path):
    target = served.webhook.encode() if path == b"WEBHOOK" else path
    head = b"POST " + target + b" HTTP/1.1\r\n" + AUTH + b"Content-Length: 10\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", served.port), timeout=40) as connection:
        connection.sendall(head)

        answer = read_all(connection)

    assert _status(answer) == 408


def test_a_body_in_drips_has_the_same_deadline(served: ServedService):
    head = b"POST /api/v1/sessions HTTP/1.1\r\n" + AUTH + b"Transfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=0.05) as connection:
        connection.sendall(head)
        answer = b""
        for _ in range(60):
            if answer:
                break
            connection.sendall(b"1\r\n \r\n")
            answer = read_all(connection)

    assert _status(answer) == 408


@pytest.mark.parametrize(
    "head", [b"Content-Length: 600000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n927c0\r\n"]
)
def test_a_webhooks_body_over_the_limit_is_413_and_nothing_is_recorded(served: ServedService, head):
    request = b"POST " + served.webhook.encode() + b" HTTP/1.1\r\nHost: x\r\n" + head
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as connection:
        connection.sendall(request + b"x" * 590_000)

        answer = read_all(connection)

    assert _status(answer) == 413
    assert served.call(_events, served) == 0


def test_a_chunked_webhook_arrives_whole(served: ServedService):
    request = b"POST " + served.webhook.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    request += b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    answer = served.exchange(request)

    assert _status(answer) == 202
    assert served.call(_bodies, served) == [b"abcde"]


def test_a_client_that_leaves_half_way_leaves_nothing_behind(served: ServedService):
    head = (
        b"POST " + served.webhook.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"
    )
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as connection:
        connection.sendall(head)

    assert _status(served.exchange(_get(b"/healthz"))) == 200
    assert served.call(_events, served) == 0


def test_every_byte_of_a_header_may_come(served: ServedService):
    weird = b"X-Weird: \xff\xfe\x80caf\xe9\r\n"
    request = b"POST " + served.webhook.encode() + b" HTTP/1.1\r\nHost: x\r\n" + weird
    request += b"Connection: close\r\nContent-Length: 0\r\n\r\n"

    assert _status(served.exchange(request)) == 202


def test_two_requests_on_one_connection_are_both_answered(served: ServedService):
    one = b"POST " + served.webhook.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"

    answer = served.exchange(one + one)

    assert answer.count(b"HTTP/1.1 202") == 2
    assert served.call(_events, served) == 2


async def _list(served: ServedService):
    return await served.service.store.list_events(EventFilter())


async def _events(served: ServedService) -> int:
    return len(await _list(served))


async def _bodies(served: ServedService):
    listed = await _list(served)
    return [(await served.service.store.get_event(event.id)).body for event in listed]
