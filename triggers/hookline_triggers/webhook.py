"""Webhook requests as events: the shape that user code sees, and the delivery id that tells a redelivery.

Nothing a client sends makes a function of this module raise: what cannot be read is left out or None.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

from hookline.errors import HooklineError
from hookline.json_text import MAX_DEPTH, Reader, finite, is_deeper
from hookline_triggers.charsets import read_text, without_charset
from hookline_triggers.content_codings import MOST_DECODED_BYTES, decoded
from hookline_triggers.errors import DedupeInvalidError
from hookline_triggers.forms import joined, read_form, read_pairs, unquoted

_INT64 = 2**63
_SURE_DIGITS = 15  # of so many a float keeps each
_SMALLEST_SURE = 1e-300  # below, it keeps fewer
_MAX_ID = 256
_MAX_CACHED_NAME = 64
_FORM_METHODS = ("POST", "PUT", "PATCH")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_BYTE_ORDER_MARK = "\ufeff"
_NO_CHARACTER = "\ufffd"

Headers = Iterable[tuple[bytes, bytes]]


def event_meta(method: str, raw_target: bytes, slug: str, headers: Headers) -> dict[str, Any]:
    """A request without its body, in JSON types: method, raw_url, url, headers, trailers; keys sorted.

    `raw_target` is the path and query as received; `path_suffix` is what follows the slug in the path.
    Header names are in canonical form (`X-Github-Event`), repeated ones joined by a comma, cookies by a semicolon; Host
    is left out, and what the body was sent with (Transfer-Encoding, Trailer). Where names came more than once,
    `repeated` holds their values one by one: lists by name, under `headers` and `query`.
    """
    raw_url = raw_target.decode("utf-8", "replace")
    raw_path, _, query = raw_url.partition("?")
    path = unquoted(_without_host(raw_path))
    shown, several = _joined_headers(headers)
    trailers = _take_trailers(shown)
    values, several_values = joined(read_pairs(query)) if query else ({}, {})
    meta = {
        "headers": shown,
        "method": method.upper(),
        "raw_url": raw_url,
        "trailers": trailers,
        "url": {
            "path": path,
            "path_suffix": path.partition(f"/{slug}/")[2],
            "query": values,
        },
    }
    several = {name: each for name, each in several.items() if name in shown}
    return _with_repeated(meta, headers=several, query=several_values)


def event_data(meta: dict[str, Any], body: bytes | None) -> dict[str, Any]:
    """The event as user code sees it: the meta of `event_meta`, and `body` as bytes, form, json and text.

    `bytes` are those that were sent; the rest is read of what they were before `Content-Encoding`, in the characters
    that `Content-Type` names. JSON is the first value in the body whatever the content type, read as
    `hookline.json_text` does; floats without a fraction are integers, and keys are sorted. It is None when it does not
    parse or is nested deeper than 200. A byte order mark before the body is in `bytes` only.
    """
    if not body:
        return {"body": {"bytes": None, "form": None, "json": None, "text": None}, **meta}
    content_type = _of_meta(meta, "Content-Type")
    plain = _decoded(body, _of_meta(meta, "Content-Encoding"))
    text = read_text(plain, content_type)
    pairs = None
    if meta.get("method") in _FORM_METHODS:
        pairs = read_form(plain, content_type, text)
    form, several = joined(pairs) if pairs else (None, {})
    content = {
        "bytes": body,
        "form": form,
        "json": _first_json(_marked(text.readable), _READER),
        "text": text.exact if plain else None,
    }
    return _with_repeated({"body": content, **meta}, form=several)


def with_files_as(data: dict[str, Any], form_of: Callable[[bytes], object]) -> dict[str, Any]:
    """The data of `event_data` with the bytes of the files in its form as `form_of` gives them, for JSON has no bytes."""
    body = cast("dict[str, Any]", data["body"])
    if not body["form"]:
        return data

    def shown(value: object) -> object:
        if not isinstance(value, dict):
            return value
        file = cast("dict[str, Any]", value)
        return {**file, "bytes": form_of(file["bytes"])}

    form = {key: shown(value) for key, value in body["form"].items()}
    changed = {**data, "body": {**body, "form": form}}
    several = cast("dict[str, Any]", data.get("repeated", {})).get("form")
    if several:
        shown_ones = {key: [shown(value) for value in values] for key, values in several.items()}
        changed["repeated"] = {**data["repeated"], "form": shown_ones}
    return changed


def written_headers(headers: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Headers that somebody wrote, as `event_meta` has them: a list is a header that came more than once.

    The second part is `repeated`, if there is any.
    """
    pairs: list[tuple[bytes, bytes]] = []
    others: dict[str, Any] = {}
    for name, value in headers.items():
        values = cast("list[object]", value) if isinstance(value, list) else [value]
        if all(isinstance(each, str) for each in values):
            raw_name = name.encode("utf-8", "replace")
            pairs += [(raw_name, str(each).encode("utf-8", "replace")) for each in values]
        else:
            others[canonical_header(name.encode("utf-8", "replace"))] = value
    shown, several = _joined_headers(pairs)
    return {**others, **shown}, {"repeated": {"headers": several}} if several else {}


