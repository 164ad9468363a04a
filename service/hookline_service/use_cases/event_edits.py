"""Changing what a session is given: single places of an event's data, named by paths such as `data.order.lines.0.price`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from hookline.errors import InvalidError
from hookline.json_text import MAX_DEPTH, is_deeper
from hookline_runner import fast_json
from hookline_triggers.webhook import event_data, without_codings

_ROOT = "data"
_BODY = "body"
_LONGEST_PLACE = 9  # digits: no list is longer
_TOO_DEEP = f"more than {MAX_DEPTH} levels of nesting would result"


class EditInvalidError(InvalidError):
    """A part of an event's data cannot be set as requested."""

    code = "event.edit_invalid"

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path[:200]!r} cannot be set: {problem}")
        self.path = path

    @property
    def details(self) -> dict[str, object]:
        """The place."""
        return {"path": self.path}


def edit_event(
    data: object, body: bytes | None, edits: Mapping[str, object]
) -> tuple[object, bytes | None]:
    """The data and the body with these places set; what is given is left as it is.

    Args:
        data: JSON; of a webhook's request, all but its body.
        body: the bytes of a webhook's request; None for other events.
        edits: values by path. Keys that are missing on the way are made. Of a request's body, `data.body.json` and
            what is below it, or `data.body.text`, can be set.

    Raises:
        EditInvalidError: there is no such place.
    """
    tree: object = fast_json.read(fast_json.write(data))
    for path, value in edits.items():
        root, *parts = path.split(".")
        if root != _ROOT or "" in parts:
            raise EditInvalidError(path, "a path begins with `data` and has no empty part")
        if len(parts) > MAX_DEPTH:
            raise EditInvalidError(path, _TOO_DEEP)
        if body is not None and parts[:1] == [_BODY]:
            body = _edit_body(path, parts[1:], tree, body, value)
            tree = without_codings(tree)
        else:
            tree = _set_at(path, tree, parts, value)
    return tree, body


def _edit_body(path: str, parts: list[str], meta: object, body: bytes, value: object) -> bytes:
    if parts == ["text"] and isinstance(value, str):
        return value.encode()
    if parts[:1] != ["json"]:
        problem = "of a request's body, `data.body.json` can be set, or `data.body.text` to a text"
        raise EditInvalidError(path, problem)
    known = cast("dict[str, object]", meta) if isinstance(meta, dict) else {}
    now = event_data(known, body)["body"]["json"]
    return fast_json.write(_set_at(path, now, parts[1:], value))


def _set_at(path: str, tree: object, parts: list[str], value: object) -> object:
    edited = _set_in(path, tree, parts, value)
    if is_deeper(edited):
        raise EditInvalidError(path, _TOO_DEEP)
    return edited


def _set_in(path: str, tree: object, parts: list[str], value: object) -> object:
    if not parts:
        return value
    first, *rest = parts
    if tree is None:
        tree = {}
    if isinstance(tree, dict):
        branch = cast("dict[str, object]", tree)
        return {**branch, first: _set_in(path, branch.get(first), rest, value)}
    if isinstance(tree, list):
        items = cast("list[object]", tree)
        is_place = first.isascii() and first.isdigit() and len(first) <= _LONGEST_PLACE
        if not is_place or int(first) >= len(items):
            raise EditInvalidError(path, f"{first!r} is not a position in a list of {len(items)}")
        place = int(first)
        return [*items[:place], _set_in(path, items[place], rest, value), *items[place + 1 :]]
    raise EditInvalidError(path, f"{first!r} would be part of {_named(tree)}")


def _named(value: object) -> str:
    if isinstance(value, str):
        return "a text"
    return "true or false" if isinstance(value, bool) else "a number"
