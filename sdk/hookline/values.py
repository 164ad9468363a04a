"""Values that sessions give each other and keep in the store: JSON, with marked forms for what JSON lacks.

A *value* is None, a bool, an int of any size, a float, a text, bytes, a list, a set, a dict, a time or a length of
time. A *tree* is the same as JSON. The forms stand in docs/protocol.md, "Values". Nothing read here runs code.
"""

from __future__ import annotations

import base64
import enum
import math
import sys
import types
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NoReturn, cast

from hookline.attributes import public_attributes
from hookline.json_text import (
    MAX_DEPTH as MAX_JSON_DEPTH,
    MAX_INT,
    MAX_INT_DIGITS,
    TooDeepError,
    read_given,
    write_tree,
)

MAX_DEPTH: Final = 100
"""How many containers may lie within each other."""
AROUND: Final = 8
"""Containers that operations put around a value, at most: that of arguments, of a message, of how a session ended."""
MAX_NODES: Final = 1_000_000
"""How many items a value may have, counted with those of its containers."""

_SAFE_INT: Final = 1 << 63
_MICROSECOND: Final = timedelta(microseconds=1)
_REFUSED: Final = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    BaseException,
    date,
    time,
    uuid.UUID,
)
_INDEX: Final = "[{}]"
_KEY: Final = "[{!r}]"
_ATTRIBUTE: Final = ".{}"
_MEMBER: Final = "{{…}}"
_SHOWN_KEY: Final = 40
_ITEMS_AROUND: Final = 8  # of each container around a value
_ALLOWED: Final = "None, bool, int, float, str, bytes, list, tuple, set, dict, datetime, timedelta, or an object with public attributes"

_EVENT_DEPTH: Final = MAX_JSON_DEPTH + AROUND


def encode(value: object, *, around: int = 0) -> bytes:
    """The value as compact JSON text with sorted keys: equal values of one type give equal bytes.

    `around`: how many containers, not more than `AROUND`, an operation has put around what somebody gave.

    Raises:
        TypeError: something in it cannot be a value; the text says where.
        ValueError: it is too deep or too large, contains itself, or holds a text that is not Unicode.

    Example:
        >>> encode({"b": (1, 2), "a": b"x"})
        b'{"a":{"$bytes":"eA=="},"b":[1,2]}'
    """
    return write_tree(_Writer(_Walk(around=around)).write(value)).encode()


def decode(text: bytes | str, *, around: int = 0) -> Any:
    """The value that `encode` wrote; `around` as there.

    Raises:
        ValueError: the text is not JSON, or holds a form that is not known.

    Example:
        >>> decode('{"when": {"$duration": 1500000}}')
        {'when': datetime.timedelta(seconds=1, microseconds=500000)}
    """
    return _Reader(_Walk(around=around)).read(_tree_of(text))


def encode_event(event: Mapping[str, object]) -> bytes:
    """As `encode`, for an event: its data may be as deep as any that come from outside, and of any size.

    Members stay in their order, for so a session gets them that is started by the event.

    Raises: as `encode`.
    """
    tree = _Writer(_event_walk(), keeps_order=True).write(event)
    return write_tree(tree, sort_keys=False).encode()


def decode_answer(text: bytes | str) -> Any:
    """What an operation gave: a value and what stands around it, or an event.

    Raises: as `decode`.
    """
    return _Reader(_event_walk()).read(_tree_of(text))


def to_tree(value: object, name: str = "value") -> Any:
    """The value as what `json` can write; errors call it by this name.

    Tuples become lists, frozen sets sets, times UTC (without a zone they are taken as UTC), named tuples, dataclasses
    and other objects dictionaries of their public attributes, members of an enumeration their value, responses of
    `requests` dictionaries of `status_code`, `headers`, `text` and `json`.

    Raises: as `encode`.
    """
    return _Writer(_Walk(name)).write(value)


def from_tree(tree: object) -> Any:
    """The value that `to_tree` was given.

    Raises:
        ValueError: the tree holds a form that is not known, or is too deep or too large.
    """
    return _Reader(_Walk()).read(tree)


