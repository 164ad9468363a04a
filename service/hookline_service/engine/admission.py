"""Decides which session may run next: first come, first served, within limits of concurrency."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hookline_service.model.events import Event
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import Session


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `maximum` attempts at once under this key (a project or a trigger)."""

    key: str
    maximum: int


@dataclass(slots=True)
class Ticket:
    """A session that wants to run. `is_fresh`: nobody else can have begun it; then `event` is at hand."""

    session: Session
    event: Event | None
    limits: tuple[Limit, ...]
    is_fresh: bool = False


class RecentSessions:
    """Sessions that were begun or stopped here lately: how they stand, only the store knows."""

    _KEPT = 4_096

    def __init__(self) -> None:
        self._ids: dict[SessionId, None] = {}

    def __contains__(self, session_id: SessionId) -> bool:
        return session_id in self._ids

    def add(self, session_id: SessionId) -> None:
        """Remember this one, and forget the oldest if there are too many."""
        self._ids[session_id] = None
        if len(self._ids) > self._KEPT:
            del self._ids[next(iter(self._ids))]


class AdmissionQueue:
    """Sessions that are ready, in order; those whose limit is used up wait aside, and block nobody else."""

    def __init__(self) -> None:
        self._ready: deque[Ticket] = deque()
        self._aside: dict[str, deque[Ticket]] = {}
        self._running: dict[str, int] = {}
        self._waiting: dict[SessionId, Ticket] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, session_id: SessionId) -> bool:
        return session_id in self._waiting

    def push(self, ticket: Ticket) -> None:
        """Put a ticket at the end of the queue."""
        self._waiting[ticket.session.id] = ticket
        self._ready.append(ticket)

    def remove(self, session_id: SessionId) -> Ticket | None:
        """Take a ticket out wherever it stands; None if it does not wait."""
        ticket = self._waiting.pop(session_id, None)
        if ticket is not None:
            self._advance(ticket.limits)
        return ticket

    def pop(self) -> Ticket | None:
        """The next ticket that may run; its limits count it until `release`."""
        while self._ready:
            ticket = self._ready.popleft()
            if self._waiting.get(ticket.session.id) is not ticket:
                continue
            blocking = self._blocking_key(ticket)
            if blocking is not None:
                self._aside.setdefault(blocking, deque()).append(ticket)
                continue
            del self._waiting[ticket.session.id]
            for limit in ticket.limits:
                self._running[limit.key] = self._running.get(limit.key, 0) + 1
            return ticket
        return None

    def release(self, limits: tuple[Limit, ...]) -> None:
        """An attempt under these limits ended: let one that waited for each go to the front."""
        for limit in limits:
            left = self._running.get(limit.key, 0) - 1
            if left > 0:
                self._running[limit.key] = left
            else:
                self._running.pop(limit.key, None)
        self._advance(limits)

    def _advance(self, limits: tuple[Limit, ...]) -> None:
        """Give the turn of a ticket that went away to the next one that waits for the same limit."""
        for limit in limits:
            aside = self._aside.get(limit.key)
            while aside:
                ticket = aside.popleft()
                if self._waiting.get(ticket.session.id) is ticket:
                    self._ready.appendleft(ticket)
                    break
            if aside is not None and not aside:
                del self._aside[limit.key]

    def _blocking_key(self, ticket: Ticket) -> str | None:
        for limit in ticket.limits:
            if self._running.get(limit.key, 0) >= limit.maximum:
                return limit.key
        return None
