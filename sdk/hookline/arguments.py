"""What user code may pass: checked and brought to one form before the host is asked. Nothing here has effects."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias, cast

from hookline.json_text import through_json
from hookline.values import to_tree

Duration: TypeAlias = float | timedelta
"""A length of time: seconds, or a timedelta."""

MAX_NAME: Final = 1_000
"""How many characters a name, a key or an id may have."""
LONGEST_S: Final = 100 * 366 * 86_400.0
"""A hundred years: a longer wait is one without end."""

_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_PART: Final = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)(ms|s|m|h|d)", re.ASCII)
_TEXT: Final = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_ROW_AND_COLUMN: Final = re.compile(r"\d+\.\d+,(.*)", re.ASCII)


def name_of(name: object, what: str) -> str:
    """The name, which is a text with something in it.

    Raises:
        TypeError: it is no text.
        ValueError: it is empty, too long, or not Unicode.
    """
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a str, not {type(name).__name__}")
    if not name:
        raise ValueError(f"{what} must not be empty")
    if len(name) > MAX_NAME:
        raise ValueError(f"{what} may have {MAX_NAME} characters, not {len(name)}")
    return _unicode_of(name, what)


def text_of(text: object, what: str) -> str:
    """The text, which may be empty.

    Raises:
        TypeError: it is no text.
        ValueError: it is not Unicode.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    return _unicode_of(text, what)


def names_of(names: object, what: str) -> list[str]:
    """The names of a list, or the one name given instead of it. Raises as `name_of`."""
    if isinstance(names, str):
        return [name_of(names, what)]
    if not isinstance(names, list | tuple):
        raise TypeError(f"{what} must be a str or a list of them, not {type(names).__name__}")
    return [name_of(name, what) for name in cast("Sequence[object]", names)]


def value_of(value: object, what: str) -> Any:
    """The same value, which can be written down; see `hookline.values`.

    Raises:
        TypeError, ValueError: it cannot; the text says why, and where in it.
    """
    to_tree(value, what)
    return value


def json_of(value: object, what: str, *, default: Callable[[object], object] | None = None) -> Any:
    """The value as it comes out of JSON; `default` says what to write for what JSON lacks.

    Raises:
        ValueError: it cannot be written as JSON.
    """
    try:
        read: object = through_json(value, default=default)
        to_tree(read)
    except (TypeError, ValueError, RecursionError) as exc:
        raise ValueError(f"{what}: {exc}") from None
    return read


def json_object_of(value: object, what: str) -> dict[str, Any]:
    """As `json_of`, for a dictionary; None gives an empty one."""
    read = json_of({} if value is None else value, what)
    if not isinstance(read, dict):
        raise ValueError(f"{what}: a dict is wanted, not {type(value).__name__}")  # noqa: TRY004 - documented so
    return cast("dict[str, Any]", read)


def seconds_of(duration: object, what: str) -> float:
    """The seconds of a number or a timedelta; at most `LONGEST_S` in either direction.

    Raises:
        TypeError: it is neither.
        ValueError: it is not a number of seconds.
    """
    if isinstance(duration, timedelta):
        return max(-LONGEST_S, min(duration.total_seconds(), LONGEST_S))
    if isinstance(duration, bool) or not isinstance(duration, int | float):
        kind = type(duration).__name__
        raise TypeError(f"{what} must be seconds (int or float) or a timedelta, not {kind}")
    if duration != duration:  # noqa: PLR0124 - how a NaN is known, of a number of any size
        raise ValueError(f"{what} must be a number of seconds, not nan")
    return float(max(-LONGEST_S, min(duration, LONGEST_S)))


def timeout_of(timeout: object, what: str) -> float | None:
    """The seconds of a time-out; None, without end, for None, 0 and whatever else is false. One that is over is 0.

    Raises: as `seconds_of`.
    """
    if not timeout:
        return None
    seconds = seconds_of(timeout, what)
    return None if seconds >= LONGEST_S else max(seconds, 0.0)


def length_of(duration: object, what: str) -> float:
    """The seconds of a number, a timedelta, or a text such as `500ms` or `1m30s`; zero or more.

    Raises: as `seconds_of`.
    """
    if isinstance(duration, str):
        if not _TEXT.fullmatch(duration):
            raise ValueError(f"{what}: {duration!r} is not a duration; write 500ms, 10s, 1m30s")
        return sum(float(number) * _UNIT_S[unit] for number, unit in _PART.findall(duration))
    seconds = seconds_of(duration, what)
    if seconds < 0:
        raise ValueError(f"{what} must not be negative")
    return seconds


def entry_point_of(loc: object, what: str) -> str:
    """The entry point as `path.py:name`, from that form or one with a space in place of the colon.

    Raises:
        TypeError: it is no text.
        ValueError: it names no file of the project, or no function.
    """
    text = name_of(loc, what).strip()
    path, colon, name = text.partition(":")
    if not colon:
        path, _, name = text.partition(" ")
    located = _ROW_AND_COLUMN.fullmatch(name.strip())
    name = (located[1] if located else name).strip()
    path = path.strip().removeprefix("./")
    parts = path.split("/")
    is_file = path.endswith(".py") and parts[-1] != ".py" and path.isprintable()
    if not is_file or "\\" in path or {"", ".", ".."} & set(parts):
        raise ValueError(f"{what}: {text!r} names no file of the project; write path/file.py:name")
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"{what}: {text!r} names no function; write path/file.py:name")
    return f"{path}:{name}"


def _unicode_of(text: str, what: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} must be Unicode; it holds half a character") from None
    return text
