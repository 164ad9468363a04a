"""The functions that filters may call beyond those of the CEL engine itself, as cel-go defines them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import cast

from hookline.json_text import write
from hookline_triggers.cel_engine import list_extensions

_NATIVE = """
    has size contains startsWith endsWith matches int uint double string bytes bool timestamp duration type dyn
    getFullYear getMonth getDayOfYear getDayOfMonth getDate getDayOfWeek getHours getMinutes getSeconds
    getMilliseconds all exists exists_one map filter cel.bind optional.of optional.none value hasValue orValue
    or optional.ofNonZeroValue
"""
_MAX_RANGE = 10_000
_MAX_TEXT = 4 * 1024 * 1024  # characters of a text that a function makes
_MAX_COMPARISONS = 10_000_000
_VERB = re.compile(r"%(?:\.(\d{1,3}))?([sdfebxXo%])")

# The engine counts the bytes of a text where CEL counts code points, so calls go to ours instead.
RENAMED = {"size": "hookline_size"}


def known_functions() -> frozenset[str]:
    """Every name that a filter may call; those of a library with its prefix, as `math.abs`."""
    return frozenset(_NATIVE.split()) | frozenset(_functions())


def find_functions(names: set[str]) -> dict[str, Callable[..., object]]:
    """Those of the named functions that the engine lacks, by the names it is to call them by."""
    ours = _functions()
    return {RENAMED.get(name, name): ours[name] for name in names if name in ours}


def _functions() -> dict[str, Callable[..., object]]:
    found = {
        name: function
        for library in list_extensions().values()
        for name, function in library.items()
    }
    return found | {
        "size": _size,
        "string": _string,
        "format": _format,
        "base64.decode": _base64_decode,
        "lists.range": _range,
        "join": _join,
        "replace": _replace,
        "distinct": _distinct,
        "sets.contains": _comparing(found["sets.contains"]),
        "sets.equivalent": _comparing(found["sets.equivalent"]),
        "sets.intersects": _comparing(found["sets.intersects"]),
    }


def _size(value: object) -> int:
    if isinstance(value, (str, bytes, list, dict)):
        return len(cast("str", value))
    raise TypeError("size takes a text, bytes, a list or a map")


def _string(value: object) -> str:
    """Only what the engine's own `string` refuses comes here: truth values."""
    if isinstance(value, bool):
        return "true" if value else "false"
    raise TypeError("string cannot take this type")


def _base64_decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _range(length: int) -> list[int]:
    if length > _MAX_RANGE:
        raise ValueError(f"lists.range goes up to {_MAX_RANGE}")
    return list(range(length))


def _join(items: list[str], separator: str = "") -> str:
    _check_size(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    found = text.count(old)
    _check_size(len(text) + len(new) * (found if limit < 0 else min(found, limit)))
    return text.replace(old, new, max(limit, -1))


def _distinct(items: list[object]) -> list[object]:
    _check_comparisons(len(items), len(items))
    found: list[object] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _comparing(function: Callable[..., object]) -> Callable[..., object]:
    """The function of two lists, which compares each item with each."""

    def compare(one: list[object], other: list[object]) -> object:
        _check_comparisons(len(one), len(other))
        return function(one, other)

    return compare


def _check_size(size: int) -> None:
    if size > _MAX_TEXT:
        raise ValueError(f"a function of a filter makes texts of up to {_MAX_TEXT} characters")


def _check_comparisons(one: int, other: int) -> None:
    if one * other > _MAX_COMPARISONS:
        raise ValueError(f"lists of {one} and {other} items are too long to compare each with each")


def _format(template: str, values: list[object]) -> str:
    left = iter(values)
    spare = object()
    made = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal made
        text = shown(match)
        made += len(text)
        _check_size(made)
        return text

    def shown(match: re.Match[str]) -> str:
        precision, verb = match.groups()
        if verb == "%":
            return "%"
        value = next(left, spare)
        if value is spare:
            raise ValueError("format has fewer values than verbs")
        return _formatted(verb, 6 if precision is None else int(precision), value)

    text = _VERB.sub(replaced, template)
    if next(left, spare) is not spare:
        raise ValueError("format has more values than verbs")
    return text


def _formatted(verb: str, precision: int, value: object) -> str:
    if verb == "s":
        return _shown(value)
    if verb in "xX" and isinstance(value, (str, bytes)):
        digits = (value.encode() if isinstance(value, str) else value).hex()
        return digits.upper() if verb == "X" else digits
    if verb == "b" and isinstance(value, bool):
        return str(int(value))
    if verb in "fe" and isinstance(value, (int, float)):
        return f"{value:.{precision}{verb}}"
    if isinstance(value, int) and not isinstance(value, bool):
        return format(value, verb)
    raise TypeError(f"format cannot show this type as %{verb}")


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item) for item in cast("list[object]", value)) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return write(value, is_spaced=True, default=str)
