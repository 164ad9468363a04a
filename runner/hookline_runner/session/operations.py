"""The operations of the service as a session's side knows them: their names for people, and what they wait for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from hookline import values
from hookline.errors import CallRefusedError
from hookline_runner.session.decisions import Action, Decision

ARGUMENTS_LIMIT_BYTES: Final = 8 * 1024 * 1024
TAKE_EVENT: Final = "take_event"
TAKE_SIGNAL: Final = "take_signal"

_NAMES: Final = {
    TAKE_EVENT: "next_event",
    TAKE_SIGNAL: "next_signal",
    "start_session": "start",
    "store.get": "get_value",
    "store.set": "set_value",
    "store.del": "del_value",
    "store.add": "add_values",
    "store.check_and_set": "check_and_set_value",
    "store.list": "list_values_keys",
    "store.publish": "publish_value",
    "store.unpublish": "unpublish_value",
}
_decisions: Final[dict[str, Decision]] = {}


def decision_of(operation: str, arguments: Mapping[str, object]) -> Decision:
    """How the operation is named in the journal: as the function that the author called."""
    key = f"store.{arguments.get('op')}" if operation == "store" else operation
    known = _decisions.get(key)
    if known is None:
        name = _NAMES.get(key, key)
        known = _decisions[key] = Decision(Action.DIRECT, name, json.dumps(name))
    return known


def shown_arguments(operation: str, arguments: Mapping[str, object]) -> dict[str, object]:
    """What people see of the arguments: those that say something."""
    hidden = {"op"} if operation == "store" else set[str]()
    return {
        name: value
        for name, value in arguments.items()
        if name not in hidden and value is not None and value not in ("", [])
    }


def encode_arguments(operation: str, arguments: Mapping[str, object]) -> str:
    """The arguments as JSON text.

    Raises:
        TypeError: one of them is not a value; see `hookline.values`.
        CallRefusedError: they are too large to be sent.
    """
    text = values.encode(arguments, around=values.AROUND)
    if len(text) > ARGUMENTS_LIMIT_BYTES:
        name = decision_of(operation, arguments).name
        raise CallRefusedError(
            "call.too_large",
            f"{name} was given {len(text)} bytes, and an operation may have {ARGUMENTS_LIMIT_BYTES}: "
            "give less, or write it to a file or a bucket and give its name",
        )
    return text.decode()


def topics_of(operation: str, arguments: Mapping[str, object]) -> tuple[str, ...]:
    """What wakes a session that waits for this operation."""
    if operation == TAKE_EVENT:
        return tuple(f"sub:{subscription}" for subscription in _texts(arguments, "subscriptions"))
    if operation == TAKE_SIGNAL:
        return tuple(f"sig:{name}" for name in _texts(arguments, "names"))
    return ()


def topic_of_taken(operation: str, taken: object) -> str | None:
    """The topic under which something came; None if nothing did, before the time was over."""
    if not isinstance(taken, dict):
        return None
    found = cast("dict[str, Any]", taken)
    if operation == TAKE_EVENT:
        return f"sub:{found.get('subscription')}"
    return f"sig:{found.get('name')}" if operation == TAKE_SIGNAL else None


def _texts(arguments: Mapping[str, object], name: str) -> list[str]:
    return [str(text) for text in cast("list[object]", arguments.get(name) or [])]
