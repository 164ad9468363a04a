"""What stands in for functions in a test, and what is noted of activities."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, cast

from hookline.activities import ACTIVITY_MARK, POLICY_MARK, ActivityPolicy
from hookline.errors import ActivityTimeoutError
from hookline.host import current
from hookline.testing.session import ActivityRun

_WATCHED: Final = "__hookline_watched__"
_is_inside: Final[ContextVar[bool]] = ContextVar(
    "hookline_test_inside", default=False
)  # an activity


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of one call."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Fake:
    """Stands in for a function; remembers its calls.

    Attributes:
        calls: The arguments of each call, in order.
    """

    def __init__(self, name: str, answers: Callable[..., Any]) -> None:
        self.name = name
        self.calls: list[Call] = []
        self._answers = answers

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Note the call and answer it."""
        self.calls.append(Call(args, kwargs))
        return self._answers(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Fake {self.name}, called {len(self.calls)} times>"


def answer_with(name: str, given: Iterable[Any]) -> Callable[..., Any]:
    """A function that gives one answer after the other; an exception among them is raised."""
    rest = iter(given)

    def answer(*_args: Any, **_kwargs: Any) -> Any:
        try:
            one: object = next(rest)
        except StopIteration:
            raise AssertionError(
                f"{name} was called more often than its fake has answers"
            ) from None
        if isinstance(one, BaseException):
            raise one
        if isinstance(one, type) and issubclass(one, BaseException):
            raise one
        return cast("object", one)

    return answer


def as_stand_in(original: Any, fake: Fake) -> Callable[..., Any]:
    """What takes the place of the original: a function like it, a coroutine function for one, with its marks."""

    def plain(*args: Any, **kwargs: Any) -> Any:
        return fake(*args, **kwargs)

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        result = fake(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    made = awaited if inspect.iscoroutinefunction(original) else plain
    made.__name__ = made.__qualname__ = getattr(original, "__name__", fake.name)
    for mark in (ACTIVITY_MARK, POLICY_MARK):
        if hasattr(original, mark):
            setattr(made, mark, getattr(original, mark))
    return watch(made) if getattr(made, ACTIVITY_MARK, False) else made


def is_watchable(value: object) -> bool:
    """Whether it is a function marked as an activity, and not watched yet."""
    return (
        inspect.isfunction(value)
        and getattr(value, ACTIVITY_MARK, False) is True
        and not hasattr(value, _WATCHED)
    )


def original_of(value: object) -> object:
    """The function that is watched; anything else itself."""
    return vars(value).get(_WATCHED, value) if inspect.isfunction(value) else value


def watch(function: Callable[..., Any]) -> Callable[..., Any]:
    """The activity, with its runs noted at the session, limited in time and tried again as its policy says.

    Within another activity it is a plain function, as it is in a session.
    """
    policy: ActivityPolicy = getattr(function, POLICY_MARK, None) or ActivityPolicy()
    is_async = inspect.iscoroutinefunction(function)
    made = functools.wraps(function)((_watched_async if is_async else _watched)(function, policy))
    setattr(made, _WATCHED, function)
    return made


def _watched(function: Callable[..., Any], policy: ActivityPolicy) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if _is_inside.get():
            return function(*args, **kwargs)
        tries = _Tries(function.__name__, args, kwargs, policy)
        while True:
            try:
                with _inside(), tries.limited():
                    result = function(*args, **kwargs)
                return tries.succeeded(result)
            except Exception as exc:
                delay_s = tries.failed(exc)
                if delay_s is None:
                    raise
            current().sleep(delay_s)

    return call


def _watched_async(function: Callable[..., Any], policy: ActivityPolicy) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        if _is_inside.get():
            return await function(*args, **kwargs)
        tries = _Tries(function.__name__, args, kwargs, policy)
        while True:
            try:
                with _inside():
                    result = await tries.limited_async(function(*args, **kwargs))
                return tries.succeeded(result)
            except Exception as exc:
                delay_s = tries.failed(exc)
                if delay_s is None:
                    raise
            await current().sleep_async(delay_s)

    return call


@contextmanager
def _inside() -> Generator[None]:
    token = _is_inside.set(True)
    try:
        yield
    finally:
        _is_inside.reset(token)


class _Tries:
    """The tries of one call of an activity."""

    def __init__(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], policy: ActivityPolicy
    ) -> None:
        self._name, self._args, self._kwargs, self._policy = name, args, kwargs, policy
        self._made = 0

    def limited(self) -> AbstractContextManager[None]:
        """The time of one try, as far as it goes by waiting and sleeping."""
        limit: Callable[[ActivityTimeoutError], AbstractContextManager[None]] | None
        limit = getattr(current(), "limit", None)
        seconds = self._policy.timeout_s
        if limit is None or seconds is None:
            return nullcontext()
        return limit(ActivityTimeoutError(self._name, seconds))

    async def limited_async(self, pending: Awaitable[Any]) -> Any:
        """What one try gives, within its time."""
        seconds = self._policy.timeout_s
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await pending
        except TimeoutError:
            if seconds is None or not limit.expired():
                raise
            raise ActivityTimeoutError(self._name, seconds) from None

    def succeeded(self, result: Any) -> Any:
        """Note the result, and give it."""
        self._made += 1
        self._note(result=result)
        return result

    def failed(self, exc: Exception) -> float | None:
        """Seconds before the next try; None when there is none."""
        self._made += 1
        retried = (ActivityTimeoutError, *self._policy.retry_on)
        if self._made <= self._policy.retries and isinstance(exc, retried):
            return self._policy.delay_s(self._made)
        self._note(error=exc)
        return None

    def _note(self, **facts: Any) -> None:
        note: Callable[[ActivityRun], None] | None = getattr(current(), "note_activity", None)
        if note is not None:
            note(ActivityRun(self._name, self._args, self._kwargs, tries=self._made, **facts))
