"""JSON text: what a text means, and what is written for a value. Every other module reads and writes JSON through this one.

A text is read the same whoever reads it: whole numbers keep their digits, up to `MAX_INT_DIGITS`; a byte order mark before
the text is skipped; `NaN`, `Infinity` and numbers beyond every float are not JSON; of members with one name the last
counts. Half of a surrogate pair is no character: `read` puts U+FFFD in its place, `read_given` refuses it. What is
written can be read by anybody: it holds no half character, and nothing that JSON lacks.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, NoReturn, cast

MAX_DEPTH: Final = 200
"""How many containers may lie within each other in what comes from outside; each edge sees to it by `is_deeper`."""
MAX_INT_DIGITS: Final = 4_000
"""How many decimal digits a whole number may have."""
MAX_INT: Final = 10**MAX_INT_DIGITS - 1
"""The largest such number."""

_MARK: Final = "\ufeff"
_NO_CHARACTER: Final = "\ufffd"
_HALF_A_CHARACTER: Final = "half a character: one half of a surrogate pair"
_SPACE: Final = " \t\r\n"
_HALF: Final = re.compile("[\ud800-\udfff]")
# Each escape in turn, so that the backslashes of `\\ud83d` are not taken apart: a pair, a half, any other.
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


class TooDeepError(ValueError):
    """More levels of nesting than Python's stack is deep."""

    def __init__(self) -> None:
        super().__init__("the containers lie too deeply within each other")


class Reader:
    """Reads JSON texts; says what becomes of numbers with a fraction or an exponent, and of objects."""

    __slots__ = ("_decoder",)

    def __init__(
        self,
        *,
        real: Callable[[str], object] | None = None,
        members: Callable[[list[tuple[str, Any]]], object] | None = None,  # Any: JSON of any shape
        constant: Callable[[str], object] | None = None,
    ) -> None:
        """See `finite` for what `real` gets; `members` gets those of an object in their order, `constant` NaN and its like."""
        self._decoder = json.JSONDecoder(
            parse_int=_whole,
            parse_float=real or finite,
            parse_constant=constant or _refuse_constant,
            object_pairs_hook=members,
        )

    def read(self, text: str) -> Any:  # Any: as above
        """The value that the text is. Raises ValueError when it is none."""
        prepared = _mended(_unmarked(text))
        return self._guarded(lambda: self._decoder.decode(prepared))

    def read_first(self, text: str) -> Any:  # Any: as above
        """The value that the text begins with, whatever follows. Raises ValueError when there is none."""
        prepared = _mended(_unmarked(text))
        start = len(prepared) - len(prepared.lstrip(_SPACE))
        return self._guarded(lambda: self._decoder.raw_decode(prepared, start)[0])

    def decode(self, text: str) -> Any:  # Any: as above
        """As `read`, of a text that was written here just now."""
        return self._decoder.decode(text)

    @staticmethod
    def _guarded(decode: Callable[[], Any]) -> Any:
        try:
            return decode()
        except RecursionError:
            raise TooDeepError from None


def read(text: str | bytes) -> Any:
    """The value of a text; what is no character in it is U+FFFD.

    Raises:
        ValueError: it is not JSON.

    Example:
        >>> read(b'{"n": 123456789012345678901234567890}')
        {'n': 123456789012345678901234567890}
    """
    return _PLAIN.read(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)


def read_given(text: str | bytes) -> Any:
    """The value of a text that somebody gave who can be told what is wrong with it.

    Raises:
        ValueError: it is not JSON, not UTF-8, or holds half of a surrogate pair; the text says where.
    """
    try:
        given = text.decode() if isinstance(text, bytes) else text
        given.encode()
    except UnicodeDecodeError as exc:
        wrong = exc.object[exc.start]
        raise ValueError(f"it is not UTF-8: byte {exc.start} is 0x{wrong:02x}") from None
    except UnicodeEncodeError as exc:
        raise ValueError(f"character {exc.start} is {_HALF_A_CHARACTER}") from None
    half = next((found for found in _escapes_in(given) if found[1]), None)
    if half is not None:
        raise ValueError(f"{half[0]} at character {half.start()} is {_HALF_A_CHARACTER}")
    return _PLAIN.read(given)


