"""What a handler is called with, and waiting for further events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, overload

from hookline.arguments import Duration, name_of, names_of, text_of, timeout_of
from hookline.attr_dict import AttrDict, wrapped
from hookline.awaiting import awaited_form
from hookline.host import current
from hookline.request_values import read_request

Subscriptions: TypeAlias = str | Sequence[str]
"""The id of a subscription, or a list of them."""


@dataclass
class Event:
    """What started the session, or came to a subscription.

    Attributes:
        data: What the event carries; for a manual start, the input given.
        event_id: Id of the recorded event; None for a manual start.
        event_type: Type of the event, such as `post` or `tick`; None for a manual start.

    Example:
        A project's own test builds one by hand: `on_order(Event(data=AttrDict({"id": 7})))`.
    """

    data: AttrDict
    event_id: str | None = None
    event_type: str | None = None


def subscribe(source: str, filter: str | None = "") -> str:  # noqa: A002 - it is called so in the manifest too
    """Begin to queue the events of a trigger or connection of the project; gives the id of the subscription.

    No event that comes after this is missed, whenever it is asked for. The subscription ends with the session.

    Args:
        source: Name of the trigger or connection. A trigger needs no `call` for this.
        filter: CEL expression over `data` and `event_type`; only events for which it is true come.

    Raises:
        ValueError: the source is empty.
        CallRefusedError: there is no such source (`subscription.source_not_found`), a trigger and a connection are called so
            (`subscription.source_ambiguous`), or the filter is no expression (`subscription.filter_invalid`).

    Example:
        `answers = subscribe("decision", "data.url.query.expense == '7'")`
    """
    arguments = {
        "source": name_of(source, "subscribe: source"),
        "filter": text_of("" if filter is None else filter, "subscribe: filter"),
    }
    return cast("str", current().call("subscribe", arguments))


def unsubscribe(subscription: str) -> None:
    """End a subscription, and drop what waits in it. Nothing happens if there is none of that id.

    Raises:
        ValueError: the id is empty.

    Example:
        `unsubscribe(answers)`
    """
    name = name_of(subscription, "unsubscribe: subscription")
    current().call("unsubscribe", {"subscription": name})


@overload
def next_event(
    subscription: Subscriptions, *, timeout: Duration | None = None, full: Literal[False] = False
) -> AttrDict | None: ...
@overload
def next_event(
    subscription: Subscriptions, *, timeout: Duration | None = None, full: Literal[True]
) -> Event | None: ...
@overload
def next_event(
    subscription: Subscriptions, *, timeout: Duration | None = None, full: bool
) -> AttrDict | Event | None: ...


def next_event(
    subscription: Subscriptions, *, timeout: Duration | None = None, full: bool = False
) -> AttrDict | Event | None:
    """Take the next event of a subscription; wait for it if there is none.

    In a durable session the wait costs nothing, and a crash neither loses an event nor lengthens the wait. `await next_event(…)`
    lets the other tasks of an `async` handler go on, as `hookline.aio.next_event` does.

    Args:
        subscription: Id that `subscribe` gave, or a list of ids: the first that has an event wins. An empty list gives
            None at once.
        timeout: Longest wait, in seconds or as timedelta. None and 0 wait without end; one below 0 is over at once.
        full: Give the `Event` with its id and type, not only its data.

    Returns:
        The event's data, or None when the time is over.

    Raises:
        TypeError: the time-out is neither a number nor a timedelta.
        ValueError: an id is empty.
        CallRefusedError: an id is none of this session's (`subscription.not_found`).

    Example:
        `answer = next_event(answers, timeout=timedelta(days=3))`
    """
    form = awaited_form(next_event)
    if form is not None:
        return form(subscription, timeout=timeout, full=full)
    wish = event_request(subscription, timeout)
    if wish is None:
        return None
    return read_event(current().wait("take_event", *wish), full=full)


def event_request(
    subscription: object, timeout: object
) -> tuple[Mapping[str, object], float | None] | None:
    """Arguments and time-out of the operation `take_event`; None if there is nothing to wait for."""
    timeout_s = timeout_of(timeout, "next_event: timeout")
    ids = names_of(subscription, "next_event: subscription")
    return ({"subscriptions": ids}, timeout_s) if ids else None


def read_event(result: object, *, full: bool) -> AttrDict | Event | None:
    """What `next_event` gives for the result of the operation."""
    if result is None:
        return None
    taken = cast("Mapping[str, Any]", result)
    content = taken["data"]
    if isinstance(content, dict):
        content = read_request(cast("dict[str, Any]", content))
    data = cast("AttrDict", wrapped(content))
    return Event(data=data, event_id=taken["id"], event_type=taken["type"]) if full else data