def without_codings(meta: object) -> object:
    """The meta of a request whose body is plain UTF-8 from now on: its headers say nothing else."""
    if not isinstance(meta, dict) or not isinstance(meta.get("headers"), dict):  # pyright: ignore[reportUnknownMemberType] - JSON of any shape
        return cast("object", meta)
    known = cast("dict[str, Any]", meta)
    headers = {
        name: value for name, value in known["headers"].items() if name != "Content-Encoding"
    }
    content_type = headers.get("Content-Type")
    if isinstance(content_type, str):
        headers["Content-Type"] = without_charset(content_type)
    return {**known, "headers": headers}


def check_codings(headers: Headers, body: bytes, limit_bytes: int) -> None:
    """Refuse a body whose `Content-Encoding` cannot be undone; raises as `content_codings.decoded`."""
    codings = _codings_of(headers)
    if codings:
        decoded(body, codings, min(limit_bytes, MOST_DECODED_BYTES))


def has_codings(headers: Headers) -> bool:
    """Whether the body is not sent as it is."""
    return bool(_codings_of(headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dedupe:
    """Where a delivery id is found: in the header of that name (lower case), or at a path in the JSON body."""

    header: bytes | None = None
    path: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def parse_dedupe(text: str) -> Dedupe | None:
    """The place that `header:NAME` or `json:dotted.path` means; None for an empty text.

    Raises:
        DedupeInvalidError: it is neither.
    """
    stripped = text.strip()
    if not stripped:
        return None
    kind, colon, rest = stripped.partition(":")
    rest = rest.strip()
    if not colon or kind not in ("header", "json"):
        raise DedupeInvalidError(text, "it does not begin with header: or json:")
    if kind == "header":
        if not _TOKEN.fullmatch(rest):
            raise DedupeInvalidError(text, f"{rest!r} is not the name of a header")
        return Dedupe(header=rest.lower().encode())
    path = tuple(rest.split("."))
    if "" in path:
        raise DedupeInvalidError(text, "a part of the path is empty")
    return Dedupe(path=path)


def delivery_id(dedupe: str, headers: Headers, body: bytes | None) -> str | None:
    """The id of a delivery, from the place that `dedupe` names; None if there is none.

    An id longer than 256 characters is given as its SHA-256. One with something in it that is no character could be
    another's as well, so it goes with the SHA-256 of the body or header that it is from.

    Raises:
        DedupeInvalidError: `dedupe` was never checked; a build refuses such a trigger.
    """
    place = parse_dedupe(dedupe)
    if place is None:
        return None
    source = _header_value(headers, place.header) if place.header else body
    if not source:
        return None
    if place.header:
        found = source.decode("utf-8", "replace")
    else:
        found = _json_value(_text_of(headers, source), place.path)
    if not found:
        return None
    if _NO_CHARACTER in found:
        found = f"{found} {hashlib.sha256(source).hexdigest()}"
    if len(found) > _MAX_ID:
        return "sha256:" + hashlib.sha256(found.encode("utf-8", "replace")).hexdigest()
    return found


def _header_value(headers: Headers, name: bytes) -> bytes | None:
    for key, value in headers:
        if key.lower() == name and value.strip():
            return value.strip()
    return None


def _codings_of(headers: Headers) -> str:
    found = [value for name, value in headers if name.lower() == b"content-encoding"]
    return ",".join(value.decode("latin-1") for value in found) if found else ""


def _text_of(headers: Headers, body: bytes) -> str:
    content_type = (_header_value(headers, b"content-type") or b"").decode("latin-1")
    return _marked(read_text(_decoded(body, _codings_of(headers)), content_type).readable)


def _marked(text: str) -> str:
    """The text with a mark in front if it begins with one: the reader of JSON takes off one, and there were two."""
    return _BYTE_ORDER_MARK + text if text.startswith(_BYTE_ORDER_MARK) else text


def _decoded(body: bytes, codings: str) -> bytes:
    """The body without its codings; empty if it cannot be read, which a service that accepts it has checked."""
    try:
        return decoded(body, codings)
    except HooklineError:
        return b""


def _of_meta(meta: dict[str, Any], name: str) -> str:
    """A header of the meta, which may have been written by hand; "" if there is none."""
    headers = meta.get("headers")
    value = cast("dict[str, object]", headers).get(name) if isinstance(headers, dict) else None
    return value if isinstance(value, str) else ""


def _with_repeated(data: dict[str, Any], **several: dict[str, list[Any]]) -> dict[str, Any]:
    """The data with what came more than once of these parts, and of no others than these and those that were there."""
    earlier = data.get("repeated")
    known = cast("dict[str, Any]", earlier) if isinstance(earlier, dict) else {}
    if not any(several.values()) and not known.keys() & several.keys():
        return data
    kept = {part: values for part, values in {**known, **several}.items() if values}
    if not kept:
        return {key: value for key, value in data.items() if key != "repeated"}
    return dict(sorted({**data, "repeated": dict(sorted(kept.items()))}.items()))


def _json_value(text: str, path: Sequence[str]) -> str | None:
    value: Any = _first_json(text, _ID_READER)
    for key in path:
        value = _member(value, key)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    return None


def _member(value: object, key: str) -> object:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).get(key)
    if isinstance(value, list) and key.isascii() and key.isdecimal() and len(key) < 10:  # noqa: PLR2004  # no list is longer
        items = cast("list[object]", value)
        return items[int(key)] if int(key) < len(items) else None
    return None


def _joined_headers(headers: Headers) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Headers by name, and the values of those that came more than once."""
    found: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    for raw_name, raw_value in headers:
        is_short = len(raw_name) <= _MAX_CACHED_NAME
        name = _cached_canonical(raw_name) if is_short else canonical_header(raw_name)
        value = raw_value.decode("utf-8", "replace")
        if name in found:
            repeated.setdefault(name, [found[name]]).append(value)
        elif name != "Host":
            found[name] = value
    # Joined at the end: adding to one long text again and again is quadratic.
    for name, values in repeated.items():
        found[name] = ("; " if name == "Cookie" else ", ").join(values)
    return dict(sorted(found.items())), dict(sorted(repeated.items()))


def _take_trailers(headers: dict[str, str]) -> dict[str, str]:
    """The declared trailers, which servers put among the headers, taken out of these; so is what concerns the transfer."""
    declared = headers.pop("Trailer", "")
    if headers.pop("Transfer-Encoding", None) is None:
        return {}
    names = {canonical_header(name.strip().encode()) for name in declared.split(",")}
    return {name: headers.pop(name) for name in sorted(names & headers.keys())}


def canonical_header(raw_name: bytes) -> str:
    """Go's form of a header name: `x-hub-SIGNATURE` is `X-Hub-Signature`; an odd name stays as it is."""
    name = raw_name.decode("utf-8", "replace")
    if not _TOKEN.fullmatch(name):
        return name
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


_cached_canonical = lru_cache(maxsize=2048)(canonical_header)


def _without_host(raw_path: str) -> str:
    """The path of a target that a proxy's client wrote in full (`http://host/path`)."""
    if raw_path.startswith("/") or "://" not in raw_path:
        return raw_path
    return "/" + raw_path.partition("://")[2].partition("/")[2]


def _first_json(text: str, reader: Reader) -> object:
    try:
        value: object = reader.read_first(text)
    except ValueError:
        return None
    is_shallow = text.count("{") + text.count("[") <= MAX_DEPTH
    return value if is_shallow or not is_deeper(value) else None


def _real(digits: str) -> int | float:
    number = finite(digits)
    return int(number) if number.is_integer() and abs(number) < _INT64 else number


def _exact_real(digits: str) -> int | float | str:
    """As `_real`, but the text itself where a float is rounded so far that others would be the same one."""
    number = _real(digits)
    if len(digits) <= _SURE_DIGITS and abs(number) > _SMALLEST_SURE:
        return number
    try:
        return number if Decimal(repr(number)) == Decimal(digits) else digits
    except ArithmeticError:  # an exponent of twenty digits
        return digits


def _sorted_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return dict(sorted(dict(pairs).items()))


_READER = Reader(real=_real, members=_sorted_object)
_ID_READER = Reader(real=_exact_real)
