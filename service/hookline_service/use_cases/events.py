"""Events that people send by hand, as if the trigger's source had sent them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

from hookline.errors import InvalidError
from hookline_runner import fast_json
from hookline_service.model.events import TICK, Event, event_of_connection, event_of_trigger
from hookline_service.model.projects import Connection, Trigger
from hookline_triggers.definitions import TriggerKind
from hookline_triggers.webhook import check_codings, written_headers

MAX_BODY_BYTES = 512 * 1024

# Any: JSON values of people and providers.
JsonObject = dict[str, Any]


class EventInvalidError(InvalidError):
    """An event cannot be sent as given."""

    code = "event.invalid"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field

    @property
    def details(self) -> dict[str, object]:
        """The field at fault."""
        return {"field": self.field}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentEvent:
    """What a person gives: all but the trigger may be left out."""

    type: str | None = None
    data: Any = None
    body: Any = None


def compose_event(trigger: Trigger, sent: SentEvent, now: datetime) -> Event:
    """The event to dispatch.

    For a webhook `data` are parts of the request (`method`, `headers`, `url.query`, …) over those of a plain
    POST, and `body` is its body: text as it is, other JSON as JSON text. Elsewhere `data` is the event's data.

    Raises:
        EventInvalidError: a part has the wrong shape.
    """
    is_webhook = trigger.definition.kind is TriggerKind.WEBHOOK
    if is_webhook:
        request, body = _request(trigger, sent)
        event_type = sent.type or str(request["method"]).lower()
        data: object = request
    else:
        if sent.body is not None:
            raise EventInvalidError("body", "only a webhook's event has one; use data")
        data = {} if sent.data is None else sent.data
        body = None
        event_type = sent.type or _default_type(trigger)
    return event_of_trigger(trigger, now, type=event_type, data=fast_json.write(data), body=body)


def compose_connection_event(connection: Connection, sent: SentEvent, now: datetime) -> Event:
    """The event to dispatch, as if the connection had delivered it. Raises `EventInvalidError`."""
    if sent.body is not None:
        raise EventInvalidError("body", "only a webhook's event has one; use data")
    data = fast_json.write({} if sent.data is None else sent.data)
    return event_of_connection(connection, now, type=sent.type or "", data=data)


def _default_type(trigger: Trigger) -> str:
    if trigger.definition.kind is TriggerKind.SCHEDULE:
        return TICK
    wanted = trigger.definition.event_type
    return "" if wanted == "*" else wanted


def _request(trigger: Trigger, sent: SentEvent) -> tuple[JsonObject, bytes]:
    parts: object = {} if sent.data is None else sent.data
    if not _is_object(parts):
        raise EventInvalidError(
            "data", "a webhook's data is a JSON object with parts of the request"
        )
    given = dict(parts)
    body = _body(given.pop("body", None) if sent.body is None else sent.body)
    if len(body) > MAX_BODY_BYTES:
        raise EventInvalidError("body", f"it is larger than {MAX_BODY_BYTES} bytes")
    path = f"/webhooks/{trigger.slug}"
    url: object = given.pop("url", None) or {}
    headers: object = given.pop("headers", None) or {}
    if not _is_object(url) or not _is_object(headers):
        raise EventInvalidError("data", "`url` and `headers` are JSON objects")
    headers, repeated = written_headers(headers)
    try:
        check_codings(
            [(b"content-encoding", str(headers.get("Content-Encoding", "")).encode())],
            body,
            MAX_BODY_BYTES,
        )
    except InvalidError as exc:
        raise EventInvalidError("body", exc.message) from exc
    data: JsonObject = {
        "method": "POST",
        "raw_url": path,
        "url": {"path": path, "path_suffix": "", "query": {}, **url},
        "headers": headers,
        "trailers": {},
        **repeated,
        **given,
    }
    if not isinstance(data["method"], str) or not data["method"]:
        raise EventInvalidError("data", "`method` is the name of an HTTP method")
    return data | {"method": data["method"].upper()}, body


def _body(given: Any) -> bytes:
    """Bytes of a body given as text, as JSON, or in the form in which events show theirs."""
    if given is None:
        return b""
    if isinstance(given, str):
        return given.encode()
    if _is_object(given) and set(given) == {"bytes", "text", "form", "json"}:
        return _shown_body(given)
    return fast_json.write(given)


def _shown_body(given: Mapping[str, Any]) -> bytes:
    encoded = given["bytes"]
    if encoded is None:
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError) as exc:
        raise EventInvalidError("body", "`bytes` is not base64") from exc


def _is_object(value: object) -> TypeGuard[JsonObject]:
    return isinstance(value, dict)
