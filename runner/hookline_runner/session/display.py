"""Values as bounded JSON text for people. Never raises, whatever the value does."""

from __future__ import annotations

import json
import math
from itertools import islice
from typing import Any, Final, cast

from hookline.json_text import MAX_INT

LIMIT_BYTES: Final = 2048
RESULT_LIMIT_BYTES: Final = 64 * 1024
_MAX_ITEMS: Final = 50
_MAX_DEPTH: Final = 6
_SURE_BITS: Final = 64  # a number of so many is short
_NO_ARGUMENTS: Final = '{"args":[],"kwargs":{}}'

_encode = json.JSONEncoder(check_circular=False, separators=(",", ":"), allow_nan=False).encode


def display(value: object, limit_bytes: int = LIMIT_BYTES) -> str:
    """JSON text of about the value, of at most about that many bytes."""
    if value is None:
        return "null"
    budget = _Budget(limit_bytes)
    try:
        return _encode(_shown(value, budget, 0))
    except Exception:  # noqa: BLE001 - the value's own code: nothing is known of what it raises
        return "null"


def display_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """JSON text of a call's arguments: `{"args": […], "kwargs": {…}}`."""
    if not args and not kwargs:
        return _NO_ARGUMENTS
    budget = _Budget(LIMIT_BYTES)
    try:
        shown = [_shown(arg, budget, 1) for arg in args]
        named = {name: _shown(value, budget, 1) for name, value in kwargs.items()}
        return _encode({"args": shown, "kwargs": named})
    except Exception:  # noqa: BLE001 - as above
        return _NO_ARGUMENTS


def clean_text(text: str) -> str:
    """The text without halves of surrogate pairs, which no other program takes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


class _Budget:
    __slots__ = ("left",)

    def __init__(self, limit: int) -> None:
        self.left = limit

    def cut(self, text: str) -> str:
        left = max(self.left, 16)
        self.left -= min(len(text), left) + 2
        if len(text) <= left:
            return clean_text(text)
        return f"{clean_text(text[:left])}… ({len(text)} characters)"


def _shown(value: Any, budget: _Budget, depth: int) -> object:
    kind = cast("type[Any]", type(value))
    if kind is str:
        return budget.cut(value)
    if value is None or kind is bool:
        budget.left -= 5
        return value
    if kind is float:
        budget.left -= 12
        return value if math.isfinite(value) else repr(value)
    if kind is int:
        return _shown_int(value, budget)
    return _shown_object(value, budget, depth)


def _shown_int(value: int, budget: _Budget) -> object:
    if not -MAX_INT <= value <= MAX_INT:
        return budget.cut(_too_large(value))
    if value.bit_length() // 3 > max(budget.left, _SURE_BITS):
        return budget.cut(repr(value))
    budget.left -= 12 + value.bit_length() // 4
    return value


def _shown_object(value: Any, budget: _Budget, depth: int) -> object:
    kind = cast("type[Any]", type(value))
    if depth < _MAX_DEPTH and budget.left > 0:
        if isinstance(value, dict):
            return _shown_dict(cast("dict[object, object]", value), budget, depth)
        if kind in (list, tuple, set, frozenset):
            return _shown_items(cast("list[object]", value), budget, depth)
    if isinstance(value, bytes | bytearray):
        return budget.cut(repr(bytes(value[: max(budget.left, 16)])))
    return _described(value, budget)


def _shown_dict(value: dict[object, object], budget: _Budget, depth: int) -> object:
    shown: dict[str, object] = {}
    for key, item in islice(value.items(), _MAX_ITEMS):
        if budget.left <= 0:
            break
        name = key if isinstance(key, str) else safe_repr(key)
        shown[budget.cut(name)] = _shown(item, budget, depth + 1)
    if len(shown) < len(value):
        shown["…"] = f"{len(value)} items"
    return shown


def _shown_items(value: list[object], budget: _Budget, depth: int) -> object:
    shown: list[object] = []
    for item in islice(value, _MAX_ITEMS):
        if budget.left <= 0:
            break
        shown.append(_shown(item, budget, depth + 1))
    if len(shown) < len(value):
        shown.append(f"… {len(value)} items")
    return shown


def _described(value: object, budget: _Budget) -> object:
    name = type(value).__name__
    budget.left -= len(name) + 16
    return {"type": name, "repr": budget.cut(safe_repr(value))}


def safe_repr(value: object) -> str:
    """`repr`, or the plain form when the object's own fails."""
    if isinstance(value, int) and not -MAX_INT <= value <= MAX_INT:
        return _too_large(value)  # Python writes no such number
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - the object's own code: nothing is known of what it raises
        return object.__repr__(value)


def _too_large(number: int) -> str:
    return f"a whole number of {number.bit_length()} bits"
