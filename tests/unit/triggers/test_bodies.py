"""Bodies as people send them: compressed, in any charset, as forms with files."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
import zlib
from typing import Any

import brotli
import pytest
from hypothesis import given, settings, strategies as st

from hookline.errors import HooklineError
from hookline_triggers.content_codings import decoded
from hookline_triggers.errors import BodyUndecodableError, CodingUnknownError, DecodedTooLargeError
from hookline_triggers.forms import MOST_PARTS
from hookline_triggers.webhook import check_codings, delivery_id, event_data, event_meta

LIMIT = 512 * 1024
TEXT = b'{"a": "x"}' + b" " * 1000
compress: Any = brotli.compress  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def data_of(body: bytes, *, method: str = "POST", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return event_data(event_meta(method, b"/webhooks/s", "s", pairs), body)


def form_of(body: bytes, content_type: str) -> Any:
    return data_of(body, content_type=content_type)["body"]["form"]


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("X-GZIP", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:7]) + gzip.compress(TEXT[7:]) + b"\0\0\0"),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("br", compress(TEXT)),
        ("deflate, gzip", gzip.compress(zlib.compress(TEXT))),
        ("br,identity , gzip", gzip.compress(compress(TEXT))),
        ("identity", TEXT),
        ("", TEXT),
        (",", TEXT),
    ],
)
def test_a_compressed_body_is_read_and_its_bytes_stay_as_they_were_sent(
    codings: str, body: bytes
) -> None:
    content = data_of(body, content_encoding=codings)["body"]

    assert content["json"] == {"a": "x"}
    assert content["text"] == TEXT.decode()
    assert content["bytes"] == body


@pytest.mark.parametrize(
    ("codings", "body", "error", "named"),
    [
        ("zstd", b"x", CodingUnknownError, "'zstd' is not read; those that are: gzip, deflate, br"),
        ("gzip, utf-8", b"x", CodingUnknownError, "'utf-8'"),
        ("gzip", b"{}", BodyUndecodableError, "not gzip"),
        ("gzip", gzip.compress(TEXT)[:-3], BodyUndecodableError, "cut off"),
        ("gzip", gzip.compress(TEXT) + b"more", BodyUndecodableError, "not gzip"),
        ("gzip", gzip.compress(b"") * 1001, BodyUndecodableError, "more than 1000 members"),
        ("deflate", b"{}", BodyUndecodableError, "deflate"),
        ("deflate", zlib.compress(TEXT)[:-1], BodyUndecodableError, "deflate"),
        ("deflate", raw_deflate(TEXT) + b"x", BodyUndecodableError, "something follows"),
        ("br", b"\xff\xff{}", BodyUndecodableError, "br"),
        ("br", compress(TEXT)[:-1], BodyUndecodableError, "cut off"),
        ("br", compress(TEXT) + b"xx", BodyUndecodableError, "br"),
        ("gzip," * 5, gzip.compress(TEXT), BodyUndecodableError, "5 codings"),
    ],
    ids=lambda value: f"{value!r:.30}",
)
def test_a_body_that_is_not_what_its_codings_say_is_refused(
    codings: str, body: bytes, error: type[HooklineError], named: str
) -> None:
    with pytest.raises(error, match=named):
        decoded(body, codings, LIMIT)


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        ("gzip", gzip.compress(b"\0" * 50_000_000)),
        ("gzip", gzip.compress(b"\0" * 100_000) * 500),
        ("deflate", zlib.compress(b"\0" * 50_000_000)),
        ("deflate", raw_deflate(b"\0" * 50_000_000)),
        ("br", compress(b"\0" * 50_000_000, quality=5)),
        ("gzip, gzip", gzip.compress(gzip.compress(b"\0" * 50_000_000))),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_a_bomb_is_refused_and_never_held(codings: str, body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DecodedTooLargeError, match=r"larger than 524288 bytes once"):
            decoded(body, codings, LIMIT)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 3 * LIMIT


def test_an_empty_body_has_nothing_to_decode() -> None:
    check_codings([(b"Content-Encoding", b"zstd")], b"", LIMIT)

    assert data_of(b"", content_encoding="gzip")["body"]["text"] is None


def test_a_delivery_id_is_found_in_a_compressed_body() -> None:
    headers = [(b"content-encoding", b"gzip")]

    assert delivery_id("json:a", headers, gzip.compress(TEXT)) == "x"


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
        ('text/plain; charset="ISO-8859-1"; x=y', b"caf\xe9", "café"),
        ("text/plain; charset=windows-1252", b"\x80", "€"),
        ("text/plain;charset=utf-16", "né".encode("utf-16"), "né"),
        ("text/plain;charset=utf-16be", "né".encode("utf-16-be"), "né"),
        ("text/plain;charset=utf-16le", b"\xff\xfe" + "né".encode("utf-16-le"), "né"),
        ("text/plain; charset=Shift_JIS", "日本".encode("shift_jis"), "日本"),
        ("text/plain; charset=x-sjis", "日本".encode("cp932"), "日本"),
        ("text/plain; charset=us-ascii", "é".encode(), "é"),
        ("text/plain; charset=utf-8-sig", "é".encode(), "é"),
        ("text/plain; charset=no-such-thing", "é".encode(), "é"),
        ("text/plain; charset=rot13", b"uryyb", "uryyb"),
        ("text/plain; charset=idna", b"xn--a", "xn--a"),
        ("text/plain; charset=unicode_escape", b"\\x41", "\\x41"),
        ("text/plain; charset=../../x", b"a", "a"),
        ("text/plain; charset=", b"a", "a"),
        ("text/plain", "né".encode("utf-16"), "né"),
        ("image/x", "né".encode("utf-16"), None),
        ("text/plain; charset=iso-8859-1", b"\xef\xbb\xbf\xc3\xa9", "é"),
        ("text/plain; charset=shift_jis", b"\xff\xff", None),
        ("text/plain", b"\xe9", None),
    ],
)  # fmt: skip
def test_a_text_is_read_in_the_charset_that_is_declared(
    content_type: str, body: bytes, text: str | None
) -> None:
    content = data_of(body, content_type=content_type)["body"]

    assert (content["text"], content["bytes"]) == (text, body)


@pytest.mark.parametrize(
    ("charset", "codec"), [("iso-8859-1", "latin-1"), ("utf-16", "utf-16"), ("gbk", "gbk")]
)
def test_json_is_read_in_the_charset_that_is_declared(charset: str, codec: str) -> None:
    text = '{"é": "ü"}' if codec != "gbk" else '{"é": "ü字"}'
    body = text.encode(codec)

    content = data_of(body, content_type=f"application/json; charset={charset}")["body"]

    assert content["json"] == ({"é": "ü"} if codec != "gbk" else {"é": "ü字"})


@pytest.mark.parametrize(
    ("charset", "body", "form"),
    [
        ("", b"\xef\xbb\xbfa=1&b=2", {"a": "1", "b": "2"}),
        ("; charset=iso-8859-1", b"a=%E9&b=\xe9+x", {"a": "é", "b": "é x"}),
        ("; charset=shift_jis", b"a=%83A&b=\x83A", {"a": "ア", "b": "ア"}),
        ("; charset=utf-16", "a=ü&b=%C3%A9".encode("utf-16"), {"a": "ü", "b": "é"}),
        ("; charset=no-such-thing", b"a=%C3%A9", {"a": "é"}),
        ("; charset=utf-8", b"a=%E9", {"a": "\ufffd"}),
    ],
)
def test_a_form_is_read_in_the_charset_that_is_declared(
    charset: str, body: bytes, form: dict[str, str]
) -> None:
    assert form_of(body, "application/x-www-form-urlencoded" + charset) == form


def part(head: bytes, content: bytes) -> bytes:
    return b"--B\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--B--\r\n"


MULTIPART = "multipart/form-data; boundary=B"
FILE = {"bytes": b"\0\xff\r\n", "content_type": "image/png", "filename": "é.png"}


def test_a_multipart_form_has_fields_and_files() -> None:
    data = data_of(
        multipart(
            part(b'name="a"', "é".encode()),
            part(b'name="a"', b"2"),
            part(b'name="l"\r\nContent-Type: text/plain; charset=latin-1', b"\xe9"),
            part('name="f"; filename="é.png"\r\ncontent-type: image/png'.encode(), b"\0\xff\r\n"),
            part(b'name="f"; filename=""', b""),
            part(b'name="empty"', b""),
        ),
        content_type=MULTIPART,
    )

    assert data["body"]["form"] == {"a": "é, 2", "empty": "", "f": FILE, "l": "é"}
    empty = {"bytes": b"", "content_type": None, "filename": ""}
    assert data["repeated"] == {"form": {"a": ["é", "2"], "f": [FILE, empty]}}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", multipart(part(b'name="a"', b"1"))),
        ("multipart/form-data; boundary=", multipart(part(b'name="a"', b"1"))),
        ("multipart/form-data; boundary=" + "x" * 300, multipart(part(b'name="a"', b"1"))),
        ("multipart/form-data; boundary=\u20ac", multipart(part(b'name="a"', b"1"))),
        (MULTIPART, b"no form"),
        (MULTIPART, b"--B"),
        (MULTIPART, b"--B--\r\n"),
        (MULTIPART, part(b'name="a"', b"1")),
        (MULTIPART, multipart(part(b"x=1", b"1"))),
        (MULTIPART, multipart(b"--B\r\nno header\r\n\r\n1\r\n")),
        (MULTIPART, multipart(*[part(b'name="a"', b"1")] * (MOST_PARTS + 1))),
        (MULTIPART, multipart(part(b'name="a"\r\nX: ' + b"x" * 5000, b"1"))),
        (MULTIPART, multipart(part(b'name="a"' + b"\r\nX: y" * 10, b"1"))),
        (MULTIPART, multipart(*[part(b'name="a"\r\nX: ' + b"x" * 4000, b"1")] * 70)),
    ],
    ids=lambda value: f"{value!r:.30}",
)  # fmt: skip
def test_a_malformed_multipart_form_is_none_and_the_rest_is_read(
    content_type: str, body: bytes
) -> None:
    content = data_of(body, content_type=content_type)["body"]

    assert content["form"] is None
    assert content["bytes"] == body


def test_as_many_parts_as_there_may_be_are_read() -> None:
    body = multipart(*[part(b'name="a"', b"1")] * MOST_PARTS)

    assert len(form_of(body, MULTIPART)["a"].split(", ")) == MOST_PARTS


def test_what_came_more_than_once_is_there_one_by_one() -> None:
    headers = [
        *[(b"x-a", b"1"), (b"X-A", b"2, 3"), (b"x-b", b"4"), (b"host", b"a"), (b"host", b"b")],
        *[(b"cookie", b"a=1; b=2"), (b"cookie", b"c=3")],
        (b"content-type", b"application/x-www-form-urlencoded"),
    ]
    meta = event_meta("POST", b"/webhooks/s?k=1&k=2%2C+3&l=4", "s", headers)

    data = event_data(meta, b"n=1&n=2&m=3")

    assert data["headers"]["Cookie"] == "a=1; b=2; c=3"
    assert data["headers"]["X-A"] == "1, 2, 3"
    assert data["url"]["query"] == {"k": "1, 2, 3", "l": "4"}
    assert data["repeated"] == {
        "form": {"n": ["1", "2"]},
        "headers": {"Cookie": ["a=1; b=2", "c=3"], "X-A": ["1", "2, 3"]},
        "query": {"k": ["1", "2, 3"]},
    }
    assert list(data) == sorted(data)
    assert "repeated" not in data_of(b"n=1", content_type="application/x-www-form-urlencoded")


CODINGS = st.sampled_from(["gzip", "deflate", "br", "gzip, br", "identity", "x", ",", "deflate"])
TYPES = st.sampled_from(
    [
        *["application/json", "text/plain; charset=utf-16", "text/plain; charset=utf-7", MULTIPART],
        *["application/x-www-form-urlencoded; charset=gb18030", MULTIPART + "; charset=x"],
        *["application/x-www-form-urlencoded; charset=hz", "text/x; charset=iso2022_kr"],
    ]
)
BODIES = st.binary(max_size=300) | st.lists(
    st.sampled_from([b"--B", b"\r\n", b"\r\n--B", b"--", b'Content-Disposition: form-data; name="a"', b":", b"x", b'; filename="f"', b"\0"]),
    max_size=30,
).map(b"".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(codings=st.none() | CODINGS | st.binary(max_size=20), kind=TYPES | st.binary(), body=BODIES)
def test_no_request_is_too_odd_for_an_event(
    codings: str | bytes | None, kind: str | bytes, body: bytes
) -> None:
    pairs = [(b"content-type", kind if isinstance(kind, bytes) else kind.encode())]
    if codings is not None:
        pairs.append((b"content-encoding", codings if isinstance(codings, bytes) else codings.encode()))  # fmt: skip
    data = event_data(event_meta("POST", b"/webhooks/s?a=%ff", "s", pairs), body)

    assert data["body"]["bytes"] == (body or None)
    delivery_id("json:a", pairs, body)
    with contextlib.suppress(HooklineError):
        check_codings(pairs, body, LIMIT)


@settings(max_examples=100, deadline=None)
@given(body=st.binary(min_size=1, max_size=500), order=st.lists(st.integers(0, 3), max_size=4))
def test_whatever_was_compressed_comes_out_as_it_was(body: bytes, order: list[int]) -> None:
    known = [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate), ("br", compress)]  # fmt: skip
    sent = body
    for index in order:
        sent = known[index][1](sent)

    assert decoded(sent, ", ".join(known[index][0] for index in order), 10_000) == body
