"""What a session answers: outcomes of an event, of which an HTTP response is the usual one."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, cast

from hookline.arguments import json_of, name_of, value_of
from hookline.header_rules import problem_of_header
from hookline.host import current
from hookline.values import from_tree, to_tree, with_article

Headers: TypeAlias = Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str]]
"""Headers of an answer: texts by name, lists of them for a header that comes more than once, or pairs."""

_FINAL_STATUSES: Final = range(200, 600)
_SHOWN: Final = 60


def outcome(value: Any, *, event_id: str | None = None) -> None:
    """Record a value as an outcome of the event that started this session.

    Args:
        value: A value, see docs/sdk.md, "Values".
        event_id: Another event of the project, such as one got by `next_event(…, full=True)`.

    Raises:
        TypeError, ValueError: it is no value.
        CallRefusedError: there is no such event, or none started this session (`event.not_found`).

    Example:
        >>> outcome({"approved": True})
    """
    event = None if event_id is None else name_of(event_id, "outcome: event_id")
    current().call("outcome", {"value": value_of(value, "outcome: value"), "event": event})


def http_outcome(
    status_code: int = 200,
    body: Any = None,
    json: Any = None,
    headers: Headers | None = None,
    more: bool = False,
    event_id: str | None = None,
) -> None:
    """Answer the caller of a synchronous webhook (`is_sync: true`).

    Args:
        status_code: Status of the response.
        body: A text or bytes, sent as they are; anything else is sent as JSON. The content type is seen from its
            beginning unless a header says it.
        json: Anything JSON knows; sent as `application/json`. Other values, here and in a body, are sent as JSON can say
            them: times as ISO 8601, lengths of time in seconds, sets as lists, bytes as base64, objects as dictionaries, and
            floats that are no number (nan, inf) as null.
        headers: Headers of the response. One that comes more than once has a list of values, or the headers are a list of
            pairs: `[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]`.
        more: Further outcomes follow: they append to the body, and the caller sees each at once.
        event_id: The event whose caller is answered; None: the one that started this session.

    Raises:
        ValueError: both body and json are given; one is nothing for JSON; a status or a header is none.
        TypeError: the status is no number, or a header no text.
        CallRefusedError: there is no such event (`event.not_found`).

    Example:
        >>> http_outcome(201, json={"id": 7}, headers={"Location": "/orders/7"})
        >>> http_outcome(302, headers={"Location": "https://example.com"})
    """
    if body is not None and json is not None:
        raise ValueError("http_outcome: give body or json, not both")
    answer: dict[str, Any] = {
        "status_code": _status_of(status_code),
        "headers": _headers_of(headers),
        "more": bool(more),
    }
    if json is not None:
        answer["json"] = json_of(json, "http_outcome: invalid json", default=_plain_of)
    elif isinstance(body, str | bytes | bytearray | memoryview):
        answer["body"] = value_of(cast("object", body), "http_outcome: body")
    elif body is not None:
        answer["body"] = json_of(body, "http_outcome: invalid body", default=_plain_of)
    outcome(answer, event_id=event_id)


def _plain_of(value: object) -> object:
    """What JSON can say of a value that it lacks; raises TypeError or ValueError when it is no value."""
    tree = to_tree(value)
    if isinstance(value, set | frozenset):
        return from_tree(tree["$set"])  # in the order of the tree
    match from_tree(tree):
        case bytes(octets):
            return base64.b64encode(octets).decode()
        case datetime() as moment:
            return moment.isoformat()
        case timedelta() as length:
            return length.total_seconds()
        case plain:
            return plain


def _status_of(status: object) -> int:
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"http_outcome: status_code must be an int, not {type(status).__name__}")
    if status and status not in _FINAL_STATUSES:
        raise ValueError(f"http_outcome: status_code must be from 200 to 599, not {status}")
    return int(status)


def _pairs_of(headers: object) -> list[tuple[object, object]]:
    what = with_article(type(headers).__name__)
    try:
        if isinstance(headers, Mapping):
            return list(cast("Mapping[object, object]", headers).items())
        given = cast("Iterable[tuple[object, object]]", headers or ())
        return [(name, value) for name, value in given]
    except (TypeError, ValueError):
        raise TypeError(
            f"http_outcome: headers must be a dict or a list of pairs, not {what}"
        ) from None


def _headers_of(headers: object) -> dict[str, str | list[str]]:
    checked: dict[str, list[str]] = {}
    for name, value in _pairs_of(headers):
        if not isinstance(name, str):
            what = with_article(type(name).__name__)
            raise TypeError(f"http_outcome: headers must be texts, and a name is {what}")
        several = isinstance(value, list | tuple)
        values = cast("list[object]", value) if several else [value]
        checked.setdefault(name, []).extend(_header_text(name, each) for each in values)
    plain = {name: values[0] if len(values) == 1 else values for name, values in checked.items()}
    return value_of(plain, "http_outcome: headers")


def _header_text(name: str, value: object) -> str:
    if not isinstance(value, str | int | float):
        what = with_article(type(value).__name__)
        raise TypeError(f"http_outcome: headers must be texts, and {name[:_SHOWN]!r} is {what}")
    text = str(value)
    problem = problem_of_header(name, text)
    if problem is not None:
        raise ValueError(
            f"http_outcome: {name[:_SHOWN]!r}: {text[:_SHOWN]!r} is not a valid header: {problem}"
        )
    return text
