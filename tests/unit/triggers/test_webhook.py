from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from hookline_triggers.errors import DedupeInvalidError
from hookline_triggers.webhook import delivery_id, event_data, event_meta, parse_dedupe

SLUG = "01hzx5f8qcej5r0f3k2s9t7v8w"
JSON_HEADERS = [(b"content-type", b"application/json")]
FORM_HEADERS = [(b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")]


def a_meta(
    method: str = "POST", suffix: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None
) -> dict[str, Any]:
    target = f"/webhooks/{SLUG}".encode() + suffix
    return event_meta(method, target, SLUG, JSON_HEADERS if headers is None else headers)


def body_of(
    raw: bytes, headers: list[tuple[bytes, bytes]] | None = None, method: str = "POST"
) -> Any:
    return event_data(a_meta(method, headers=headers), raw)["body"]


def test_declared_trailers_stand_beside_the_headers_and_framing_is_left_out() -> None:
    chunked = [
        (b"transfer-encoding", b"chunked"),
        (b"trailer", b"X-Sum, x-missing"),
        (b"x-kind", b"a"),
        (b"x-sum", b"1"),
        (b"X-SUM", b"2"),
    ]
    plain = [(b"trailer", b"X-Kind"), (b"x-kind", b"a")]

    with_trailers, without = a_meta(headers=chunked), a_meta(headers=plain)

    assert with_trailers["headers"] == {"X-Kind": "a"}
    assert with_trailers["trailers"] == {"X-Sum": "1, 2"}
    assert (without["headers"], without["trailers"]) == ({"X-Kind": "a"}, {})


def test_a_request_has_the_shape_that_user_code_knows() -> None:
    headers = [
        (b"host", b"example.org"),
        (b"content-type", b"application/json"),
        (b"x-github-event", b"push"),
        (b"x-hub-signature-256", b"sha256=ab"),
    ]
    meta = a_meta("post", b"/a%20b/c?q=1&q=2&n=x+y", headers)

    event = event_data(meta, b'{"b": 1, "a": [1.0, 2.5]}')

    assert event == {
        "method": "POST",
        "raw_url": f"/webhooks/{SLUG}/a%20b/c?q=1&q=2&n=x+y",
        "url": {
            "path": f"/webhooks/{SLUG}/a b/c",
            "path_suffix": "a b/c",
            "query": {"n": "x y", "q": "1, 2"},
        },
        "headers": {
            "Content-Type": "application/json",
            "X-Github-Event": "push",
            "X-Hub-Signature-256": "sha256=ab",
        },
        "repeated": {"query": {"q": ["1", "2"]}},
        "trailers": {},
        "body": {
            "bytes": b'{"b": 1, "a": [1.0, 2.5]}',
            "text": '{"b": 1, "a": [1.0, 2.5]}',
            "form": None,
            "json": {"a": [1, 2.5], "b": 1},
        },
    }


def test_keys_are_sorted_at_every_level() -> None:
    headers = [(b"x-b", b"1"), (b"x-a", b"2"), (b"content-type", b"application/json")]
    event = event_data(
        a_meta(suffix=b"?z=1&a=2", headers=headers), b'{"z": {"y": 1, "b": 2}, "a": 3}'
    )

    def orders(value: Any) -> list[list[str]]:
        if not isinstance(value, dict):
            return []
        return [list(value), *(order for child in value.values() for order in orders(child))]

    assert all(order == sorted(order) for order in orders(event))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"www-authenticate", "Www-Authenticate"),
        (b"X-HUB-SIGNATURE-256", "X-Hub-Signature-256"),
        (b"etag", "Etag"),
        (b"x_under_score", "X_under_score"),
        (b"odd name", "odd name"),
        (b"caf\xc3\xa9", "café"),
        (b"x-" + b"a" * 100, "X-A" + "a" * 99),
    ],
)
def test_header_names_are_written_as_go_writes_them(raw: bytes, name: str) -> None:
    assert a_meta(headers=[(raw, b"v")])["headers"] == {name: "v"}


