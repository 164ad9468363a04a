"""JSON of the service, taken apart: what is missing or of another shape reads as empty."""

from __future__ import annotations

from typing import Any, cast

from hookline import json_text

# Any: a JSON object of the service, read by the commands field by field.
JsonObject = dict[str, Any]


def as_object(text: str | bytes) -> JsonObject:
    """The JSON object that the text is; raises ValueError if it is none."""
    found = object_of(json_text.read(text))
    if found is None:
        raise ValueError("not a JSON object")
    return found


def object_of(value: object) -> JsonObject | None:
    """The value if it is a JSON object."""
    # cast: JSON objects have strings as keys.
    return cast("JsonObject", value) if isinstance(value, dict) else None


def objects_in(thing: JsonObject, key: str) -> list[JsonObject]:
    """The objects of the list that stands under this key."""
    # cast: the members are looked at one by one.
    value = thing.get(key)
    members = cast("list[object]", value) if isinstance(value, list) else []
    return [found for member in members if (found := object_of(member)) is not None]


def texts_in(thing: JsonObject, key: str) -> list[str]:
    """The members of the list that stands under this key, as text."""
    value = thing.get(key)
    # cast: the members are made text.
    members = cast("list[object]", value) if isinstance(value, list) else []
    return [str(member) for member in members]
