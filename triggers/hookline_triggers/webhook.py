"""Webhook requests as events: the shape that user code sees, and the delivery id that tells a redelivery.

Nothing a client sends makes a function of this module raise: what cannot be read is left out or None.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from hookline.json_text import MAX_DEPTH, Reader, finite, is_deeper
from hookline_triggers.errors import DedupeInvalidError

_INT64 = 2**63
_SURE_DIGITS = 15  # of so many a float keeps each
_SMALLEST_SURE = 1e-300  # below, it keeps fewer
_MAX_ID = 256
_MAX_CACHED_NAME = 64
_FORM_METHODS = ("POST", "PUT", "PATCH")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BYTE_ORDER_MARK = "\ufeff"
_NO_CHARACTER = "\ufffd"

Headers = Iterable[tuple[bytes, bytes]]


def event_meta(method: str, raw_target: bytes, slug: str, headers: Headers) -> dict[str, Any]:
    """A request without its body, in JSON types: method, raw_url, url, headers, trailers; keys sorted.

    `raw_target` is the path and query as received; `path_suffix` is what follows the slug in the path.
    Header names are in canonical form (`X-Github-Event`), repeated ones joined by a comma; Host is left out, and what
    the body was sent with (Transfer-Encoding, Trailer).
    """
    raw_url = raw_target.decode("utf-8", "replace")
    raw_path, _, query = raw_url.partition("?")
    path = _unquoted(_without_host(raw_path))
    joined = _joined_headers(headers)
    trailers = _take_trailers(joined)
    return {
        "headers": joined,
        "method": method.upper(),
        "raw_url": raw_url,
        "trailers": trailers,
        "url": {
            "path": path,
            "path_suffix": path.partition(f"/{slug}/")[2],
            "query": _joined_pairs(query) if query else {},
        },
    }


def event_data(meta: dict[str, Any], body: bytes | None) -> dict[str, Any]:
    """The event as user code sees it: the meta of `event_meta`, and `body` as bytes, form, json and text.

    JSON is the first value in the body whatever the content type, read as `hookline.json_text` does; floats without a
    fraction are integers, and keys are sorted. It is None when it does not parse or is nested deeper than 200.
    A byte order mark before the body is in `bytes` only.
    """
    if not body:
        return {"body": {"bytes": None, "form": None, "json": None, "text": None}, **meta}
    text = _utf8(body)
    # A wrong byte inside a JSON text becomes U+FFFD, and the rest can still be read.
    source = body.decode("utf-8", "replace") if text is None else text
    unmarked = source.removeprefix(_BYTE_ORDER_MARK)
    content = {
        "bytes": body,
        "form": _form(meta, unmarked),
        "json": _first_json(source, _READER),
        "text": None if text is None else unmarked,
    }
    return {"body": content, **meta}


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
            raise DedupeInvalidError(text, f"{rest!r} is no name of a header")
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
    found = source.decode("utf-8", "replace") if place.header else _json_value(source, place.path)
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


def _json_value(body: bytes, path: Sequence[str]) -> str | None:
    value: Any = _first_json(body.decode("utf-8", "replace"), _ID_READER)
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


def _joined_headers(headers: Headers) -> dict[str, str]:
    joined: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    for raw_name, raw_value in headers:
        is_short = len(raw_name) <= _MAX_CACHED_NAME
        name = _cached_canonical(raw_name) if is_short else canonical_header(raw_name)
        value = raw_value.decode("utf-8", "replace")
        if name in joined:
            repeated.setdefault(name, [joined[name]]).append(value)
        elif name != "Host":
            joined[name] = value
    # Joined at the end: adding to one long text again and again is quadratic.
    joined.update({name: ", ".join(values) for name, values in repeated.items()})
    return dict(sorted(joined.items()))


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


def _unquoted(raw_path: str) -> str:
    if "%" not in raw_path:
        return raw_path
    return unquote_to_bytes(raw_path).decode("utf-8", "replace")


def _joined_pairs(text: str) -> dict[str, str]:
    """The pairs of a query or form as Go reads them: a pair with a bad escape or a semicolon is left out."""
    found: dict[str, list[str]] = {}
    for pair in text.split("&"):
        if not pair or ";" in pair or ("%" in pair and _BAD_PERCENT.search(pair)):
            continue
        raw_key, _, raw_value = pair.partition("=")
        key = _unquoted(raw_key.replace("+", " "))
        value = _unquoted(raw_value.replace("+", " "))
        found.setdefault(key, []).append(value)
    return {key: ", ".join(values) for key, values in sorted(found.items())}


def _form(meta: dict[str, Any], text: str) -> dict[str, str] | None:
    content_type = str(meta["headers"].get("Content-Type", ""))
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded" or meta["method"] not in _FORM_METHODS:
        return None
    return _joined_pairs(text) or None


def _utf8(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


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