class _Walk:
    """Where in a value we are, and how much of it there was."""

    __slots__ = ("_max_depth", "_max_nodes", "_name", "_path", "nodes")

    def __init__(
        self, name: str = "value", *, around: int = 0, max_depth: int = 0, max_nodes: int = 0
    ) -> None:
        self._max_depth = max_depth or MAX_DEPTH + around
        self._max_nodes = max_nodes or MAX_NODES + _ITEMS_AROUND * around
        self._name = name
        self._path: list[tuple[str, object]] = []
        self.nodes = 0

    @property
    def place(self) -> str:
        return "".join([self._name, *(_shown(form, key) for form, key in self._path)])

    def enter(self, form: str, key: object = "") -> None:
        """Go down by a step that is shown as the key in that form."""
        self._path.append((form, key))

    def leave(self) -> None:
        self._path.pop()

    def count(self, items: int) -> None:
        """Before the items of a container are walked."""
        if len(self._path) >= self._max_depth:
            raise ValueError(_too_deep(self.place))
        self.nodes += items
        if self.nodes > self._max_nodes:
            raise ValueError(
                f"{self._name} has more than {MAX_NODES} items: keep it in a file instead"
            )


def _event_walk() -> _Walk:
    """That of something as deep as what comes from outside, and as large as it likes."""
    return _Walk(max_depth=_EVENT_DEPTH, max_nodes=sys.maxsize)


def _tree_of(text: bytes | str) -> object:
    try:
        return read_given(text)
    except TooDeepError:
        raise ValueError(_too_deep("")) from None


def with_article(noun: str) -> str:
    """The name of a type in a sentence.

    Example:
        >>> with_article("list"), with_article("object"), with_article("UUID")
        ('a list', 'an object', 'a UUID')
    """
    return f"{'an' if noun[:1].lower() in {'a', 'e', 'i', 'o'} else 'a'} {noun}"


def _shown(form: str, key: object) -> str:
    return form.format(key[:_SHOWN_KEY] if isinstance(key, str) else key)


def _too_deep(place: str) -> str:
    shown = f"{place[:60]}…: " if place else ""
    return f"{shown}a value may have {MAX_DEPTH} containers within each other, not more"


