"""Outcomes and returned values as HTTP responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from hookline.errors import InvalidError
from hookline.header_rules import is_field_text, is_token
from hookline.json_text import write
from hookline.values import decode
from hookline_service.api.content_type import sniff
from hookline_service.model.plain_values import plain_of

Headers = list[tuple[bytes, bytes]]

_KEYS: Final = frozenset({"status_code", "headers", "more", "body", "json"})
_OURS: Final = frozenset(
    {
        *(b"connection", b"content-length", b"date", b"keep-alive", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
_CONTENT_TYPE: Final = b"content-type"
_JSON_TYPE: Final = b"application/json"
_STATUSES: Final = range(200, 600)
_BODILESS: Final = frozenset({204, 304})
_ESCAPED: Final = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_ESCAPES: Final = str.maketrans(_ESCAPED)


class OutcomeInvalidError(InvalidError):
    """An outcome is not a valid answer to an HTTP request."""

    code = "outcome.invalid"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the outcome cannot be sent: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP response, or its beginning: `more` says that further parts of the body follow."""

    status: int
    headers: Headers
    body: bytes
    more: bool = False

    @property
    def has_body(self) -> bool:
        """Whether a response of this status may have a body."""
        return self.status not in _BODILESS


def reply_of(outcome: bytes) -> Reply:
    """The response that an outcome (JSON text of `hookline.values`) begins; raises `OutcomeInvalidError`.

    A dictionary with no keys but `status_code`, `headers`, `more`, `body`, `json` says how to answer. Anything else is
    the answer itself: a text or bytes as they are, a dictionary, list, set, time or length of time as JSON.
    """
    value = _decoded(outcome)
    if value is None or isinstance(value, bool | int | float):
        raise OutcomeInvalidError(f"a value of type {type(value).__name__} is not an answer")
    return _reply_of_value(value)


def reply_of_returned(answer: bytes) -> Reply | None:
    """The response that a returned value makes; None when it is none or a number. Raises `OutcomeInvalidError`."""
    value = _decoded(answer)
    if value is None or isinstance(value, bool | int | float):
        return None
    made = _reply_of_value(value)
    return Reply(status=made.status, headers=made.headers, body=made.body)


def part_of(outcome: bytes) -> tuple[bytes, bool]:
    """The part of the body that a further outcome adds, and whether more follow; raises `OutcomeInvalidError`."""
    value = _decoded(outcome)
    if not _is_answer_form(value):
        return reply_of(outcome).body, False
    form = cast("Mapping[str, object]", value)
    return _body_of(form), bool(form.get("more"))


def json_text(value: object) -> bytes:
    """JSON with a newline, safe inside HTML: `<`, `>` and `&` are escaped."""
    text = write(plain_of(value), sort_keys=True)
    return text.translate(_ESCAPES).encode() + b"\n"


def _decoded(value: bytes) -> object:
    try:
        return decode(value)
    except ValueError as exc:
        raise OutcomeInvalidError(f"it is not a value: {exc!s:.200}") from exc


def _reply_of_value(value: object) -> Reply:
    if _is_answer_form(value):
        return _reply_of_form(cast("Mapping[str, object]", value))
    if isinstance(value, str | bytes):
        return _complete(200, [], _octets_of(value))
    return _complete(200, [(_CONTENT_TYPE, _JSON_TYPE)], json_text(value))


def _is_answer_form(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and value.keys() <= _KEYS  # pyright: ignore[reportUnknownArgumentType] - a dictionary of anything


def _reply_of_form(form: Mapping[str, object]) -> Reply:
    headers = _headers_of(form.get("headers"))
    if form.get("json") is not None and not _has(headers, _CONTENT_TYPE):
        headers.append((_CONTENT_TYPE, _JSON_TYPE))
    return _complete(
        _status_of(form.get("status_code")), headers, _body_of(form), more=bool(form.get("more"))
    )


def _complete(status: int, headers: Headers, body: bytes, *, more: bool = False) -> Reply:
    if status in _BODILESS:
        return Reply(status=status, headers=headers, body=b"")
    if body and not _has(headers, _CONTENT_TYPE):
        headers = [*headers, (_CONTENT_TYPE, sniff(body).encode())]
    return Reply(status=status, headers=headers, body=body, more=more)


def _body_of(form: Mapping[str, object]) -> bytes:
    body, content = form.get("body"), form.get("json")
    if body is not None and content is not None:
        raise OutcomeInvalidError("it has both `body` and `json`")
    if content is not None:
        return json_text(content)
    if body is None:
        return b""
    return _octets_of(body) if isinstance(body, str | bytes) else json_text(body)


def _octets_of(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _status_of(status: object) -> int:
    if status is None or (status == 0 and not isinstance(status, bool)):
        return 200
    if isinstance(status, bool) or not isinstance(status, int) or status not in _STATUSES:
        raise OutcomeInvalidError(f"`status_code` is from 200 to 599, not {status!r:.40}")
    return status


def _headers_of(given: object) -> Headers:
    if given is None:
        return []
    headers: Headers = []
    for name, value in _named_values(given):
        values: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType] - of anything
        headers += [_header_of(name, each) for each in values]
    return [header for header in headers if header[0] not in _OURS]


def _named_values(given: object) -> list[tuple[object, object]]:
    if isinstance(given, dict):
        return list(cast("dict[object, object]", given).items())
    pairs = cast("list[object]", given) if isinstance(given, list) else [None]
    if not all(isinstance(pair, list) and len(cast("list[object]", pair)) == 2 for pair in pairs):  # noqa: PLR2004 - a pair
        raise OutcomeInvalidError("`headers` is a dictionary, or a list of pairs of name and value")
    return [(name, value) for name, value in cast("list[list[object]]", pairs)]


def _header_of(name: object, value: object) -> tuple[bytes, bytes]:
    if not isinstance(name, str) or not is_token(name):
        raise OutcomeInvalidError(f"{name!r:.60} is not the name of a header")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise OutcomeInvalidError(f"the header {name} is not text")
    text = str(value)
    if not is_field_text(text):
        raise OutcomeInvalidError(
            f"the header {name} has a line break or another control character"
        )
    return name.lower().encode(), text.strip().encode()


def _has(headers: Headers, wanted: bytes) -> bool:
    return any(name == wanted for name, _ in headers)