def test_repeated_headers_are_joined_in_their_order() -> None:
    headers = [(b"x-a", b"1"), (b"x-b", b"9"), (b"X-A", b"2"), (b"x-a", b"3")]

    assert a_meta(headers=headers)["headers"] == {"X-A": "1, 2, 3", "X-B": "9"}


@pytest.mark.parametrize(
    ("suffix", "path_suffix"),
    [
        (b"", ""),
        (b"/", ""),
        (b"/a", "a"),
        (b"/a/b/", "a/b/"),
        (b"?x=/y", ""),
        (b"/%2e%2e/a", "../a"),
    ],
)
def test_the_path_suffix_is_what_follows_the_slug(suffix: bytes, path_suffix: str) -> None:
    assert a_meta(suffix=suffix)["url"]["path_suffix"] == path_suffix


def test_a_target_with_scheme_and_host_gives_the_same_path() -> None:
    meta = event_meta("GET", f"http://example.org/webhooks/{SLUG}/a?x=1".encode(), SLUG, [])

    assert meta["url"] == {"path": f"/webhooks/{SLUG}/a", "path_suffix": "a", "query": {"x": "1"}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", {}),
        (b"a", {"a": ""}),
        (b"a=&b==1", {"a": "", "b": "=1"}),
        (b"&&a=1&", {"a": "1"}),
        (b"=1", {"": "1"}),
        (b"a=%zz&b=1", {"b": "1"}),
        (b"a=%4", {}),
        (b"a=1;b=2&c=3", {"c": "3"}),
        (b"a=%ff", {"a": "\ufffd"}),
        (b"%C3%A9=%e2%82%ac", {"é": "€"}),
        (b"a=1?b", {"a": "1?b"}),
    ],
)
def test_a_query_is_read_as_go_reads_it(query: bytes, expected: dict[str, str]) -> None:
    assert a_meta(suffix=b"?" + query)["url"]["query"] == expected


@pytest.mark.parametrize("raw", [None, b""])
def test_an_empty_body_is_none_in_every_form(raw: bytes | None) -> None:
    assert event_data(a_meta(), raw)["body"] == dict.fromkeys(("bytes", "form", "json", "text"))


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"1", 1),
        (b"  null", None),
        (b'"x"', "x"),
        (b'{"a": 1} trailing', {"a": 1}),
        (b"12 monkeys", 12),
        (b"true false", True),
        (b"1.0", 1),
        (b"-0.0", 0),
        (b"1e3", 1000),
        (b"1.5e-3", 0.0015),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"9223372036854775808", 2**63),
        (b"-9223372036854775809", -(2**63) - 1),
        (b"100000000000000000000000", 10**23),
        (b"1e23", 1e23),
        (b"1e300", 1e300),
        (b"1" * 300, int("1" * 300)),
        (b"9" * 4000, 10**4000 - 1),
        (b"-" + b"9" * 4000, 1 - 10**4000),
        (b"1e999", None),
        (b"9" * 4001, None),
        (b"[1, NaN]", None),
        (b"Infinity", None),
        (b"-Infinity", None),
        (b"{'a': 1}", None),
        (b"hello", None),
        (b"{", None),
        (b'"a\nb"', None),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"\xef\xbb\xbf{}", {}),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", None),
        (b"\xc2\xa0{}", None),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        (b"[" * 200 + b"]" * 200, "deep"),
        (b"[" * 201 + b"]" * 201, None),
        (b"[" * 100_000, None),
        (b'{"a":' * 100_000, None),
    ],
)
def test_json_is_the_first_value_in_the_body(raw: bytes, value: Any) -> None:
    found = body_of(raw, [(b"content-type", b"text/plain")])["json"]

    if value == "deep":
        assert isinstance(found, list)
    else:
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize("count", [200, 5000])
def test_many_brackets_side_by_side_are_not_deep(count: int) -> None:
    assert body_of(b"[" + b",".join([b'{"a":[]}'] * count) + b"]")["json"] == [{"a": []}] * count


def test_a_body_that_is_no_utf8_has_bytes_only() -> None:
    body = body_of(b"\xff\xfe\x00")

    assert body == {"bytes": b"\xff\xfe\x00", "form": None, "json": None, "text": None}


