"""Marks that say which calls of a durable session are recorded.

A mark is an attribute of the function, so it survives `functools.wraps` and costs nothing outside a session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

ACTIVITY_MARK: Final = "__ak_activity__"
INHIBIT_MARK: Final = "__ak_inhibit_activities__"

_Callable = TypeVar("_Callable", bound=Callable[..., Any])

_no_activity: set[object] = set()


def activity(function: _Callable) -> _Callable:
    """Make the function one recorded unit of a durable session.

    Its result is recorded; on resumption it is not run again. Calls inside it are not recorded one by one.

    Example:
        >>> @activity
        ... def charge(order): ...
    """
    setattr(function, ACTIVITY_MARK, True)
    return function


def inhibit_activities(function: _Callable) -> _Callable:
    """While this function runs, record nothing: every call in it is made directly, on resumption again.

    For code that is fast and free of effects outside, such as building a report from values at hand.
    """
    setattr(function, INHIBIT_MARK, True)
    return function


def register_no_activity(items: Iterable[object]) -> None:
    """Never record calls of these functions or methods, nor of any method of these classes.

    Example:
        >>> register_no_activity([len, dict])
    """
    _no_activity.update(items)


def no_activity() -> frozenset[object]:
    """What was given to `register_no_activity` so far."""
    return frozenset(_no_activity)


def restore_no_activity(items: frozenset[object]) -> None:
    """Make the registry hold exactly these items; for a process that goes on to another session."""
    _no_activity.clear()
    _no_activity.update(items)
