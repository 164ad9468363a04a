"""Events as they arrive in production, built by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast
from urllib.parse import urlencode

from hookline.attr_dict import AttrDict
from hookline.events import Event
from hookline.header_rules import problem_of_header
from hookline.json_text import write
from hookline.request_values import read_request
from hookline.testing.rooms import webhook_data

Fields: TypeAlias = Mapping[str, str | Sequence[str]]
"""Texts by name; a list for a name that comes more than once."""

_EVENT_ID: Final = "evt_test"
_BODIES_TYPE: Final = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


def webhook_event(  # noqa: PLR0913 - the parts of a request, nearly all by name
    method: str = "POST",
    path: str = "",
    *,
    query: Fields | None = None,
    headers: Fields | None = None,
    json: Any = None,
    form: Fields | None = None,
    body: bytes | str | None = None,
) -> Event:
    """The event of a request to a webhook, in the shape in which a handler gets it.

    Args:
        method: The HTTP method.
        path: What follows the trigger's URL, such as `/items/7?page=2`.
        query: Further parameters of the URL; a list for one that comes more than once.
        headers: The request's headers, in any spelling; a list for one that comes more than once.
        json: A body as JSON.
        form: A body as a form; a list for a field that comes more than once.
        body: A body as it stands.

    Raises:
        ValueError: more than one body is given, or a header that no request can have.

    Example:
        >>> event = webhook_event("post", "/items/7", json={"n": 1}, headers={"x-request-id": "a"})
        >>> event.event_type, event.data.url.path_suffix, event.data.body.json["n"]
        ('post', 'items/7', 1)
        >>> event.data.headers["X-Request-Id"]
        'a'
    """
    given = {"json": json, "form": form, "body": body}
    kinds = [kind for kind, value in given.items() if value is not None]
    if len(kinds) > 1:
        raise ValueError(f"webhook_event: give one of {' and '.join(kinds)}")
    sent = [(name, each) for name, value in (headers or {}).items() for each in _texts(value)]
    for name, value in sent:
        problem = problem_of_header(name, value)
        if problem is not None:
            raise ValueError(f"webhook_event: {name!r}: {value!r} is not a valid header: {problem}")
    content: bytes | None = body.encode() if isinstance(body, str) else body
    if json is not None:
        content = write(json, is_spaced=True).encode()
    elif form is not None:
        content = urlencode(form, doseq=True).encode()
    has_type = any(name.lower() == "content-type" for name, _ in sent)
    if kinds and kinds[0] in _BODIES_TYPE and not has_type:
        sent.append(("Content-Type", _BODIES_TYPE[kinds[0]]))
    data = read_request(webhook_data(method, _target(path, query), sent, content))
    return Event(data=AttrDict(data), event_id=_EVENT_ID, event_type=method.lower())


def tick_event() -> Event:
    """The event of a schedule.

    Example:
        >>> tick_event().event_type
        'tick'
    """
    return Event(data=AttrDict(), event_id=_EVENT_ID, event_type="tick")


def event_of(event: Event | Mapping[str, Any] | None) -> Event:
    """The event itself; data as the event of a manual start with it."""
    if isinstance(event, Event):
        return event
    return Event(data=AttrDict(read_request(dict(event or {}))))


def _texts(value: object) -> list[str]:
    several = isinstance(value, list | tuple)
    return [str(each) for each in (cast("list[object]", value) if several else [value])]


def _target(path: str, query: Fields | None) -> str:
    target = path if path[:1] in {"", "/", "?"} else f"/{path}"
    if query:
        target += ("&" if "?" in target else "?") + urlencode(query, doseq=True)
    return target
