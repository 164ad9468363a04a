"""Dispatching many recorded events once more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import anyio

from hookline.errors import HooklineError, NotFoundError
from hookline_service.model.errors import EventNotFoundError
from hookline_service.model.events import Event, EventFilter, Recorded
from hookline_service.model.ids import EventId
from hookline_service.model.projects import Deployment
from hookline_service.storage.protocols import EventStore

_PAGE: Final = 100
_AT_ONCE: Final = 20


@dataclass(slots=True, kw_only=True)
class Redispatched:
    """What came of it. `skipped` are events that are gone, or whose trigger is; `is_cut`: there are more than the limit."""

    events: int = 0
    sessions: int = 0
    woken: int = 0
    skipped: int = 0
    is_cut: bool = False


async def redispatch_events(
    store: EventStore,
    dispatch: Callable[[Event, Deployment | None], Awaitable[Recorded]],
    which: EventFilter,
    *,
    since: datetime | None,
    deployment: Deployment | None,
) -> Redispatched:
    """Record a copy of each of the newest `which.limit` events since then, the oldest first, with what it starts now.

    Copies themselves are left out. `which` says which events, by everything but time. Raises what the first one that cannot be
    recorded was refused for; those before it are dispatched.
    """
    counts = Redispatched()
    found = await _find(store, which, since)
    counts.is_cut = len(found) > which.limit
    chosen = found[: which.limit][::-1]
    for first in range(0, len(chosen), _AT_ONCE):
        group = chosen[first : first + _AT_ONCE]
        events = [event for each in group if (event := await _read(store, each)) is not None]
        counts.skipped += len(group) - len(events)
        for recorded in await _dispatch_all(dispatch, events, deployment):
            if recorded is None:
                counts.skipped += 1
                continue
            counts.events += 1
            counts.sessions += len(recorded.session_ids)
            counts.woken += len(recorded.woken)
    return counts


async def count_events(
    store: EventStore, which: EventFilter, *, since: datetime | None
) -> Redispatched:
    """How many events `redispatch_events` would take; nothing is done to them."""
    found = await _find(store, which, since)
    return Redispatched(events=min(len(found), which.limit), is_cut=len(found) > which.limit)


async def _read(store: EventStore, event_id: EventId) -> Event | None:
    try:
        return await store.get_event(event_id)
    except EventNotFoundError:
        return None  # its time was over


async def _find(store: EventStore, which: EventFilter, since: datetime | None) -> list[EventId]:
    """The newest ids, one more than the limit if there are."""
    found: list[EventId] = []
    before = which.before
    while len(found) <= which.limit:
        page = await store.list_events(replace(which, before=before, limit=_PAGE))
        fresh = [event for event in page if since is None or event.created_at >= since]
        found += [event.id for event in fresh if event.redispatch_of is None]
        if len(fresh) < _PAGE:
            break
        before = page[-1].id
    return found[: which.limit + 1]


async def _dispatch_all(
    dispatch: Callable[[Event, Deployment | None], Awaitable[Recorded]],
    events: Sequence[Event],
    deployment: Deployment | None,
) -> list[Recorded | None]:
    """What came of each; they share a transaction of the store, in their order."""
    results: list[Recorded | None] = [None] * len(events)
    failures: list[HooklineError] = []

    async def one(number: int, event: Event) -> None:
        try:
            results[number] = await dispatch(event, deployment)
        except NotFoundError:
            results[number] = None  # its trigger is no longer active
        except HooklineError as exc:
            failures.append(exc)

    async with anyio.create_task_group() as tasks:
        for number, event in enumerate(events):
            tasks.start_soon(one, number, event, name="redispatch")
    if failures:
        raise failures[0]
    return results
