"""Brings sessions from the store to the engine: after a restart, when they are due, when there is room again."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import anyio
import anyio.lowlevel

from hookline.errors import HooklineError
from hookline_service.clock import Clock
from hookline_service.engine.launch import due_at
from hookline_service.engine.store import EngineStore
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import (
    AttemptOutcome,
    LogKind,
    LogRecord,
    Session,
    SessionChange,
    SessionError,
    SessionState,
)

logger = logging.getLogger(__name__)

_PAGE = 1_000
_TAKEN_AT_ONCE = 50  # then others have their turn
_SWEEP_S = 30.0
_LEAST_WAIT_S = 0.001
_HORIZON = timedelta(milliseconds=250)
_REST_FACTOR = 5  # rest at least so many times as long as looking took
_LONGEST_REST_S = 0.5
_MOST_HELD = 4_000
_STORE_RETRY_S = 1.0
_BACKLOG_WAIT_S = 0.25


class Taker(Protocol):
    """The engine, as far as it takes sessions."""

    async def take(self, session: Session) -> None:
        """Start or resume a session that was read from the store, if it still is as it was read."""
        ...

    def is_known(self, session_id: SessionId) -> bool:
        """Whether the engine holds the session already."""
        ...

    def room(self) -> int:
        """How many more sessions it takes."""
        ...

    def wants_more(self) -> bool:
        """Whether there is so much room that looking for more is worth it."""
        ...

    def held(self) -> int:
        """How many it holds: queued, running, or being written."""
        ...

    async def fail(self, session: Session, error: SessionError) -> None:
        """End a session that has no attempt with this error."""
        ...


class SessionSource:
    """Looks at the store when told to, when a time has come, and now and then for what was missed."""

    def __init__(self, store: EngineStore, clock: Clock, taker: Taker) -> None:
        self._store = store
        self._clock = clock
        self._taker = taker
        self._noticed = anyio.Event()
        self._swept_at = 0.0
        self._look_s = 0.0
        self._next_at: datetime | None = None
        self.has_backlog = False

    def notice(self) -> None:
        """Something to look at was written."""
        self._noticed.set()

    async def take_up(self) -> None:
        """Hand the engine what an earlier process left behind: attempts cut off, sessions not begun."""
        after: SessionId | None = None
        while page := await self._store.list_unfinished([SessionState.RUNNING], after, _PAGE):
            after = page[-1].id
            async with anyio.create_task_group() as tasks:
                for session in page:
                    tasks.start_soon(self._take_up_cut_off, session, name="take up")
        await self._take_created()
        self._swept_at = anyio.current_time()

    async def watch(self) -> None:
        """Hand the engine each session whose time has come; never returns."""
        while True:
            self._noticed = anyio.Event()
            try:
                if await self._look():
                    await self._rest()
                else:
                    await self._wait_for_next()
            except HooklineError:
                logger.exception("sessions not looked at; trying again")
                with anyio.move_on_after(_STORE_RETRY_S):
                    await self._noticed.wait()

    async def look_at(self, session_id: SessionId) -> None:
        """Hand the engine one session as it is now, unless it waits for something or has ended."""
        session = await self._store.get_session(session_id)
        if self._taker.is_known(session_id):
            return
        if session.state is SessionState.RUNNING:
            logger.warning("session resumed that nobody held", extra={"session_id": session_id})
            await self._taker.take(session)
        elif session.state is SessionState.CREATED and session.wake_at is None:
            await self._taker.take(session)

    async def _look(self) -> bool:
        """Take what is due, and from time to time what else there is; whether anything was due."""
        began = anyio.current_time()
        is_sweep = began - self._swept_at >= _SWEEP_S
        taken = await self._take_due()
        if is_sweep or (self.has_backlog and self._taker.wants_more()):
            await self._take_created()
        if is_sweep:
            self._swept_at = began
            await self._take_forgotten()
        self._look_s = anyio.current_time() - began
        return taken > 0

    async def _rest(self) -> None:
        """Let others have their turn while the engine has enough to do: looking past it costs the more, the more it is."""
        if self._taker.held() >= _PAGE:
            await anyio.sleep(min(_LONGEST_REST_S, _REST_FACTOR * self._look_s))

    async def _wait_for_next(self) -> None:
        """Wait for a notice or the next time; at least a while, in proportion to what looking costs."""
        next_at = self._next_at or await self._store.next_due_at()
        wait_s = _SWEEP_S
        if next_at is not None:
            wait_s = min(wait_s, (next_at - self._clock.now()).total_seconds())
        least_s = _BACKLOG_WAIT_S if self.has_backlog else _LEAST_WAIT_S
        with anyio.move_on_after(max(wait_s, least_s, _REST_FACTOR * self._look_s)):
            await self._noticed.wait()

    async def _take_due(self) -> int:
        """Hand on what is due; look a little ahead, past those that the engine holds and has no room for."""
        now = self._clock.now()
        self._next_at = now + _HORIZON
        limit = min(_PAGE, self._taker.room())
        if limit == 0:
            self.has_backlog = True
            return 0
        held = min(self._taker.held(), _MOST_HELD)
        seen = await self._store.list_due(self._next_at, limit + held)
        fresh = [session for session in seen if not self._taker.is_known(session.id)]
        due = [session for session in fresh if due_at(session) <= now][:limit]
        for number, session in enumerate(due, start=1):
            await self._take_one(session, now)
            if number % _TAKEN_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        if len(due) < len(fresh):
            self._next_at = due_at(fresh[len(due)])
        elif len(fresh) == len(seen):
            self._next_at = None
        return len(due)

    async def _take_one(self, session: Session, now: datetime) -> None:
        if session.deadline_at is not None and session.deadline_at <= now:
            message = "the session did not end within its time-out"
            await self._taker.fail(session, SessionError(type="TimeoutError", message=message))
        else:
            await self._taker.take(replace(session, wake_at=None))

    async def _take_created(self) -> None:
        self.has_backlog = False
        now = self._clock.now()
        after: SessionId | None = None
        while page := await self._store.list_unfinished([SessionState.CREATED], after, _PAGE):
            after = page[-1].id
            for session in page:
                if session.wake_at is None or session.wake_at <= now:
                    await self._taker.take(session)
            if self.has_backlog:
                return

    async def _take_forgotten(self) -> None:
        """A net under everything else: no session may be called running that nobody runs."""
        after: SessionId | None = None
        while page := await self._store.list_unfinished([SessionState.RUNNING], after, _PAGE):
            after = page[-1].id
            for session in page:
                if not self._taker.is_known(session.id):
                    await self.look_at(session.id)

    async def _take_up_cut_off(self, session: Session) -> None:
        if not session.is_durable:
            message = "the service stopped; a session that is not durable cannot be resumed"
            error = SessionError(type="SessionLostError", message=message)
            await self._taker.fail(session, error)
            return
        text = "the service stopped; resuming from the journal. An activity that was cut off runs again"
        change = SessionChange(
            session_id=session.id,
            expected_attempt=session.attempt,
            state=SessionState.RUNNING,
            at=self._clock.now(),
            deadline_at=session.deadline_at,
            outcome=AttemptOutcome.LOST,
            detail=text,
        )
        record = LogRecord(
            session_id=session.id,
            seq=await self._store.last_seq(session.id) + 1,
            attempt=session.attempt,
            at=self._clock.now(),
            kind=LogKind.STATE,
            text=text,
        )
        await self._store.change_session(change, [record])
        await self._taker.take(session)
