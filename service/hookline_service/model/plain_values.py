"""Values as plain JSON, for those who do not know the marked forms of `hookline.values`."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from hookline import json_text
from hookline.values import decode


def plain_of(value: object) -> Any:  # Any: JSON of any shape
    """The value with bytes as base64, times as ISO 8601, lengths of time in seconds, sets as lists and keys as texts."""
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    return value


def plain_json(value: bytes) -> bytes:
    """JSON text of `hookline.values` as plain JSON text; raises ValueError when it is none."""
    if b'"$' not in value:
        return value
    return json_text.write_bytes(plain_of(decode(value)))


def _mapping(value: dict[object, object]) -> dict[str, Any]:
    return {_key_of(key): plain_of(item) for key, item in value.items()}


def _sequence(value: list[object] | tuple[object, ...]) -> list[Any]:
    return [plain_of(item) for item in value]


def _collection(value: set[object] | frozenset[object]) -> list[Any]:
    return sorted((plain_of(item) for item in value), key=json_text.write)


def _real(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _octets(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _key_of(key: object) -> str:
    plain = plain_of(key)
    return plain if isinstance(plain, str) else json_text.write(plain, is_spaced=True)


# Any: each writer takes values of its own kind only.
_WRITERS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (dict, _mapping),
    ((list, tuple), _sequence),
    ((set, frozenset), _collection),
    (float, _real),
    (bytes, _octets),
    (datetime, datetime.isoformat),
    (timedelta, timedelta.total_seconds),
)
