"""Frozen dataclasses as rows: columns have the names of the fields."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import Field, fields
from datetime import UTC, datetime, timedelta
from enum import Enum
from operator import attrgetter, itemgetter
from typing import Any, Generic, TypeVar, cast, get_args, get_type_hints

from hookline_service.storage.sqlite.connection import Row

T = TypeVar("T")
Conversion = Callable[[Any], Any]  # Any: between a value of Python and one of SQLite

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    since = at - _EPOCH
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def to_us_or_none(at: datetime | None) -> int | None:
    """Microseconds since 1970 of a time that may be missing."""
    return None if at is None else to_us(at)


def from_us(us: int) -> datetime:
    """The time, aware, in UTC."""
    return _EPOCH + timedelta(microseconds=us)


def from_us_or_none(us: int | None) -> datetime | None:
    """The time, if there is one."""
    return None if us is None else _EPOCH + timedelta(microseconds=us)


class Record(Generic[T]):
    """How values of one dataclass stand in the columns of the same names.

    Times are microseconds since 1970, flags 0 and 1, members of an enum their values; anything else is as it is. Fields
    named in `apart` have no column of their own: who reads gives them, who writes adds what stands for them.
    """

    __slots__ = ("_columns_of", "_fields_of", "_from_row", "_made_of", "_names", "_to_row")

    def __init__(self, made_of: type[T], apart: Collection[str] = ()) -> None:
        types = get_type_hints(made_of)
        own: tuple[Field[Any], ...] = fields(cast("Any", made_of))
        self._names = tuple(field.name for field in own if field.name not in apart)
        self._made_of = made_of
        self._columns_of: Callable[[Row], tuple[Any, ...]] = itemgetter(*self._names)
        self._fields_of: Callable[[T], tuple[Any, ...]] = attrgetter(*self._names)
        conversions = [_conversions(types[name]) for name in self._names]
        self._from_row = [(at, read) for at, (read, _) in enumerate(conversions) if read]
        self._to_row = [(at, write) for at, (_, write) in enumerate(conversions) if write]

    def read(self, row: Row, **apart: object) -> T:
        """The value of a row; `apart` are the fields that have no column."""
        values = list(self._columns_of(row))
        for at, convert in self._from_row:
            values[at] = convert(values[at])
        return self._made_of(**dict(zip(self._names, values, strict=True)), **apart)

    def write(self, value: T) -> dict[str, object]:
        """The value as named parameters, of exact types: sqlite3 takes far longer over an enum or a flag."""
        values = list(self._fields_of(value))
        for at, convert in self._to_row:
            values[at] = convert(values[at])
        return dict(zip(self._names, values, strict=True))


def _conversions(declared: Any) -> tuple[Conversion | None, Conversion | None]:
    """From and to a column, for a field of this type; None leaves the value as it is."""
    options = get_args(declared)
    is_optional = type(None) in options
    kinds = [each for each in options if each is not type(None)] if is_optional else [declared]
    kind = kinds[0] if len(kinds) == 1 else object
    if kind is datetime:
        return (from_us_or_none, to_us_or_none) if is_optional else (from_us, to_us)
    if kind is bool:
        return bool, int
    if isinstance(kind, type) and issubclass(kind, Enum):
        members: dict[object, object] = {member.value: member for member in kind}
        if is_optional:
            return members.get, lambda member: None if member is None else member.value
        return members.__getitem__, attrgetter("_value_")  # several times faster than `value`
    return None, None
