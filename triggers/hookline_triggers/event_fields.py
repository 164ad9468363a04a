"""A field of an event as people are told of it: its value if that is short and no secret, else what it is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, cast

from hookline import json_text

_MOST_SHOWN: Final = 60
_MOST_READ: Final = 4000  # characters of a text; what lies behind them is never shown
_MOST_KEYS: Final = 5
_MOST_COMPARED: Final = 200
_ALIKE: Final = 0.75
_MANY: Final = ("a list", "a map", "bytes")
_BULK: Final = frozenset({("body", "bytes"), ("body", "text")})
_SECRET_NAME: Final = re.compile(
    r"passw|passphrase|passcode|pass$|pwd|secret|token|cookie|signature|credential|authoriz|authentic|bearer|jwt|"
    r"(api|access|private|signing|encryption|account|shared|client|license)[-_ ]?key|x-.*-key$|session[-_ ]?id|"
    r"(^|[-_])(auth|sig|hmac|otp|pin|sid|cvc|cvv)([-_]|$)",
    re.IGNORECASE,
)
_QUERY: Final = re.compile(r"\?[^\s\"']*")
_LOGIN: Final = re.compile(r"//[^/\s@]+@")
_SCHEME: Final = re.compile(r"\b(bearer|basic|digest|token)\s+\S+", re.IGNORECASE)
_LONG_WORD: Final = re.compile(r"[A-Za-z0-9_+=-]{16,}")
_MOST_CHANGES: Final = 2  # from letters to digits or back, in a word that somebody made
_MOST_HUMPS: Final = 5  # from lower to upper case or back, in such a word with a digit

Place = tuple[str | int, ...]
"""Where a field is below `data`: keys, and numbers of items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is at a place. When `is_there` is false, `value` is what should have held the member number `depth`."""

    value: object
    is_there: bool = True
    depth: int = 0


def look_up(data: Mapping[str, object], place: Place) -> Found:
    """What the data have at the place."""
    value: object = dict(data)
    for depth, key in enumerate(place):
        if isinstance(key, str):
            members = _members(value)
            if key not in members:
                return Found(value=value, is_there=False, depth=depth)
            value = members[key]
        else:
            items = _items(value)
            if key >= len(items):
                return Found(value=value, is_there=False, depth=depth)
            value = items[key]
    return Found(value=value)


def kind_of(value: object) -> str:
    """What a value is, in words, such as `a text`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds = ((str, "a text"), (int | float, "a number"), (bytes, "bytes"), (list, "a list"))
    return next((name for type_, name in kinds if isinstance(value, type_)), "a map")


def view_of(place: Place, found: Found) -> str:
    """What is told of it: `"push"`, `a list of 3`, `missing: …`."""
    value = found.value
    if not found.is_there:
        return _view_of_missing(place, found)
    if kind_of(value) in _MANY:
        return _view_of_many(value)
    if value is None:
        return "null" + _why_null(place)
    if any(isinstance(key, str) and _SECRET_NAME.search(key) for key in place):
        return f"{kind_of(value)} that is not shown because of its name"
    if isinstance(value, str):
        return _view_of_text(place, value)
    return shortened(json_text.write(value))


def shortened(text: str, most: int = _MOST_SHOWN) -> str:
    """The beginning of a longer text, with `…`."""
    return text if len(text) <= most else text[: most - 1] + "…"


def quoted(text: str) -> str:
    """The beginning of a text in double quotes, as JSON and filters have them."""
    return json_text.write(shortened(text))


def guarded(text: str) -> str:
    """The text without what is likely to be a secret in it: queries and logins of URLs, credentials, long random words."""
    text = text[:_MOST_READ]
    for pattern, instead in ((_QUERY, "?…"), (_LOGIN, "//…@"), (_SCHEME, r"\1 …")):
        text = pattern.sub(instead, text)
    return _LONG_WORD.sub(lambda found: "…" if _is_random(found[0]) else found[0], text)


def _is_random(word: str) -> bool:
    """Whether nobody would make up such a word: a key, a hash, an id."""
    signs = [sign for sign in word if sign.isalnum()]
    pairs = list(pairwise(signs))
    changes = sum(one.isdigit() != other.isdigit() for one, other in pairs)
    humps = sum(
        one.isupper() != other.isupper()
        for one, other in pairs
        if one.isalpha() and other.isalpha()
    )
    return changes > _MOST_CHANGES or (changes > 0 and humps > _MOST_HUMPS)


def _view_of_text(place: Place, text: str) -> str:
    if place in _BULK:
        return f"a text of {len(text)} characters"
    return quoted(
        guarded(text)
    )  # in this order, so that nothing is cut before it is known for what it is


def _view_of_many(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if kind_of(value) == "a list":
        return f"a list of {len(_items(value))}"
    keys = list(_members(value))
    return f"a map with {_named(keys)}" if keys else "an empty map"


def _view_of_missing(place: Place, found: Found) -> str:
    holder = "data" + _written(place[: found.depth])
    wanted, kind = place[found.depth], kind_of(found.value)
    if kind == "a map" and isinstance(wanted, str):
        return f"missing: `{holder}` has no {quoted(wanted)}{_instead(wanted, list(_members(found.value)))}"
    if kind == "a list":
        if isinstance(wanted, int):
            return f"missing: `{holder}` is a list of {len(_items(found.value))}"
        return f"missing: `{holder}` is a list, and its items are asked for by number"
    return f"missing: `{holder}` is {kind}{_why_null(place[: found.depth])}"


def _instead(wanted: str, keys: Sequence[str]) -> str:
    close = closest(wanted, keys)
    if close:
        return f", but {quoted(guarded(close))}"
    return f"; it has {_named(keys)}" if keys else "; it is empty"


def _members(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _items(value: object) -> Sequence[object]:
    return cast("list[object]", value) if isinstance(value, list) else ()


def _why_null(place: Place) -> str:
    reasons = {
        ("body", "json"): ", because the body is not JSON",
        ("body", "form"): ", because the body is not a form",
        ("body", "text"): ", because there is no body that is text",
        ("body", "bytes"): ", because there is no body",
    }
    return reasons.get(cast("tuple[str, str]", place), "")


def closest(wanted: str, keys: Sequence[str]) -> str:
    """The one of the names that is written most like the wanted one, whatever its case; "" if none is."""
    names = {_plain(key): key for key in keys[:_MOST_COMPARED] if len(key) <= _MOST_COMPARED}
    close = difflib.get_close_matches(_plain(wanted[:_MOST_COMPARED]), names, n=1, cutoff=_ALIKE)
    return names[close[0]] if close else ""


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")


def _named(keys: Sequence[str]) -> str:
    shown = ", ".join(quoted(guarded(key)) for key in keys[:_MOST_KEYS])
    return f"{shown} and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else shown


def _written(place: Place) -> str:
    return "".join(
        f".{key}"
        if isinstance(key, str) and re.fullmatch(r"[A-Za-z_]\w*", key)
        else f"[{json_text.write(key)}]"
        for key in place
    )