def write(
    value: object,
    *,
    indent: int | None = None,
    is_spaced: bool = False,
    sort_keys: bool = False,
    default: Callable[[object], object] | None = None,
) -> str:
    """The text of a value that is JSON; half characters become U+FFFD, and floats that are no number null.

    Args:
        value: Dictionaries, lists, tuples, texts, numbers, truth values and None.
        indent: Write each member on a line of its own, so many spaces further in.
        is_spaced: Write a space behind commas and colons.
        sort_keys: Write the members of objects by name.
        default: What to write in the place of any other value.

    Raises:
        TypeError: there is another value in it, and no `default`.
        ValueError: it contains itself, is nested too deeply, or holds a whole number beyond 4300 digits.
    """
    encode = json.JSONEncoder(
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        separators=None if is_spaced or indent is not None else (",", ":"),
        sort_keys=sort_keys,
        default=default,
    ).encode
    try:
        try:
            return whole_text(encode(value))
        except ValueError:
            return whole_text(encode(_finite_only(value)))
    except RecursionError:
        raise TooDeepError from None


def write_bytes(value: object) -> bytes:
    """As `write`, compact, in UTF-8."""
    return write(value).encode()


def write_tree(tree: object, *, sort_keys: bool = True) -> str:
    """As `write`, for what is known to be a tree of whole texts and finite numbers; quicker."""
    return _encode_sorted(tree) if sort_keys else _encode_as_it_is(tree)


def through_json(value: object, *, default: Callable[[object], object] | None = None) -> Any:
    """The value as it comes out of JSON: tuples as lists, keys as texts; half characters are left as they are.

    With a `default`, which says what to write for what JSON lacks, floats that are no number are None, as `write` has them.

    Raises:
        TypeError: there is something in it that JSON lacks, and no `default`.
        ValueError: a float in it is no number, and there is no `default`; a whole number is too long, or it contains itself.
        RecursionError: it is nested too deeply.
    """
    if default is None:
        return _PLAIN.decode(json.JSONEncoder(allow_nan=False).encode(value))
    return _WITHOUT_NAN.decode(json.JSONEncoder(default=default).encode(value))


def whole_text(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which UTF-8 cannot hold."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _HALF.sub(_NO_CHARACTER, text)
    return text


def is_deeper(value: object, depth: int = MAX_DEPTH) -> bool:
    """Whether more containers than that lie within each other in the value."""
    level = [value]
    for _ in range(depth):
        level = [child for parent in level for child in _containers_in(parent)]
        if not level:
            return False
    return True


def finite(digits: str) -> float:
    """The float of a number's text; raises ValueError when it is beyond every float."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:40]} is beyond every float")
    return number


def _whole(digits: str) -> int:
    if len(digits) > MAX_INT_DIGITS and len(digits.removeprefix("-")) > MAX_INT_DIGITS:
        raise ValueError(f"a whole number may have {MAX_INT_DIGITS} digits, not more")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unmarked(text: str) -> str:
    return text[1:] if text.startswith(_MARK) else text


def _mended(text: str) -> str:
    """The text with U+FFFD for each half of a pair, written as it is or as an escape."""
    if "\\ud" in text or "\\uD" in text:
        text = _ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], text)
    return whole_text(text)


def _escapes_in(text: str) -> list[re.Match[str]]:
    return list(_ESCAPE.finditer(text)) if "\\ud" in text or "\\uD" in text else []


def _containers_in(parent: object) -> list[object]:
    if isinstance(parent, dict):
        children = list(cast("dict[str, object]", parent).values())
    elif isinstance(parent, list):
        children = cast("list[object]", parent)
    else:
        return []
    return [child for child in children if isinstance(child, (dict, list))]


def _finite_only(value: object) -> object:
    """The same with None in the place of floats that are no number."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        members = cast("dict[object, object]", value)
        return {key: _finite_only(item) for key, item in members.items()}
    if isinstance(value, list | tuple):
        return [_finite_only(item) for item in cast("list[object]", value)]
    return value


_PLAIN: Final = Reader()
_WITHOUT_NAN: Final = Reader(constant=lambda _: None)
_encode_sorted: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode
_encode_as_it_is: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode
