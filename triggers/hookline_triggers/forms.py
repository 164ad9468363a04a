"""Forms: the pairs of a query or a body, in order, and the files among them."""

from __future__ import annotations

import logging
import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hookline_triggers.charsets import UTF_8, Text, read_text

MOST_PARTS: Final = 1000
"""A form with more parts than this is not read."""

_MOST_HEADERS: Final = 8
_MOST_HEADER_BYTES: Final = 4096
_MOST_HEADERS_BYTES: Final = 256 * 1024
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_SEPARATOR: Final = ", "

# A text, or a file: a dictionary of `filename`, `content_type` and `bytes`.
Value = str | dict[str, Any]
Pairs = list[tuple[str, Value]]

_quiet = logging.getLogger(__name__)


def read_form(body: bytes, content_type: str, text: Text) -> Pairs | None:
    """The pairs of a body that is a form; None when it is none, is malformed, or has too many parts. Never raises.

    A file is a dictionary of `filename`, `content_type` (None if there is none) and `bytes`.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == _URLENCODED:
        if text.is_wide or text.codec == UTF_8:
            return read_pairs(text.readable)
        return read_pairs(body.decode("latin-1"), text.codec, "latin-1")
    if kind == _MULTIPART:
        return _read_multipart(body, content_type)
    return None


def read_pairs(text: str, codec: str = UTF_8, octets: str = UTF_8) -> Pairs:
    """The pairs of a query or form as Go reads them: a pair with a bad escape or a semicolon is left out.

    What is escaped is written in `codec`; `octets` makes bytes of what is not.
    """
    found: Pairs = []
    for pair in text.split("&"):
        if not pair or ";" in pair or ("%" in pair and _BAD_PERCENT.search(pair)):
            continue
        raw_key, _, raw_value = pair.partition("=")
        key = unquoted(raw_key.replace("+", " "), codec, octets)
        found.append((key, unquoted(raw_value.replace("+", " "), codec, octets)))
    return found


def unquoted(text: str, codec: str = UTF_8, octets: str = UTF_8) -> str:
    """The text without its escapes; what is no character becomes U+FFFD."""
    if "%" not in text and octets == UTF_8:
        return text
    return unquote_to_bytes(text.encode(octets, "replace")).decode(codec, "replace")


def joined(pairs: Pairs) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """One value for each key, and all values of those that come more than once; keys sorted.

    Texts of one key are joined by a comma. Where files are among them, the first file stands for all.
    """
    values: dict[str, list[Any]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    view = {key: _joined_values(several) for key, several in sorted(values.items())}
    return view, {key: several for key, several in sorted(values.items()) if len(several) > 1}


def _joined_values(values: list[Any]) -> Any:
    files = (value for value in values if not isinstance(value, str))
    return values[0] if len(values) == 1 else next(files, None) or _SEPARATOR.join(values)


class _MalformedError(FormParserError):
    """The body is not a form that is read."""


class _Parts:
    """What the parser finds, part by part."""

    def __init__(self) -> None:
        self.pairs: Pairs = []
        self.has_ended = False
        self._count = 0
        self._header_bytes = 0
        self._content: list[bytes] = []
        self._headers: dict[str, str] = {}
        self._name = b""
        self._value = b""

    def begin(self) -> None:
        self._count += 1
        if self._count > MOST_PARTS:
            raise _MalformedError(f"more than {MOST_PARTS} parts")
        self._content, self._headers = [], {}

    def name_data(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._name += data[start:end]

    def value_data(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._value += data[start:end]

    def header_end(self) -> None:
        name = self._name.decode("latin-1").lower()
        self._headers[name] = self._value.decode("latin-1")
        self._name = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def part_end(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition"))
        name, filename = options.get(b"name"), options.get(b"filename")
        if name is None:
            raise _MalformedError("a part without a name")
        content = b"".join(self._content)
        kind = self._headers.get("content-type")
        value: Value = {"bytes": content, "content_type": kind, "filename": _text_of(filename)}
        if filename is None:
            value = read_text(content, kind or "").readable
        self.pairs.append((_text_of(name), value))

    def end(self) -> None:
        self.has_ended = True

    def _count_header(self, size_bytes: int) -> None:
        self._header_bytes += size_bytes
        if self._header_bytes > _MOST_HEADERS_BYTES:
            raise _MalformedError("the headers of the parts are too large")


def _text_of(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")


def _read_multipart(body: bytes, content_type: str) -> Pairs | None:
    parts = _Parts()
    try:
        _, options = parse_options_header(content_type)
        parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": parts.begin,
                "on_part_data": parts.data,
                "on_part_end": parts.part_end,
                "on_header_field": parts.name_data,
                "on_header_value": parts.value_data,
                "on_header_end": parts.header_end,
                "on_end": parts.end,
            },
            max_header_count=_MOST_HEADERS,
            max_header_size=_MOST_HEADER_BYTES,
        )
        parser.logger = _quiet
        parser.write(body)
    except (FormParserError, KeyError, ValueError):  # ValueError: a boundary that is not latin-1
        return None
    return parts.pairs if parts.has_ended else None
