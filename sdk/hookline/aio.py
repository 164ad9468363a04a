"""The functions of `hookline` for `async` handlers: waiting in them lets the other tasks of the session go on.

Same names, arguments, results and errors; each stands with its contract in `hookline`.

Example:
    >>> import asyncio
    >>> from hookline import aio
    >>> async def handler(event):
    ...     await aio.set_value("seen", event)
    ...     return await aio.get_value("seen")
    >>> asyncio.run(handler(7))
    7
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, overload

from hookline.answers import (
    Headers,
    http_outcome as _http_outcome,
    outcome as _outcome,
)
from hookline.arguments import Duration
from hookline.attr_dict import AttrDict
from hookline.awaiting import AIO_MARK
from hookline.events import (
    Event,
    Subscriptions,
    event_request as _wish_for_event,
    next_event as _next_event,
    read_event as _read_event,
    subscribe as _subscribe,
    unsubscribe as _unsubscribe,
)
from hookline.host import current
from hookline.sessions import (
    Names,
    Signal,
    next_signal as _next_signal,
    read_signal as _read_signal,
    signal as _signal,
    start as _start,
    wish_for_signal as _wish_for_signal,
)
from hookline.store_api import (
    add_values as _add_values,
    check_and_set_value as _check_and_set_value,
    del_value as _del_value,
    get_value as _get_value,
    list_values_keys as _list_values_keys,
    mutate_value as _mutate_value,
    publish_value as _publish_value,
    set_value as _set_value,
    unpublish_value as _unpublish_value,
)
from hookline.waiting import (
    length_of_sleep as _length_of_sleep,
    sleep as _sleep,
)

__all__ = [
    "add_values",
    "check_and_set_value",
    "del_value",
    "get_value",
    "http_outcome",
    "list_values_keys",
    "mutate_value",
    "next_event",
    "next_signal",
    "outcome",
    "publish_value",
    "set_value",
    "signal",
    "sleep",
    "start",
    "subscribe",
    "unpublish_value",
    "unsubscribe",
]


@overload
async def next_event(
    subscription: Subscriptions, *, timeout: Duration | None = None, full: Literal[False] = False
) -> AttrDict | None: ...
@overload
async def next_event(
    subscription: Subscriptions, *, timeout: Duration | None = None, full: Literal[True]
) -> Event | None: ...
@overload
async def next_event(
    subscription: Subscriptions, *, timeout: Duration | None = None, full: bool
) -> AttrDict | Event | None: ...


async def next_event(
    subscription: Subscriptions, *, timeout: Duration | None = None, full: bool = False
) -> AttrDict | Event | None:
    """See `hookline.next_event`."""
    wish = _wish_for_event(subscription, timeout)
    if wish is None:
        return None
    return _read_event(await current().wait_async("take_event", *wish), full=full)


async def next_signal(name: Names, *, timeout: Duration | None = None) -> Signal | None:
    """See `hookline.next_signal`."""
    wish = _wish_for_signal(name, timeout)
    if wish is None:
        return None
    return _read_signal(await current().wait_async("take_signal", *wish))


async def sleep(duration: Duration, /) -> None:
    """See `hookline.sleep`."""
    await current().sleep_async(_length_of_sleep(duration))


async def subscribe(source: str, filter: str | None = "") -> str:  # noqa: A002 - as in hookline
    """See `hookline.subscribe`."""
    return _subscribe(source, filter)


async def unsubscribe(subscription: str) -> None:
    """See `hookline.unsubscribe`."""
    _unsubscribe(subscription)


async def start(
    loc: str,
    data: Mapping[str, Any] | None = None,
    memo: Mapping[str, Any] | None = None,
    project: str | None = "",
) -> str:
    """See `hookline.start`."""
    return _start(loc, data, memo, project)


async def signal(session_id: str, name: str, payload: Any = None) -> None:
    """See `hookline.signal`."""
    _signal(session_id, name, payload)


async def get_value(key: str) -> Any:
    """See `hookline.get_value`."""
    return _get_value(key)


async def set_value(key: str, value: Any, *, ttl: Duration | None = None) -> None:
    """See `hookline.set_value`."""
    _set_value(key, value, ttl=ttl)


async def add_values(key: str, n: float) -> Any:
    """See `hookline.add_values`."""
    return _add_values(key, n)


async def check_and_set_value(key: str, expected: Any, new: Any) -> bool:
    """See `hookline.check_and_set_value`."""
    return _check_and_set_value(key, expected, new)


async def del_value(key: str) -> None:
    """See `hookline.del_value`."""
    _del_value(key)


async def list_values_keys() -> list[str]:
    """See `hookline.list_values_keys`."""
    return _list_values_keys()


async def mutate_value(key: str, op: str, *args: Any) -> Any:
    """See `hookline.mutate_value`."""
    return _mutate_value(key, op, *args)


async def publish_value(key: str) -> None:
    """See `hookline.publish_value`."""
    _publish_value(key)


async def unpublish_value(key: str) -> None:
    """See `hookline.unpublish_value`."""
    _unpublish_value(key)


async def outcome(value: Any, *, event_id: str | None = None) -> None:
    """See `hookline.outcome`."""
    _outcome(value, event_id=event_id)


async def http_outcome(
    status_code: int = 200,
    body: Any = None,
    json: Any = None,
    headers: Headers | None = None,
    more: bool = False,
    event_id: str | None = None,
) -> None:
    """See `hookline.http_outcome`."""
    _http_outcome(status_code, body, json, headers, more, event_id)


_TWINS: Final[tuple[tuple[Callable[..., object], Callable[..., object]], ...]] = (
    (_next_event, next_event),
    (_next_signal, next_signal),
    (_sleep, sleep),
)
for _plain, _coroutine in _TWINS:
    setattr(_plain, AIO_MARK, _coroutine)
