from __future__ import annotations

from typing import Any

import pytest

from hookline.values import encode
from hookline_service.api.http_outcomes import (
    OutcomeInvalidError,
    part_of,
    reply_of,
    reply_of_returned,
)

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")
HTML = (b"content-type", b"text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("outcome", "status", "headers", "body"),
    [
        ({"status_code": 201, "json": {"id": 7}}, 201, [JSON], b'{"id":7}\n'),
        ({"status_code": 0, "body": "hi"}, 200, [TEXT], b"hi"),
        ({"body": "<!DOCTYPE html><p>x"}, 200, [HTML], b"<!DOCTYPE html><p>x"),
        ({"body": b"\x00\x01"}, 200, [(b"content-type", b"application/octet-stream")], b"\x00\x01"),
        ({"body": {"a": [1]}}, 200, [TEXT], b'{"a":[1]}\n'),
        ({"json": "x", "headers": {"Content-Type": "a/b"}}, 200, [(b"content-type", b"a/b")], b'"x"\n'),
        ({"json": {"b": "<&>\u2028", "a": 1}}, 200, [JSON], b'{"a":1,"b":"\\u003c\\u0026\\u003e\\u2028"}\n'),
        ({"status_code": 302, "headers": {"Location": "/x"}}, 302, [(b"location", b"/x")], b""),
        ({"status_code": 204, "body": "lost"}, 204, [], b""),
        ({"status_code": 304, "json": 1}, 304, [JSON], b""),
        ({"body": "", "more": True}, 200, [], b""),
        ({"headers": {"X-Many": ["a", "b"], "X-Number": 7}}, 200, [(b"x-many", b"a"), (b"x-many", b"b"), (b"x-number", b"7")], b""),
        ({"headers": {"Content-Length": "9", "Transfer-Encoding": "chunked", "Connection": "close"}}, 200, [], b""),
        ({"headers": {"X-Text": "gr\u00fc\u00df"}}, 200, [(b"x-text", "gr\u00fc\u00df".encode())], b""),
        ("hello", 200, [TEXT], b"hello"),
        (b"\xff\xd8\xff", 200, [(b"content-type", b"image/jpeg")], b"\xff\xd8\xff"),
        ({"other": 1, "body": "x"}, 200, [JSON], b'{"body":"x","other":1}\n'),
        ({}, 200, [JSON], b"{}\n"),
        ([1, {"t": b"hi"}], 200, [JSON], b'[1,{"t":"aGk="}]\n'),
    ],
)  # fmt: skip
def test_an_outcome_is_a_response(
    outcome: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes
):
    reply = reply_of(encode(outcome))

    assert (reply.status, reply.headers, reply.body) == (status, headers, body)


@pytest.mark.parametrize(
    "outcome",
    [
        7,
        None,
        {"body": "a", "json": 1},
        {"status_code": 199},
        {"status_code": 600},
        {"status_code": True},
        {"status_code": "200"},
        {"status_code": 200.0},
        {"headers": ["x"]},
        {"headers": {"X": None}},
        {"headers": {"X": True}},
        {"headers": {"": "x"}},
        {"headers": {"X Y": "x"}},
        {"headers": {"X:": "x"}},
        {"headers": {"Gr\u00fc\u00df": "x"}},
        {"headers": {"X\r\nSet-Cookie": "x"}},
        {"headers": {"X": "a\r\nSet-Cookie: b"}},
        {"headers": {"X": "a\nb"}},
        {"headers": {"X": "a\x00b"}},
        {"headers": {"X": ["ok", "a\nb"]}},
        {"headers": {7: "x"}},
    ],
)
def test_what_is_no_response_is_refused(outcome: Any):
    with pytest.raises(OutcomeInvalidError):
        reply_of(encode(outcome))


@pytest.mark.parametrize(
    ("returned", "body"),
    [
        ("text", b"text"),
        (b"bytes", b"bytes"),
        ({"n": 1}, b'{"n":1}\n'),
        ([1], b"[1]\n"),
        ({2, 1}, b"[1,2]\n"),
        ({"status_code": 200, "body": "x", "more": True}, b"x"),
    ],
)
def test_a_returned_value_may_be_the_answer(returned: Any, body: bytes):
    reply = reply_of_returned(encode(returned))

    assert reply is not None
    assert (reply.body, reply.more) == (body, False)


@pytest.mark.parametrize("returned", [None, 7, True, 1.5])
def test_other_returned_values_are_no_answer(returned: Any):
    assert reply_of_returned(encode(returned)) is None


@pytest.mark.parametrize(
    ("outcome", "part", "more"),
    [
        ({"body": "x", "more": True, "status_code": 500}, b"x", True),
        ({"body": "x"}, b"x", False),
        ({"json": [1], "more": True}, b"[1]\n", True),
        ("plain", b"plain", False),
    ],
)
def test_a_further_outcome_adds_to_the_body(outcome: Any, part: bytes, more: bool):
    assert part_of(encode(outcome)) == (part, more)