class _Writer:
    """Makes a tree of a value."""

    def __init__(self, walk: _Walk, *, keeps_order: bool = False) -> None:
        self._walk = walk
        self._keeps_order = keeps_order
        self._open: set[int] = set()
        self._is_hashable = False  # within a key or a member of a set

    def write(self, value: object) -> Any:
        if value is None or value is True or value is False:
            return value
        for kind, write in _WRITERS:
            if isinstance(value, kind):
                return write(self, value)
        return self._write_object(value)

    def text(self, value: str) -> str:
        text = str.__str__(value)
        try:
            text.encode()
        except UnicodeEncodeError as exc:
            raise ValueError(
                f"{self._walk.place}: a text must be Unicode, and {text[exc.start]!r} is half a character; "
                "give bytes instead"
            ) from None
        return text

    def integer(self, value: int) -> Any:
        number = int(value)
        if -_SAFE_INT <= number < _SAFE_INT:
            return number
        if not -MAX_INT <= number <= MAX_INT:
            raise ValueError(
                f"{self._walk.place}: an int may have {MAX_INT_DIGITS} digits, not more"
            )
        return {"$int": str(number)}

    def real(self, value: float) -> Any:
        number = float(value)
        return number if math.isfinite(number) else {"$float": repr(number)}

    def octets(self, value: bytes | bytearray | memoryview) -> Any:
        return {"$bytes": base64.b64encode(value).decode()}

    def moment(self, value: datetime) -> Any:
        if value.tzinfo is None:
            return {"$time": value.replace(tzinfo=UTC).isoformat()}
        try:
            return {"$time": value.astimezone(UTC).isoformat()}
        except OverflowError:
            raise ValueError(f"{self._walk.place}: {value} lies outside the years of UTC") from None

    def duration(self, value: timedelta) -> Any:
        return {"$duration": value // _MICROSECOND}

    def member(self, value: enum.Enum) -> Any:
        return self.write(value.value)

    def sequence(self, value: list[object] | tuple[object, ...]) -> Any:
        if isinstance(value, tuple) and hasattr(value, "_fields") and not self._is_hashable:
            names = cast("tuple[str, ...]", getattr(value, "_fields"))  # noqa: B009 - the attribute is not typed
            return self.mapping(dict(zip(names, value, strict=False)))
        key = self._open_container(value, len(value))
        written: list[Any] = []
        for index, item in enumerate(value):
            self._walk.enter(_INDEX, index)
            written.append(self.write(item))
            self._walk.leave()
        self._open.discard(key)
        return written

    def collection(self, value: set[object] | frozenset[object]) -> Any:
        written = self._within(value, lambda: [self._step_hashable(item) for item in value])
        return {"$set": sorted(written, key=write_tree)}

    def mapping(self, value: Mapping[object, object]) -> Any:
        if self._is_hashable:
            self.refused(value)
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return self._members(value, cast("Mapping[str, object]", value), _KEY)
        pairs: list[list[Any]] = self._within(
            value,
            lambda: [
                [
                    self._step_hashable(key),
                    self._step(_KEY if isinstance(key, str) else _MEMBER, key, item),
                ]
                for key, item in value.items()
            ],
        )
        if not self._keeps_order:
            pairs.sort(key=lambda pair: write_tree(pair[0]))
        return {"$dict": pairs}

    def refused(self, value: object) -> NoReturn:
        kind = type(value)
        name = getattr(value, "__qualname__", None)
        shown = with_article(kind.__name__) + (f" {name}" if isinstance(name, str) else "")
        if self._is_hashable:
            raise TypeError(f"{self._walk.place}: {shown} cannot be a key or a member of a set")
        hint = "; write it as a text" if isinstance(value, date | time | uuid.UUID) else ""
        raise TypeError(
            f"{self._walk.place}: {shown} cannot be a value{hint}. A value is {_ALLOWED}"
        )

    def _write_object(self, value: object) -> Any:
        attributes = public_attributes(value)
        if attributes is None or self._is_hashable:
            self.refused(value)
        return self._members(value, attributes, _ATTRIBUTE)

    def _members(self, container: object, members: Mapping[str, object], form: str) -> Any:
        # As few frames for each level as can be: an event is deep, and Python's stack is not.
        opened = self._open_container(container, len(members))
        written: dict[str, Any] = {}
        for name, item in members.items():
            shown = self.text(name)
            self._walk.enter(form, name)
            written[shown] = self.write(item)
            self._walk.leave()
        self._open.discard(opened)
        return written

    def _step(self, form: str, key: object, value: object) -> Any:
        self._walk.enter(form, key)
        written = self.write(value)
        self._walk.leave()
        return written

    def _step_hashable(self, value: object) -> Any:
        was_hashable, self._is_hashable = self._is_hashable, True
        written = self._step(_MEMBER, "", value)
        self._is_hashable = was_hashable
        return written

    def _within(self, container: Collection[object], write: Callable[[], Any]) -> Any:
        """What `write` gives, with the container open."""
        key = self._open_container(container, len(container))
        written = write()
        self._open.discard(key)
        return written

    def _open_container(self, container: object, size: int) -> int:
        """The mark of a container that is open from now on; one that is open already contains itself."""
        key = id(container)
        if key in self._open:
            raise ValueError(f"{self._walk.place}: the value contains itself")
        self._walk.count(size)
        self._open.add(key)
        return key


# In this order: a bool is no int here, a member of an enumeration not the number it may be, a datetime no date.
_WRITERS: Final[tuple[tuple[Any, Callable[[_Writer, Any], Any]], ...]] = (
    (enum.Enum, _Writer.member),
    (str, _Writer.text),
    (int, _Writer.integer),
    (float, _Writer.real),
    (Mapping, _Writer.mapping),
    ((list, tuple), _Writer.sequence),
    ((bytes, bytearray, memoryview), _Writer.octets),
    ((set, frozenset), _Writer.collection),
    (datetime, _Writer.moment),
    (timedelta, _Writer.duration),
    (_REFUSED, _Writer.refused),
)


class _Reader:
    """Makes a value of a tree; trusts nothing in it."""

    def __init__(self, walk: _Walk) -> None:
        self._walk = walk

    def read(self, tree: object, *, hashable: bool = False) -> Any:
        """The value; `hashable`: as a key or a member of a set, where a list is a tuple and a set frozen."""
        if isinstance(tree, dict):
            return self._read_dict(cast("dict[str, object]", tree), hashable=hashable)
        if isinstance(tree, list):
            items = self._read_items(cast("list[object]", tree), hashable=hashable)
            return tuple(items) if hashable else items
        if tree is None or isinstance(tree, str | int | float):
            if isinstance(tree, str):
                self._check_text(tree)
            return tree
        raise self._wrong(f"a {type(tree).__name__} is not JSON")

    def _check_text(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self._wrong("a text holds half a character") from None

    def _read_items(self, items: list[object], *, hashable: bool) -> list[Any]:
        self._walk.count(len(items))
        read: list[Any] = []
        for index, item in enumerate(items):
            self._walk.enter(_INDEX, index)
            read.append(self.read(item, hashable=hashable))
            self._walk.leave()
        return read

    def _read_dict(self, tree: dict[str, object], *, hashable: bool) -> Any:
        mark = next((key for key in tree if key.startswith("$")), None)
        if mark is not None:
            if len(tree) != 1 or mark not in _FORMS:
                raise self._wrong(f"{mark[:40]!r} is not a known form of a value")
            return _FORMS[mark](self, tree[mark], hashable)
        if hashable:
            raise self._wrong("a dict cannot be a key or a member of a set")
        self._walk.count(len(tree))
        read: dict[str, Any] = {}
        for key, item in tree.items():
            self._check_text(key)
            self._walk.enter(_KEY, key)
            read[key] = self.read(item)
            self._walk.leave()
        return read

    def octets(self, operand: object, _hashable: bool) -> bytes:
        try:
            return base64.b64decode(self._text(operand, "$bytes"), validate=True)
        except ValueError as exc:
            raise self._wrong(f"$bytes: {exc}") from None

    def collection(self, operand: object, hashable: bool) -> Any:
        if not isinstance(operand, list):
            raise self._wrong("$set: a list is wanted")
        items = self._read_items(cast("list[object]", operand), hashable=True)
        return frozenset(items) if hashable else set(items)

    def mapping(self, operand: object, hashable: bool) -> dict[Any, Any]:
        if hashable:
            raise self._wrong("a dict cannot be a key or a member of a set")
        if not isinstance(operand, list):
            raise self._wrong("$dict: a list of pairs is wanted")
        pairs = cast("list[object]", operand)
        self._walk.count(len(pairs))
        read: dict[Any, Any] = {}
        for pair in pairs:
            if not isinstance(pair, list) or len(cast("list[object]", pair)) != 2:  # noqa: PLR2004 - a pair
                raise self._wrong("$dict: a list of pairs is wanted")
            key, item = cast("list[object]", pair)
            self._walk.enter(_MEMBER)
            read[self.read(key, hashable=True)] = self.read(item)
            self._walk.leave()
        return read

    def moment(self, operand: object, _hashable: bool) -> datetime:
        text = self._text(operand, "$time")
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise self._wrong("$time: a time needs its zone")
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise self._wrong(
                f"$time: {text[:40]!r} is not a time in ISO 8601 with a zone"
            ) from None

    def duration(self, operand: object, _hashable: bool) -> timedelta:
        if not isinstance(operand, int) or isinstance(operand, bool):
            raise self._wrong("$duration: a whole number of microseconds is wanted")
        try:
            return operand * _MICROSECOND
        except OverflowError:
            raise self._wrong("$duration: the length is too great") from None

    def integer(self, operand: object, _hashable: bool) -> int:
        digits = self._text(operand, "$int")
        if len(digits) > MAX_INT_DIGITS + 1:
            raise self._wrong(f"$int: an int may have {MAX_INT_DIGITS} digits, not more")
        if not digits.removeprefix("-").isdecimal() or not digits.isascii():
            raise self._wrong(f"$int: {digits[:40]!r} is not a whole number")
        return int(digits)

    def real(self, operand: object, _hashable: bool) -> float:
        text = self._text(operand, "$float")
        if text not in {"nan", "inf", "-inf"}:
            raise self._wrong(f"$float: one of nan, inf, -inf is wanted, not {text[:40]!r}")
        return float(text)

    def _text(self, operand: object, form: str) -> str:
        if not isinstance(operand, str):
            raise self._wrong(f"{form}: a text is wanted, not a {type(operand).__name__}")
        return operand

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"{self._walk.place}: {what}")


_FORMS: Final[dict[str, Callable[[_Reader, object, bool], Any]]] = {
    "$bytes": _Reader.octets,
    "$set": _Reader.collection,
    "$dict": _Reader.mapping,
    "$time": _Reader.moment,
    "$duration": _Reader.duration,
    "$int": _Reader.integer,
    "$float": _Reader.real,
}
