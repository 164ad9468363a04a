"""`hookline.json_text` at the speed of orjson, where both give the same: for what runs outside of session processes.

orjson reads whole numbers beyond 64 bits as floats and refuses to write them, and it refuses half characters and byte order
marks. So a text with so many digits in a row goes the slow way, and so does whatever orjson refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final
from uuid import UUID

import orjson

from hookline import json_text

_DIGITS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_PERHAPS_LARGE: Final = b"0" * 19  # as many digits as it takes to leave 64 bits


def read(text: bytes | str) -> Any:  # Any: JSON of any shape
    """See `json_text.read`."""
    if isinstance(text, str):
        text = json_text.whole_text(text).encode()
    try:
        if _PERHAPS_LARGE not in text.translate(_DIGITS):
            return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass  # a half character perhaps; the slow way says what is wrong
    return json_text.read(text)


def read_header(text: bytes) -> Any:  # Any: as above
    """As `read`, for the header of a frame: whole numbers beyond 64 bits, which no field of it has, may be rounded."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json_text.read(text)


def read_given(text: bytes) -> Any:  # Any: as above
    """See `json_text.read_given`."""
    try:
        if _PERHAPS_LARGE not in text.translate(_DIGITS):
            return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass  # as above
    return json_text.read_given(text)


def write(
    value: object,
    *,
    default: Callable[[object], object] | None = None,
    sort_keys: bool = False,
) -> bytes:
    """See `json_text.write`, in UTF-8 and compact. Times, ids and members of enumerations are written as orjson does."""
    try:
        return orjson.dumps(value, default=default, option=orjson.OPT_SORT_KEYS * sort_keys)
    except orjson.JSONEncodeError:
        plain = _as_orjson_does(default)
        return json_text.write(value, default=plain, sort_keys=sort_keys).encode()


def _as_orjson_does(default: Callable[[object], object] | None) -> Callable[[object], object]:
    def plain(value: object) -> object:
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, UUID):
            return str(value)
        if isinstance(value, Enum):
            return value.value
        if is_dataclass(value) and not isinstance(value, type):
            return asdict(value)
        if default is None:
            raise TypeError(f"a {type(value).__name__} is not JSON")
        return default(value)

    return plain
