"""The project's store: values under keys, shared by all sessions of the project, kept over deployments."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from typing import Any, Final, cast

from hookline.arguments import Duration, name_of, seconds_of, value_of
from hookline.attr_dict import wrapped
from hookline.host import current
from hookline.store_rules import OPERATIONS

_PUBLIC_URL: Final = "store_public_url"
_MISSING: Final = object()


def get_value(key: str) -> Any:
    """The value of the key; None if there is none. A dictionary can be read by attributes.

    Raises:
        TypeError, ValueError: the key is no text, or empty; so for every function of the store.

    Example:
        >>> set_value("limits", {"mails": 5})
        >>> get_value("limits").mails, get_value("nothing")
        (5, None)
    """
    return _use("get", key)


def set_value(key: str, value: Any, *, ttl: Duration | None = None) -> None:
    """Write the value; None deletes.

    Args:
        key: The key.
        value: A value, see docs/sdk.md, "Values".
        ttl: How long it is kept, in seconds or as timedelta; None: for good.

    Raises:
        TypeError, ValueError: it is no value; the ttl is not more than 0.
        CallRefusedError: it is too large (`store.value_too_large`), or the project has too many keys (`store.too_many_keys`).

    Example:
        >>> set_value("seen", {"ada", "bob"}, ttl=3600)
        >>> sorted(get_value("seen"))
        ['ada', 'bob']
    """
    ttl_s = None
    if ttl is not None:
        ttl_s = seconds_of(ttl, "set_value: ttl")
        if ttl_s <= 0:
            raise ValueError("set_value: ttl must be more than 0; None keeps the value for good")
    _use("set", key, value_of(value, "set_value: value"), ttl_s=ttl_s)


def add_values(key: str, n: float) -> Any:
    """Add a number to the value, at once; gives the new one. A missing value counts as 0.

    Raises:
        TypeError: `n` is no number.
        CallRefusedError: the value is no number (`store.not_a_number`).

    Example:
        >>> add_values("visits", 1), add_values("visits", 2)
        (1, 3)
    """
    if isinstance(n, bool) or not isinstance(n, int | float):  # pyright: ignore[reportUnnecessaryIsInstance] - user code is not type-checked
        raise TypeError(f"add_values: n must be an int or float, not {type(n).__name__}")
    return _use("add", key, value_of(n, "add_values: n"))


def check_and_set_value(key: str, expected: Any, new: Any) -> bool:
    """Write `new` if the value is `expected`, at once; says whether it was. A missing value is None.

    Values are compared by shape and content: 1 is 1.0, and True is only True.

    Raises:
        TypeError, ValueError: `expected` or `new` is no value.

    Example:
        >>> check_and_set_value("lock", None, "mine"), check_and_set_value("lock", None, "yours")
        (True, False)
    """
    operands = (
        value_of(new, "check_and_set_value: new"),
        value_of(expected, "check_and_set_value: expected"),
    )
    return bool(_use("check_and_set", key, *operands))


def del_value(key: str) -> None:
    """Delete the value; nothing happens if there is none.

    Example:
        >>> del_value("nothing")
    """
    _use("del", key)


def list_values_keys() -> list[str]:
    """All keys that have a value, sorted.

    Example:
        >>> set_value("b", 1); set_value("a", 2)
        >>> [key for key in list_values_keys() if key in ("a", "b")]
        ['a', 'b']
    """
    return cast("list[str]", _call("list", ""))


def mutate_value(key: str, op: str, *args: Any) -> Any:
    """Carry out an operation by its name: `get`, `set`, `del`, `add` or `check_and_set`.

    The operands of `check_and_set` are the new value and the expected one, in this order.

    Raises:
        ValueError: there is no such operation.
        CallRefusedError: it takes another number of operands (`store.operation_invalid`).

    Example:
        >>> mutate_value("turns", "add", 5)
        5
    """
    if op not in OPERATIONS:
        known = ", ".join(sorted(OPERATIONS))
        raise ValueError(f"mutate_value: op must be one of {known}, not {op!r}")
    return _use(op, key, *(value_of(one, "mutate_value: operand") for one in args))


def publish_value(key: str) -> None:
    """Let anybody read the value, without a token, at `get_store_public_url()` + `/` + key.

    Example:
        `publish_value("status")`
    """
    _use("publish", key)


def unpublish_value(key: str) -> None:
    """Take back `publish_value`.

    Example:
        `unpublish_value("status")`
    """
    _use("unpublish", key)


def get_store_public_url() -> str:
    """Where the published values of this project are found.

    Raises:
        ValueError: this runs outside a session.

    Example:
        `f"{get_store_public_url()}/status"`
    """
    url = os.environ.get(_PUBLIC_URL)  # noqa: TID251 - it is handed over there
    if not url:
        raise ValueError("no public URL of the store is known; there is one in a session only")
    return url


class Store(MutableMapping[str, Any]):  # the values are whatever user code put there
    """The project's store as a dictionary that persists: what one session writes, the next one reads.

    `store[key]` of a missing key is None, and deleting one does nothing: a key without a value is the same as no key.

    Example:
        >>> from hookline import store
        >>> store["colour"] = "red"
        >>> store["colour"], store["shape"], store.get("shape", "round"), "shape" in store
        ('red', None, 'round', False)
    """

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        return get_value(key)

    def __setitem__(self, key: str, value: Any) -> None:
        set_value(key, value)

    def __delitem__(self, key: str) -> None:
        del_value(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bool(key) and get_value(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(list_values_keys())

    def __len__(self) -> int:
        return len(list_values_keys())

    def __repr__(self) -> str:
        return "hookline.store"

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or the default if there is none."""
        value = get_value(key)
        return default if value is None else value

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Delete the value and give it; without one the default, and without that a KeyError."""
        value = get_value(key)
        if value is not None:
            del_value(key)
            return value
        if default is _MISSING:
            raise KeyError(key)
        return default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value; without one the default is written, at once, and given."""
        if default is None or not check_and_set_value(key, None, default):
            return get_value(key)
        return default


store = Store()
"""The project's store as a dictionary; see `Store`."""


def _use(op: str, key: str, *operands: object, ttl_s: float | None = None) -> Any:
    return wrapped(_call(op, name_of(key, "key"), *operands, ttl_s=ttl_s))


def _call(op: str, key: str, *operands: object, ttl_s: float | None = None) -> object:
    arguments = {"op": op, "key": key, "operands": list(operands), "ttl_s": ttl_s}
    return current().call("store", arguments)