@pytest.mark.parametrize(
    ("method", "headers", "form"),
    [
        ("POST", FORM_HEADERS, {"a": "1, 2", "b": "x y"}),
        ("PUT", FORM_HEADERS, {"a": "1, 2", "b": "x y"}),
        ("PATCH", FORM_HEADERS, {"a": "1, 2", "b": "x y"}),
        (
            "patch",
            [(b"Content-Type", b"Application/X-WWW-Form-Urlencoded")],
            {"a": "1, 2", "b": "x y"},
        ),
        ("DELETE", FORM_HEADERS, None),
        ("GET", FORM_HEADERS, None),
        ("POST", JSON_HEADERS, None),
        ("POST", [], None),
    ],
)
def test_a_form_is_read_only_where_one_is_sent(
    method: str, headers: list[tuple[bytes, bytes]], form: dict[str, str] | None
) -> None:
    assert body_of(b"a=1&b=x+y&a=2", headers, method)["form"] == form


def test_a_byte_order_mark_is_in_the_bytes_only() -> None:
    marked = body_of(b"\xef\xbb\xbfa=1&b=2", FORM_HEADERS)

    assert marked["form"] == {"a": "1", "b": "2"}
    assert marked["text"] == "a=1&b=2"
    assert marked["bytes"] == b"\xef\xbb\xbfa=1&b=2"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (rb'{"s":"\ud83d"}', {"s": "\ufffd"}),
        (rb'{"text":"party time \ud83c"}', {"text": "party time \ufffd"}),
        (rb'{"s":"\ude00\ud83d"}', {"s": "\ufffd\ufffd"}),
        (rb'"\udABC"', "\ufffd"),
        (rb'"\uD83D\uDE00"', "\U0001f600"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\\ud83d"', r"\ud83d"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (rb'{"\ud83d":1}', {"\ufffd": 1}),
        (b'"\xed\xa0\xbd"', "\ufffd\ufffd\ufffd"),
        (rb'"\ud83"', None),
    ],
)
def test_half_of_a_surrogate_pair_is_no_character(raw: bytes, value: Any) -> None:
    assert body_of(raw)["json"] == value


def test_a_form_without_a_pair_is_none() -> None:
    assert body_of(b"&%zz", FORM_HEADERS)["form"] is None


@pytest.mark.timeout(5)
def test_half_a_million_repetitions_of_one_key_are_joined_in_time() -> None:
    raw = b"a&" * 262_144

    assert len(body_of(raw, FORM_HEADERS)["form"]["a"]) == (262_144 - 1) * 2


RAW_HEADERS = st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=8)


@settings(max_examples=300)
@given(
    method=st.text(max_size=8),
    target=st.binary(max_size=60),
    headers=RAW_HEADERS,
    body=st.binary(max_size=60),
)
@example(method="POST", target=b"", headers=[(b"", b"")], body=b"\x00")
@example(method="GET", target=b"//?#%", headers=[(b"-", b"\xff")], body=b"%")
def test_no_request_makes_an_event_fail(
    method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    meta = event_meta(method, target, SLUG, [*headers, *FORM_HEADERS])

    event = event_data(meta, body)

    assert json.loads(json.dumps(meta)) == meta
    assert event["body"]["bytes"] == (body or None)


@settings(max_examples=300)
@given(value=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
))  # fmt: skip
def test_a_json_body_comes_back_equal(value: Any) -> None:
    found = body_of(json.dumps(value).encode())["json"]

    assert found == value


DELIVERY = [
    (b"X-GitHub-Delivery", b"72d3162e"),
    (b"x-empty", b" "),
    (b"x-two", b" one "),
    (b"x-two", b"two"),
]
ID_BODY = (
    b'{"id": "evt_1", "n": 7, "f": 1.5, "ok": true, "none": null, "a": {"b": [{"c": "deep"}]}}'
)


