"""What each operation on a value of the store does. Pure: the service's store and the stand-in host both ask here.

Operands and results are values as `hookline.values` gives them. A key without a value is a key with None.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

from hookline.errors import ConflictError, InvalidError
from hookline.values import to_tree


class Change(enum.Enum):
    """What happens to a key when it is not given a new value."""

    UNCHANGED = "unchanged"
    DELETED = "deleted"


UNCHANGED: Final = Change.UNCHANGED
DELETED: Final = Change.DELETED


class StoreOperationError(InvalidError):
    """The store has no such operation, or the operation does not take these operands."""

    code = "store.operation_invalid"


class NotANumberError(ConflictError):
    """The value to add to is not a number, or the sum cannot be stored."""

    code = "store.not_a_number"


_OPERANDS: Final = {"get": 0, "set": 1, "del": 0, "add": 1, "check_and_set": 2}
OPERATIONS: Final = frozenset(_OPERANDS)
"""The operations on one value."""


def apply(operation: str, current: object, operands: Sequence[object]) -> tuple[Any, Any]:
    """What the key holds afterwards (a value, `UNCHANGED` or `DELETED`), and what the caller gets.

    `set` and `check_and_set` with None delete. The operands of `check_and_set` are new value, expected value.

    Raises:
        StoreOperationError: there is no such operation, or it takes another number of operands.
        NotANumberError: `add` to, or of, what is not a number.

    Example:
        >>> apply("add", 40, [2])
        (42, 42)
        >>> apply("check_and_set", "free", ["taken", "free"])
        ('taken', True)
    """
    wanted = _OPERANDS.get(operation)
    if wanted is None:
        known = ", ".join(_OPERANDS)
        raise StoreOperationError(f"the store has no operation {operation!r}; it has {known}")
    if len(operands) != wanted:
        raise StoreOperationError(
            f"{operation} takes {wanted} operand{'s' * (wanted != 1)}, not {len(operands)}"
        )
    match operation:
        case "get":
            return UNCHANGED, current
        case "set":
            return _written(operands[0]), None
        case "del":
            return DELETED, None
        case "add":
            total = _sum(current, operands[0])
            return total, total
        case _:
            is_same = are_equal(current, operands[1])
            return (_written(operands[0]) if is_same else UNCHANGED), is_same


def are_equal(one: object, other: object) -> bool:
    """Whether two values are the same in shape and content: 1 equals 1.0, and True equals only True.

    Example:
        >>> are_equal([1, {"a": 2.0}], [1.0, {"a": 2}]), are_equal(1, True)
        (True, False)
    """
    return _shape(one) == _shape(other)


def _written(value: object) -> object:
    return DELETED if value is None else value


def _sum(current: object, addend: object) -> int | float:
    start = 0 if current is None else current
    for name, number in (("the value", start), ("what is added", addend)):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise NotANumberError(f"add: {name} is a {type(number).__name__}, not a number")
    if current is None:
        return cast("int | float", addend)
    try:
        total = cast("int | float", start) + cast("int | float", addend)
        to_tree(total)
    except (OverflowError, ValueError) as exc:
        raise NotANumberError(f"add: the sum cannot be kept: {exc}") from None
    return total


def _shape(value: object) -> object:
    """Something hashable that is equal for equal values only."""
    if value is None or isinstance(value, bool | str | bytes | datetime | timedelta):
        return (type(value), value)
    if isinstance(value, int | float):
        return ("number", "nan" if value != value else value)  # noqa: PLR0124 - how a NaN is known
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return ("dict", frozenset((_shape(key), _shape(item)) for key, item in pairs))
    if isinstance(value, set | frozenset):
        return ("set", frozenset(_shape(item) for item in cast("set[object]", value)))
    return ("list", tuple(_shape(item) for item in cast("Sequence[object]", value)))
