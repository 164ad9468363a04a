"""Brings what sessions answer to those who wait for it: the callers of synchronous webhooks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import anyio

from hookline_service.engine.listener import SessionEnd
from hookline_service.model.calls import Outcome
from hookline_service.model.ids import EventId, SessionId

_Key = TypeVar("_Key")

OUTCOME_BYTES: Final = 500  # what an outcome takes besides its value, about
_MOST_OF_ONE_BYTES: Final = 16 * 1024 * 1024
_MOST_OF_ALL_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AllEnded:
    """No session is left that could still answer; how those ended that the event started, in this order."""

    ends: tuple[SessionEnd, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TooMuch:
    """More was answered than this caller, or all callers together, have taken; the rest is lost."""


class OutcomeStream:
    """What comes for one event, in order. It must be closed."""

    def __init__(self, board: OutcomeBroker, event_id: EventId) -> None:
        self._board = board
        self._outcomes: deque[Outcome] = deque()
        self._held_bytes = 0
        self._given_bytes = 0
        self._end_bytes = 0
        self._has_outcomes = False
        self._is_over = False
        self._is_closed = False
        self._known: set[int] = set()
        self._ends: list[SessionEnd] = []
        self._pending: set[SessionId] = set()
        self._news = anyio.Event()
        self.event_id = event_id
        self.sessions: set[SessionId] = set()

    async def next(self) -> Outcome | AllEnded | TooMuch:
        """The next outcome of the event; once all were given and every session has ended, how they did.

        What was given counts as held until the next is asked for.
        """
        self._free(self._given_bytes)
        self._given_bytes = 0
        while True:
            if self._is_over:
                return TooMuch()
            if self._outcomes:
                outcome = self._outcomes.popleft()
                self._given_bytes = _size_of(outcome)
                return outcome
            if not self._pending:
                return AllEnded(ends=tuple(self._ends))
            self._news = anyio.Event()
            await self._news.wait()

    def close(self) -> None:
        """Hear nothing more, and hold nothing."""
        self._is_closed = True
        self._ends.clear()
        self._hold_end(0)
        self._drop_all()
        self._board.forget(self)

    def expect(self, session_ids: Iterable[SessionId]) -> None:
        """These sessions may answer."""
        for session_id in session_ids:
            if session_id not in self.sessions:
                self.sessions.add(session_id)
                self._pending.add(session_id)
                self._board.watch(self, session_id)

    def catch_up(self, outcomes: Iterable[Outcome]) -> None:
        """Outcomes that were recorded before; none of them will be given twice."""
        earlier = list(outcomes)
        later = [outcome for outcome in self._outcomes if outcome not in set(earlier)]
        self._drop_all()
        self._known = {hash(outcome) for outcome in earlier}
        for outcome in [*earlier, *later]:
            self._queue(outcome)
        self._news.set()

    def take_outcome(self, outcome: Outcome) -> None:
        """An outcome was recorded."""
        if hash(outcome) not in self._known:
            self._queue(outcome)
            self._news.set()

    def take_end(self, end: SessionEnd) -> None:
        """A session has ended; one that tries the same again takes its place."""
        if end.session.id not in self._pending:
            return
        self._pending.discard(end.session.id)
        if end.successor is not None:
            self.expect([end.successor.id])
        else:
            self._keep_end(end)
        self._news.set()

    def _keep_end(self, end: SessionEnd) -> None:
        """Keep how a session ended; what it returned only until the next one ends, whose value is the answer then."""
        self._ends = [replace(earlier, answer=None) for earlier in self._ends]
        if self._has_outcomes:  # they are the answer
            end = replace(end, answer=None)
        if self._hold_end(len(end.answer or b"")):
            self._ends.append(end)
        elif not self._is_closed:
            self._is_over = True
            self._drop_all()

    def _hold_end(self, size_bytes: int) -> bool:
        self._free(self._end_bytes)
        self._end_bytes = 0
        if not self._is_closed and self._board.reserve(self._held_bytes, size_bytes):
            self._held_bytes += size_bytes
            self._end_bytes = size_bytes
            return True
        return False

    def _queue(self, outcome: Outcome) -> None:
        """Keep an outcome, unless that were too much: then nothing is kept from now on."""
        if self._is_over or self._is_closed:
            return
        self._has_outcomes = True
        size_bytes = _size_of(outcome)
        if self._board.reserve(self._held_bytes, size_bytes):
            self._held_bytes += size_bytes
            self._outcomes.append(outcome)
        else:
            self._is_over = True
            self._drop_all()

    def _drop_all(self) -> None:
        """Drop what is queued; what was given stays held while it may still be on its way."""
        self._outcomes.clear()
        if self._is_closed:
            self._given_bytes = 0
        self._free(self._held_bytes - self._given_bytes - self._end_bytes)

    def _free(self, size_bytes: int) -> None:
        self._held_bytes -= size_bytes
        self._board.release(size_bytes)


class OutcomeBroker:
    """Who waits for what. See `EngineListener` for when it is told.

    What comes faster than callers take it is held in memory: so many bytes for one waiter, and so many for all.
    """

    def __init__(
        self,
        *,
        most_of_one_bytes: int = _MOST_OF_ONE_BYTES,
        most_of_all_bytes: int = _MOST_OF_ALL_BYTES,
    ) -> None:
        self._most_of_one_bytes = most_of_one_bytes
        self._most_of_all_bytes = most_of_all_bytes
        self._held_bytes = 0
        self._by_event: dict[EventId, list[OutcomeStream]] = {}
        self._by_session: dict[SessionId, list[OutcomeStream]] = {}

    def __len__(self) -> int:
        return sum(len(waiters) for waiters in self._by_event.values())

    def open(self, event_id: EventId) -> OutcomeStream:
        """Wait for what comes for the event from now on."""
        waiter = OutcomeStream(self, event_id)
        self._by_event.setdefault(event_id, []).append(waiter)
        return waiter

    @property
    def held_bytes(self) -> int:
        """What all waiters hold."""
        return self._held_bytes

    def reserve(self, held_bytes: int, size_bytes: int) -> bool:
        """Whether a waiter that holds so much may hold so much more; if so, it is counted."""
        is_too_much_for_one = held_bytes + size_bytes > self._most_of_one_bytes
        if is_too_much_for_one or self._held_bytes + size_bytes > self._most_of_all_bytes:
            return False
        self._held_bytes += size_bytes
        return True

    def release(self, size_bytes: int) -> None:
        """A waiter holds so much less."""
        self._held_bytes -= size_bytes

    def outcome_recorded(self, outcome: Outcome) -> None:
        """Pass an outcome on."""
        for waiter in self._by_event.get(outcome.event_id, ()):
            waiter.take_outcome(outcome)

    def session_ended(self, end: SessionEnd) -> None:
        """Pass an end on."""
        for waiter in tuple(self._by_session.get(end.session.id, ())):
            waiter.take_end(end)

    def watch(self, waiter: OutcomeStream, session_id: SessionId) -> None:
        """The waiter wants to know how this session ends."""
        self._by_session.setdefault(session_id, []).append(waiter)

    def forget(self, waiter: OutcomeStream) -> None:
        """The waiter is closed."""
        _drop(self._by_event, waiter.event_id, waiter)
        for session_id in waiter.sessions:
            _drop(self._by_session, session_id, waiter)


def _size_of(outcome: Outcome) -> int:
    return OUTCOME_BYTES + len(outcome.value)


def _drop(table: dict[_Key, list[OutcomeStream]], key: _Key, waiter: OutcomeStream) -> None:
    waiters = table.get(key, [])
    if waiter in waiters:
        waiters.remove(waiter)
    if not waiters:
        table.pop(key, None)