@pytest.mark.parametrize(
    ("dedupe", "expected"),
    [
        ("", None),
        ("header:X-Github-Delivery", "72d3162e"),
        ("header: x-github-delivery ", "72d3162e"),
        ("header:X-Two", "one"),
        ("header:X-Empty", None),
        ("header:X-Missing", None),
        ("json:id", "evt_1"),
        ("json:n", "7"),
        ("json:f", "1.5"),
        ("json:ok", "true"),
        ("json:none", None),
        ("json:a", None),
        ("json:a.b.0.c", "deep"),
        ("json:a.b.1.c", None),
        ("json:a.b.x", None),
        ("json:id.x", None),
        ("json:missing.x", None),
        ("json:a.b.99999999999999999999", None),
    ],
)
def test_a_delivery_id_is_found_where_the_trigger_says(dedupe: str, expected: str | None) -> None:
    assert delivery_id(dedupe, DELIVERY, ID_BODY) == expected


@pytest.mark.parametrize("body", [None, b"", b"no json", b"[]", b'"x"', b"\xff", b"[" * 5000])
def test_a_body_without_the_member_has_no_delivery_id(body: bytes | None) -> None:
    assert delivery_id("json:id", [], body) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("123456789012345678901", "123456789012345678902"),
        ("18446744073709551615", "18446744073709551614"),
        ("9" * 400, "9" * 399 + "8"),
        ("12345678901234567890.25", "12345678901234567890.5"),
        ("1e-1" + "0" * 30, "2e-1" + "0" * 30),
        ("0.1234567890123456789", "0.1234567890123456788"),
        ("1e-400", "2e-400"),
        ("1.234e-320", "1.235e-320"),
        ("1e-99999999999999999999", "2e-99999999999999999999"),
    ],
)
def test_numbers_that_differ_are_different_ids(one: str, other: str) -> None:
    ids = {
        delivery_id("json:meta.id", [], b'{"meta":{"id":%s}}' % n.encode()) for n in (one, other)
    }

    assert len(ids - {None}) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [(rb"\ud83d", rb"\ud83e"), (b"\xff", b"\xfe"), (b"x" * 300 + b"\xff", b"x" * 300 + b"\xfe")],
    ids=["half characters", "no UTF-8", "long"],
)
def test_ids_that_are_no_text_are_told_apart_all_the_same(one: bytes, other: bytes) -> None:
    bodies = [b'{"id":"%s"}' % each for each in (one, other)]
    headers = [[(b"x-id", each)] for each in (one, other)]

    by_body = [delivery_id("json:id", [], body) for body in bodies * 2]
    by_header = [delivery_id("header:x-id", given, None) for given in headers * 2]

    for ids in (by_body, by_header):
        assert ids[0] != ids[1]
        assert ids[:2] == ids[2:]


@pytest.mark.parametrize("digits", ["7", "7.0", "0.7e1", "70e-1"])
def test_one_number_is_one_id_however_it_is_written(digits: str) -> None:
    assert delivery_id("json:id", [], b'{"id":%s}' % digits.encode()) == "7"


def test_a_long_delivery_id_is_kept_as_its_digest() -> None:
    first = delivery_id("header:x", [(b"x", b"a" * 300)], None)
    second = delivery_id("header:x", [(b"x", b"a" * 301)], None)

    assert first is not None
    assert first.startswith("sha256:")
    assert first != second


def test_a_delivery_id_can_be_stored_whatever_its_bytes() -> None:
    from_header = delivery_id("header:x", [(b"x", b"\xff\x00")], None)
    from_json = delivery_id("json:id", [], b'{"id": "\\ud800"}')

    assert (from_header or "").encode()
    assert (from_json or "").encode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("X-Delivery", "header: or json:"),
        ("cookie:x", "header: or json:"),
        ("Header:x", "header: or json:"),
        ("header:", "not the name of a header"),
        ("header:a b", "not the name of a header"),
        ("header:é", "not the name of a header"),
        ("json:", "empty"),
        ("json:a..b", "empty"),
        ("json:.a", "empty"),
    ],
)
def test_a_dedupe_that_names_no_place_is_refused(text: str, says: str) -> None:
    with pytest.raises(DedupeInvalidError) as refused:
        parse_dedupe(text)

    assert says in refused.value.message
    assert (refused.value.kind, refused.value.code) == ("invalid", "dedupe.invalid")
