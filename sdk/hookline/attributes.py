"""What an object shows of itself, when it is to be a value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

_HTTP_RESPONSE: Final = ("requests.models", "Response")


def public_attributes(value: object) -> dict[str, object] | None:
    """Name and value of each attribute that the object shows; None if it has none, or only private ones."""
    kind = type(value)
    if any((base.__module__, base.__name__) == _HTTP_RESPONSE for base in kind.__mro__):
        return _attributes_of_response(value)
    slots = [
        name
        for base in reversed(kind.__mro__)
        for name in _names(base.__dict__.get("__slots__", ()))
        if name not in {"__dict__", "__weakref__"}
    ]
    own = cast("dict[str, object] | None", getattr(value, "__dict__", None))
    if own is None and not any("__slots__" in base.__dict__ for base in kind.__mro__):
        return None
    names = [*slots, *(own or {})]
    public = [name for name in names if not name.startswith("_")]
    if names and not public:
        return None
    return {name: getattr(value, name) for name in public if hasattr(value, name)}


def _attributes_of_response(response: Any) -> dict[str, object]:  # Any: a foreign class
    """What a response of `requests` says; `json` is None where the body is none."""
    try:
        content = response.json()
    except (ValueError, RecursionError):
        content = None
    return {
        **{name: getattr(response, name) for name in ("status_code", "headers", "text")},
        "json": content,
    }


def _names(slots: str | Iterable[str]) -> list[str]:
    return [slots] if isinstance(slots, str) else list(slots)
