"""Brings sessions from the store to the engine: after a restart, when they are due, when there is room again."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import anyio
import anyio.lowlevel

from hookline.errors import HooklineError
from hookline_service.clock import Clock
from hookline_service.engine.launch import due_at
from hookline_service.engine.store import EngineStore
from hookline_service.model.errors import log_level_of
from hookline_service.model.ids import ProjectId, SessionId
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
_LONGEST_BACKLOG_WAIT_S = 1.0


class SessionSink(Protocol):
    """The engine, as far as it takes sessions."""

    async def take(self, session: Session) -> None:
        """Start or resume a session that was read from the store, if it still is as it was read."""
        ...

    def is_known(self, session_id: SessionId) -> bool:
        """Whether the engine holds the session already."""
        ...

    def room(self, project_id: ProjectId) -> int:
        """How many more sessions of this project it takes."""
        ...

    def wants_more(self, project_id: ProjectId) -> bool:
        """Whether it holds so few of this project that looking for more is worth it."""
        ...

    def held(self) -> int:
        """How many it holds: queued, running, or being written."""
        ...

    async def fail(self, session: Session, error: SessionError) -> None:
        """End a session that has no attempt with this error."""
        ...


class SessionSource:
    """Looks at the store when told to, when a time has come, and now and then for what was missed.

    `behind` are the projects of which sessions were left in the store, because the engine had no room for them.
    """

    def __init__(self, store: EngineStore, clock: Clock, taker: SessionSink) -> None:
        self._store = store
        self._clock = clock
        self._taker = taker
        self._noticed = anyio.Event()
        self._swept_at = 0.0
        self._look_s = 0.0
        self._next_at: datetime | None = None
        self.behind: set[ProjectId] = set()

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
        await self._take_created(await self._projects_in_need())
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
            except HooklineError as exc:
                facts = {"error": exc.message}
                logger.log(log_level_of(exc), "sessions not looked at; trying again", extra=facts)
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
        if is_sweep:
            await self._take_created(await self._projects_in_need())
            self._swept_at = began
            await self._sweep_orphans()
        elif self.behind:
            await self._take_created([each for each in self.behind if self._taker.wants_more(each)])
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
        least_s = _LEAST_WAIT_S
        if self.behind:
            least_s, wait_s = _BACKLOG_WAIT_S, min(wait_s, _LONGEST_BACKLOG_WAIT_S)
        with anyio.move_on_after(max(wait_s, least_s, _REST_FACTOR * self._look_s)):
            await self._noticed.wait()

    async def _take_due(self) -> int:
        """Hand on what is due, of each project for which there is room; look a little ahead, past what the engine holds."""
        now = self._clock.now()
        self._next_at = horizon = now + _HORIZON
        most = _PAGE + min(self._taker.held(), _MOST_HELD)
        seen = await self._store.list_due(horizon, most)
        taken = await self._take_page(seen, now)
        if len(seen) == most:  # other projects may stand behind these
            for project_id in await self._projects_in_need():
                if self._taker.wants_more(project_id):
                    page = await self._store.list_due(horizon, _PAGE, project_id)
                    taken += await self._take_page(page, now)
        else:
            self._next_at = self._look_again_at(seen, now)
        return taken

    async def _take_page(self, seen: Sequence[Session], now: datetime) -> int:
        """Take those of these that are due, unknown and have room; how many."""
        taken = 0
        for session in seen:
            if due_at(session) > now or taken >= _PAGE:
                break
            if self._taker.is_known(session.id):
                continue
            if self._taker.room(session.project_id) == 0:
                self.behind.add(session.project_id)
                continue
            await self._take_one(session, now)
            taken += 1
            if taken % _TAKEN_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        return taken

    def _look_again_at(self, seen: Sequence[Session], now: datetime) -> datetime | None:
        """The first time ahead among these, which are all there are; None if the store must be asked."""
        if ahead := next((at for each in seen if (at := due_at(each)) > now), None):
            return ahead
        return now + _HORIZON if seen else None

    async def _projects_in_need(self) -> list[ProjectId]:
        return await self._store.list_projects_in_need(self._clock.now())

    async def _take_one(self, session: Session, now: datetime) -> None:
        if session.deadline_at is not None and session.deadline_at <= now:
            message = "the session did not end within its timeout"
            await self._taker.fail(session, SessionError(type="TimeoutError", message=message))
        else:
            await self._taker.take(replace(session, wake_at=None))

    async def _take_created(self, projects: Sequence[ProjectId]) -> None:
        """Hand on sessions of these projects that are not begun, page by page in turn, while there is room for them."""
        now = self._clock.now()
        places = deque[tuple[ProjectId, SessionId | None]]((each, None) for each in projects)
        while places:
            project_id, after = places.popleft()
            page = await self._store.list_created(project_id, after, _PAGE)
            if after is None:
                self.behind.discard(project_id)
            for session in page:
                if project_id in self.behind:
                    break
                if session.wake_at is None or session.wake_at <= now:
                    await self._taker.take(session)
            if len(page) == _PAGE and project_id not in self.behind:
                places.append((project_id, page[-1].id))

    async def _sweep_orphans(self) -> None:
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
