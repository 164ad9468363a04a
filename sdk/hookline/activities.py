"""Marks that say which calls of a durable session are recorded.

A mark is an attribute of the function, so it survives `functools.wraps` and costs nothing outside a session. In a session
that is not durable a function with retries tells of its first call that there will be none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction
from types import FunctionType
from typing import Any, Final, TypeVar, cast, overload

from hookline.arguments import Duration, length_of

ACTIVITY_MARK: Final = "__ak_activity__"
INHIBIT_MARK: Final = "__ak_inhibit_activities__"
POLICY_MARK: Final = "__hookline_policy__"
LONGEST_BACKOFF_S: Final = 3_600.0

_Callable = TypeVar("_Callable", bound=Callable[..., Any])

_no_activity: set[object] = set()


class _Hearing:
    """Who hears of calls of functions with retries."""

    __slots__ = ("tell",)

    def __init__(self) -> None:
        self.tell: Callable[[str], None] | None = None


_hearing = _Hearing()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityPolicy:
    """How often and how long an activity is tried; stands in the attribute `POLICY_MARK` of its function.

    A try that fails with one of `retry_on`, or takes longer than `timeout_s`, is made again after `delay_s`, at most
    `retries` times. The recorded result is that of the last try.

    Attributes:
        retries: How many tries may follow the first.
        backoff_s: Seconds before the second try; doubled before each further one, up to `LONGEST_BACKOFF_S`.
        timeout_s: Seconds one try may take; None: no limit. A try over it fails with `ActivityTimeoutError`.
        retry_on: Exceptions after which another try is made; a try over its time is tried again whatever stands here.
    """

    retries: int = 0
    backoff_s: float = 1.0
    timeout_s: float | None = None
    retry_on: tuple[type[Exception], ...] = (Exception,)

    def delay_s(self, retry: int) -> float:
        """Seconds before that retry; the first is number 1.

        Example:
            >>> [ActivityPolicy(retries=3, backoff_s=2).delay_s(retry) for retry in (1, 2, 3)]
            [2.0, 4.0, 8.0]
        """
        doubled = min(retry - 1, 64)
        return float(min(self.backoff_s * 2**doubled, max(LONGEST_BACKOFF_S, self.backoff_s)))


@overload
def activity(function: _Callable, /) -> _Callable: ...


@overload
def activity(
    *,
    retries: int = 0,
    backoff: Duration | str = 1.0,
    timeout: Duration | str | None = None,
    retry_on: type[Exception] | Iterable[type[Exception]] = (Exception,),
) -> Callable[[_Callable], _Callable]: ...


def activity(
    function: _Callable | None = None,
    /,
    *,
    retries: int = 0,
    backoff: Duration | str = 1.0,
    timeout: Duration | str | None = None,
    retry_on: type[Exception] | Iterable[type[Exception]] = (Exception,),
) -> _Callable | Callable[[_Callable], _Callable]:
    """Make the function one recorded unit of a durable session.

    Its result is recorded; on resumption it is not run again. Calls inside it are not recorded one by one. With
    options, a try that fails is made again by the session; outside a durable session the options do nothing, and the
    session's log says so at the first call of a function that has retries.

    Args:
        function: The function, when the mark stands without options.
        retries: How many tries may follow the first.
        backoff: Wait before the second try, in seconds, as timedelta or as text (`500ms`, `1m30s`); doubled before each
            further one, up to an hour.
        timeout: How long one try may take; it then fails with `ActivityTimeoutError`, and the next one is made.
        retry_on: The exceptions after which another try is made; all, if not said.

    Raises:
        TypeError, ValueError: an option is none.

    Example:
        >>> @activity
        ... def charge(order): ...
        >>> @activity(retries=3, backoff="2s", timeout=10, retry_on=(ConnectionError,))
        ... def fetch(url): ...
    """
    if function is not None:
        if not callable(function):
            raise TypeError(
                f"activity marks a function, not {function!r}; options are given by name"
            )
        setattr(function, ACTIVITY_MARK, True)
        return function
    policy = ActivityPolicy(
        retries=_count_of(retries),
        backoff_s=length_of(backoff, "activity: backoff"),
        timeout_s=_limit_of(timeout),
        retry_on=_exceptions_of(retry_on),
    )

    def mark(marked: _Callable) -> _Callable:
        setattr(marked, POLICY_MARK, policy)
        tell = _hearing.tell
        if policy.retries and tell is not None and isinstance(marked, FunctionType):
            return cast("_Callable", activity(_telling(marked, tell)))
        return activity(marked)

    return mark


def hear_of_retries(tell: Callable[[str], None] | None) -> None:
    """From now on functions that are marked with retries tell their names when they are called; None: no longer.

    For the session process that makes no further tries.
    """
    _hearing.tell = tell


def _telling(function: FunctionType, tell: Callable[[str], None]) -> Callable[..., Any]:
    """The function, which tells that it is called."""
    if iscoroutinefunction(function):

        @wraps(function)
        async def called_later(
            *args: Any, **kwargs: Any
        ) -> Any:  # Any: whatever the function takes
            tell(function.__qualname__)
            return await function(*args, **kwargs)

        return called_later

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:  # Any: as above
        tell(function.__qualname__)
        return function(*args, **kwargs)

    return called


def inhibit_activities(function: _Callable) -> _Callable:
    """While this function runs, record nothing: every call in it is made directly, on resumption again.

    For code that is fast and free of effects outside, such as building a report from values at hand.

    Example:
        >>> @inhibit_activities
        ... def render(report): ...
    """
    setattr(function, INHIBIT_MARK, True)
    return function


def register_no_activity(items: Iterable[object]) -> None:
    """Never record calls of these functions or methods, nor of any method of these classes.

    Example:
        >>> register_no_activity([len, dict])
    """
    try:
        _no_activity.update(list(items))
    except TypeError:
        raise TypeError(
            f"register_no_activity takes a list of functions and classes, not {items!r}"
        ) from None


def no_activity() -> frozenset[object]:
    """What was given to `register_no_activity` so far."""
    return frozenset(_no_activity)


def restore_no_activity(items: frozenset[object]) -> None:
    """Make the registry hold exactly these items; for a process that goes on to another session."""
    _no_activity.clear()
    _no_activity.update(items)


def _count_of(retries: object) -> int:
    if isinstance(retries, bool) or not isinstance(retries, int):
        raise TypeError(f"activity: retries must be an int, not {type(retries).__name__}")
    if retries < 0:
        raise ValueError("activity: retries must not be negative")
    return retries


def _limit_of(timeout: Duration | str | None) -> float | None:
    if timeout is None:
        return None
    seconds = length_of(timeout, "activity: timeout")
    if seconds == 0:
        raise ValueError("activity: timeout must be more than 0; None means no limit")
    return seconds


def _exceptions_of(kinds: object) -> tuple[type[Exception], ...]:
    given: list[object] = (
        [kinds]
        if isinstance(kinds, type) or not isinstance(kinds, Iterable)
        else list(cast("Iterable[object]", kinds))
    )
    for kind in given:
        if not isinstance(kind, type) or not issubclass(kind, Exception):
            raise TypeError(f"activity: retry_on takes subclasses of Exception, not {kind!r}")
    return cast("tuple[type[Exception], ...]", tuple(given))
