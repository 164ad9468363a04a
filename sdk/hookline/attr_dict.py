"""A dictionary whose keys can be read as attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn, cast


class AttrDict(dict[str, Any]):  # the values are whatever the event's sender put there
    """A dict that also answers `d.key`.

    `d.key` is `d["key"]`; a dict found that way comes back as a new `AttrDict`, so changing it leaves the
    parent as it was. `d["key"]` gives the plain value. A key named like a dict method (`items`, `get`) is
    reached by index only.

    Example:
        >>> AttrDict({"user": {"name": "Ada"}}).user.name
        'Ada'
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            value = self[name]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__!s} has no key {name!r}", name=name, obj=self
            ) from None
        if isinstance(value, AttrDict):
            return value.__copy__()
        if isinstance(value, dict):
            return AttrDict(cast("dict[str, Any]", value))
        return value

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise NotImplementedError(f"an attribute cannot be set: write d[{name!r}] = … instead")

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *map(str, self)]

    def __reduce__(self) -> tuple[type[AttrDict], tuple[dict[str, Any]]]:
        return (type(self), (dict(self),))

    def __copy__(self) -> AttrDict:
        return type(self)(self)


def wrapped(value: object) -> Any:
    """The value; a plain dictionary as one whose keys can be read as attributes."""
    return AttrDict(cast("dict[str, Any]", value)) if type(value) is dict else value
