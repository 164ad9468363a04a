"""The embedded engine: carries the sessions of one node from their start to a final state.

Everything here happens on one event loop. The store is the truth: what this engine holds in memory is the queue of
sessions that want to run and the attempts that live on runner hosts, and both are found again after a crash.
Writes go to the store in the order in which things happened, and an attempt's process goes on only after the ACK
that follows the write; so no recorded step is lost, and none is made twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TypeVar

import anyio
import anyio.abc

from hookline.errors import HooklineError, UnavailableError
from hookline_runner.frames import FrameType
from hookline_service.engine.admission import AdmissionQueue, RecentSessions, Ticket
from hookline_service.engine.contexts import LaunchSpec
from hookline_service.engine.ending import (
    CrashCause,
    Exit,
    Next,
    crash_cause_of,
    decide_ending,
    failure,
)
from hookline_service.engine.hosts import Host, LiveAttempt
from hookline_service.engine.launch import begin, not_startable, send_journal
from hookline_service.engine.listener import SessionEnd
from hookline_service.engine.parts import EngineDeps
from hookline_service.engine.settlement import (
    AttemptResult,
    session_end_of,
    settle,
    settle_attempt,
    stop_of,
)
from hookline_service.engine.source import SessionSource
from hookline_service.engine.stacks import StackDesk
from hookline_service.engine.waking import Waker
from hookline_service.engine.wire import start_header
from hookline_service.model.errors import SessionFinalError, log_level_of
from hookline_service.model.events import Event, Woken
from hookline_service.model.ids import ProjectId, SessionId
from hookline_service.model.sessions import (
    FINAL_STATES,
    AttemptOutcome,
    Session,
    SessionError,
    SessionState,
    opened,
)
from hookline_triggers.definitions import RetryPolicy

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_MAX_QUEUED = (
    20_000  # of all projects; each has room for its share of this, whatever the others have
)
_QUEUE_LOW = 100  # of one project
_EVENTS_KEPT = 500  # beyond this a queued session's event is read again when its turn comes
_STORE_RETRY_S = 1.0


class EmbeddedEngine:
    """See `Engine`. Its frames come from `FrameInbox`, its hosts from `RunnerPool`."""

    def __init__(self, parts: EngineDeps) -> None:
        self._store = parts.store
        self._pool = parts.pool
        self._contexts = parts.contexts
        self._changes = parts.changes
        self._clock = parts.clock
        self._settings = parts.settings
        self._start_time = parts.start_time
        self._listener = parts.listener
        self._gate = parts.gate
        self._queue = AdmissionQueue()
        self._live: dict[SessionId, LiveAttempt] = {}
        self._changing: set[SessionId] = set()
        self._crashes: dict[SessionId, Counter[CrashCause]] = {}
        self._lately = RecentSessions()
        self.source = SessionSource(parts.store, parts.clock, self)
        self.stacks = StackDesk(parts.store, self._live)
        self._waker = Waker(parts.store, parts.clock, self, self.source, self._live)
        self._tasks: anyio.abc.TaskGroup | None = None

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Take up what an earlier process left, then serve until cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                await self.source.take_up()
                tasks.start_soon(self.source.watch, name="engine timers")
                task_status.started()
        finally:
            self._tasks = None

    # -- Engine ------------------------------------------------------------------------------

    async def start(self, session: Session, event: Event | None) -> None:
        """See `Engine.start`."""
        if session.wake_at is not None and session.wake_at > self._clock.now():
            self.source.notice()
            return
        is_fresh = session.id not in self._lately and session.forked_from is None
        await self._enqueue(session, event, is_fresh=is_fresh)

    async def take(self, session: Session) -> None:
        """See `SessionSink.take`."""
        await self._enqueue(session, None, is_fresh=False)

    async def _enqueue(self, session: Session, event: Event | None, *, is_fresh: bool) -> None:
        if self.is_known(session.id):
            return
        # What has begun is nobody else's to find again, so it is never left in the store.
        if session.state is SessionState.CREATED and self.room(session.project_id) == 0:
            self.source.behind.add(session.project_id)
            return
        context = self._contexts.find_context(session)
        if context is None:
            is_fresh = False  # while its facts are read it may be stopped
            if (context := await self._read_context(session)) is None:
                return
        if len(self._queue) >= _EVENTS_KEPT:
            is_fresh, event = False, None
        self._queue.push(Ticket(session, event, context.limits, is_fresh))
        self.fill_hosts()

    async def _read_context(self, session: Session) -> LaunchSpec | None:
        """The context; without it the session ends in error, or is taken again when the store can be read."""
        self._changing.add(session.id)
        try:
            context = await self._contexts.get_context(session)
        except UnavailableError as exc:
            facts = {"session_id": session.id, "error": exc.message}
            logger.log(log_level_of(exc), "store not available; trying again", extra=facts)
            self._resume(session, _STORE_RETRY_S)
            return None
        except HooklineError as exc:
            await self._fail_unstarted(session, exc)
            return None
        self._changing.discard(session.id)
        return context

    def wake(self, woken: Woken) -> None:
        """See `Engine.wake`."""
        self._waker.wake(woken, partial(self._start_soon, self._waker.take_up))

    async def stop(self, session_id: SessionId, *, reason: str, force: bool) -> Session:
        """See `Engine.stop`."""
        while True:
            session = await self._store.get_session(session_id)
            attempt = self._live.get(session_id)
            if attempt is not None and attempt.is_launched:
                attempt.stop_reason = attempt.stop_reason or reason
                self._send_stop(attempt, reason, force=force)
                return session
            if session.state in FINAL_STATES:
                raise SessionFinalError(session_id, session.state)
            if attempt is not None:
                session = attempt.session
                self._close(attempt)
            self._queue.remove(session_id)
            self._lately.add(session_id)
            try:
                if await self._stop_idle(session, reason):
                    break
            except UnavailableError:
                self._keep(session, attempt)
                raise
        stopped = await self._store.get_session(session_id)
        self._announce_end(SessionEnd(session=stopped))
        self.fill_hosts()
        return stopped

    def _keep(self, session: Session, attempt: LiveAttempt | None) -> None:
        """A stop could not be written: the session goes on."""
        if attempt is None or not attempt.is_begun:
            self._resume(session, _STORE_RETRY_S)
            return
        verdict = Exit(reason="store")
        ending = decide_ending(attempt.facts(verdict, 0))
        self._submit(settle_attempt(attempt, ending, verdict, 0, self._clock.now()))

    async def _stop_idle(self, session: Session, reason: str) -> bool:
        """Stop a session that has no process; false if it has changed meanwhile."""
        self._changing.add(session.id)
        try:
            seq = await self._store.last_seq(session.id) + 1
            change, record = stop_of(session, reason, self._clock.now(), seq)
            return await self._store.change_session(change, [record])
        finally:
            self._changing.discard(session.id)

    async def describe(self, session_id: SessionId) -> Session:
        """See `Engine.describe`."""
        return await self._store.get_session(session_id)

    # -- starting attempts -------------------------------------------------------------------

    def fill_hosts(self) -> None:
        """Begin as many attempts as there is room for."""
        behind = self.source.behind
        while (host := self._pool.pick()) is not None:
            ticket = self._queue.pop()
            if ticket is None:
                break
            self._begin(ticket, host)
            if behind and self._has_run_low(ticket.session.project_id):
                self.source.notice()

    def _has_run_low(self, project_id: ProjectId) -> bool:
        return project_id in self.source.behind and self.wants_more(project_id)

    def gauges(self) -> dict[str, float]:
        """Figures for monitoring."""
        return {
            "sessions_queued": len(self._queue),
            "sessions_running": len(self._live),
            "store_pending_bytes": self._store.pending_bytes(),
        }

    def is_known(self, session_id: SessionId) -> bool:
        """Whether the session waits in the queue, runs, or is being written."""
        return session_id in self._live or session_id in self._queue or session_id in self._changing

    def held(self) -> int:
        """See `SessionSink.held`."""
        return len(self._queue) + len(self._live) + len(self._changing)

    def wants_more(self, project_id: ProjectId) -> bool:
        """See `SessionSink.wants_more`."""
        share = self._queue.share(project_id, _MAX_QUEUED)
        return self._queue.count(project_id) <= min(_QUEUE_LOW, share // 2)

    def room(self, project_id: ProjectId) -> int:
        """See `SessionSink.room`."""
        return self._queue.room(project_id, _MAX_QUEUED)

    def _begin(self, ticket: Ticket, host: Host) -> None:
        session = ticket.session
        attempt = LiveAttempt(
            session=session,
            event=ticket.event,
            host=host,
            channel=host.open_channel(),
            limits=ticket.limits,
        )
        self._live[session.id] = attempt
        host.attempts[attempt.channel] = attempt
        context = self._contexts.find_context(session)
        if context is not None and ticket.is_fresh:
            self._launch(attempt, context)
        elif self._tasks is not None:
            self._tasks.start_soon(self._launch_slowly, attempt, name=f"launch {session.id}")

    def _launch(self, attempt: LiveAttempt, context: LaunchSpec) -> None:
        """Start a session recorded a moment ago, which nobody else can have begun."""
        change, log = begin(attempt, context, self._clock.now())
        self._store.change_session_soon(change, log, partial(self._begun, attempt))
        self._send_start(attempt, context, journal_count=0)

    async def _launch_slowly(self, attempt: LiveAttempt) -> None:
        """Start or resume a session read from the store: first record that it begins, unless it changed since."""
        session = attempt.session
        try:
            context = await self._contexts.get_context(session)
            if attempt.event is None and session.event_id is not None:
                attempt.event = await self._store.get_event(session.event_id)
            attempt.seq = await self._store.last_seq(session.id)
            count = await self._store.count_entries(session.id)
            if attempt.is_closed:
                return
            change, log = begin(attempt, context, self._clock.now())
            is_ours = await self._store.change_session(change, log)
            if attempt.is_closed:
                return
            if not is_ours:
                self._close(attempt)
                self._start_soon(self._look_again, session.id)
                self.fill_hosts()
                return
            self._changes.notify(session.id)
            self._send_start(attempt, context, journal_count=count)
            await send_journal(self._store, attempt, count)
        except UnavailableError as exc:
            facts = {"session_id": session.id, "error": exc.message}
            logger.log(log_level_of(exc), "store not available; trying again", extra=facts)
            self._give_back(attempt, session)
        except HooklineError as exc:
            if attempt.is_launched:
                self.abort(attempt, Exit(reason="store", detail=exc.message))
            elif not attempt.is_closed:
                self._close(attempt)
                await self._fail_unstarted(session, exc)

    def _give_back(self, attempt: LiveAttempt, session: Session) -> None:
        """The store failed while the attempt began: end what runs, or take the session again in a moment."""
        if attempt.is_launched:
            self.abort(attempt, Exit(reason="store"))
        elif not attempt.is_closed:
            self._close(attempt)
            self._resume(session, _STORE_RETRY_S)

    def _send_start(self, attempt: LiveAttempt, context: LaunchSpec, *, journal_count: int) -> None:
        try:
            header, payload = start_header(
                opened(attempt.session, self._gate),
                attempt.event,
                context,
                limits=self._settings.limits,
                journal_count=journal_count,
                now=self._start_time(),
            )
        except Exception as exc:  # noqa: BLE001 - one session's event must not end the others
            attempt.done = not_startable(attempt, exc)
            finish = partial(self.finish, attempt, Exit(reason="exited"))
            asyncio.get_running_loop().call_soon(finish)
            return
        attempt.event = None
        attempt.host.note_launch(attempt)
        attempt.host.link.send_encoded(FrameType.START, attempt.channel, header, payload)
        self._set_deadline(attempt)

    def _begun(self, attempt: LiveAttempt, applied: bool | Exception) -> None:
        if applied is True:
            self._changes.notify(attempt.session.id)
            return
        facts = {"session_id": attempt.session.id, "error": str(applied)}
        logger.log(log_level_of(applied), "attempt not recorded; ending it", extra=facts)
        self.abort(attempt, Exit(reason="store"))

    def _set_deadline(self, attempt: LiveAttempt) -> None:
        deadline_at = attempt.session.deadline_at
        if deadline_at is None:
            return
        left_s = max(0.0, (deadline_at - self._clock.now()).total_seconds())
        attempt.deadline = asyncio.get_running_loop().call_later(
            left_s, partial(self._time_out, attempt)
        )

    def _time_out(self, attempt: LiveAttempt) -> None:
        if attempt.is_closed:
            return
        attempt.has_timed_out = True
        self._send_stop(attempt, "time-out", force=False)

    # -- ending attempts ---------------------------------------------------------------------

    def abort(self, attempt: LiveAttempt, verdict: Exit) -> None:
        """Have the attempt's process killed; what it says until it is gone no longer counts."""
        if attempt.is_closed or attempt.verdict is not None:
            return
        attempt.verdict = verdict
        attempt.done = None
        attempt.suspension = None
        self._send_stop(attempt, "aborted", force=True)

    def _send_stop(self, attempt: LiveAttempt, reason: str, *, force: bool) -> None:
        header = {"reason": reason, "force": force, "grace_s": self._settings.stop_grace_s}
        attempt.host.link.send(FrameType.STOP, attempt.channel, header)

    def _close(self, attempt: LiveAttempt) -> None:
        """Forget the attempt; its channel stays unused for ever."""
        attempt.is_closed = True
        if attempt.deadline is not None:
            attempt.deadline.cancel()
        self._live.pop(attempt.session.id, None)
        self._lately.add(attempt.session.id)
        attempt.host.attempts.pop(attempt.channel, None)
        self._queue.release(attempt.session.project_id, attempt.limits)

    def finish(self, attempt: LiveAttempt, how: Exit) -> None:
        """The attempt's process is gone: decide what comes next, and write it."""
        if attempt.is_closed:
            return
        self._close(attempt)
        session = attempt.session
        if not attempt.is_begun:
            self._resume(session, 0.0)
        elif not self._is_left_to_the_next_start(attempt):
            verdict = attempt.verdict or how
            counted = self._crashes.pop(session.id, None)
            if counted is None or attempt.has_recorded:
                counted = Counter[CrashCause]()
            crashes = counted[crash_cause_of(verdict)]
            ending = decide_ending(attempt.facts(verdict, crashes))
            if ending.outcome is AttemptOutcome.CRASHED and ending.next is Next.RESUME:
                counted[crash_cause_of(verdict)] += 1
                self._crashes[session.id] = counted
            self._submit(settle_attempt(attempt, ending, verdict, crashes, self._clock.now()))
        self.fill_hosts()

    def _is_left_to_the_next_start(self, attempt: LiveAttempt) -> bool:
        """Whether the service ends, and with it an attempt that has not ended by itself."""
        has_ended = attempt.done is not None or attempt.suspension is not None
        return self._tasks is None and not has_ended and attempt.stop_reason is None

    async def fail(self, session: Session, error: SessionError) -> None:
        """End a session that has no attempt here with this error; it is tried again as its policy says."""
        self._changing.add(session.id)
        retries: RetryPolicy | None = None
        try:
            retries = (await self._contexts.get_context(session)).retries
        except UnavailableError:
            self._changing.discard(session.id)
            raise
        except HooklineError as exc:
            logger.info("no retry", extra={"session_id": session.id, "reason": exc.message})
        await self._fail_now(session, error, retries)

    async def _fail_unstarted(self, session: Session, exc: HooklineError) -> None:
        """A session whose project, build or event cannot be had ends in error."""
        error = SessionError(type=type(exc).__name__, message=exc.message)
        try:
            await self._fail_now(session, error, None)
        except UnavailableError:
            self._resume(session, _STORE_RETRY_S)

    async def _fail_now(
        self, session: Session, error: SessionError, retries: RetryPolicy | None
    ) -> None:
        self._changing.discard(session.id)
        seq = await self._store.last_seq(session.id)
        ending = failure(error, AttemptOutcome.LOST)
        self._submit(settle(session, ending, self._clock.now(), seq=seq, retries=retries))

    def _submit(self, settlement: AttemptResult) -> None:
        self._changing.add(settlement.session.id)
        self._store.change_session_soon(
            settlement.change, settlement.log, partial(self._settled, settlement)
        )

    def _settled(self, settlement: AttemptResult, applied: bool | Exception) -> None:
        session, ending = settlement.session, settlement.ending
        if isinstance(applied, Exception):
            facts = {"session_id": session.id, "error": str(applied)}
            logger.log(
                log_level_of(applied), "end of attempt not recorded; trying again", extra=facts
            )
            again = partial(self._submit, settlement)
            asyncio.get_running_loop().call_later(_STORE_RETRY_S, again)
            return
        self._changing.discard(session.id)
        if not applied:
            logger.warning("end of attempt came too late", extra={"session_id": session.id})
            self._start_soon(self._look_again, session.id)
            return
        self._changes.notify(session.id)
        if ending.next is Next.RESUME:
            self._resume(session, settlement.resume_after_s)
        elif ending.next is Next.WAIT or settlement.change.successor is not None:
            self.source.notice()
        if ending.next is Next.END:
            self._announce_end(session_end_of(settlement))

    async def _look_again(self, session_id: SessionId) -> None:
        """What was to be written did not fit what the store holds: go on from there."""
        try:
            await self.source.look_at(session_id)
        except HooklineError as exc:
            facts = {"session_id": session_id, "reason": exc.message}
            logger.warning("session not looked at; the next sweep will", extra=facts)

    def _resume(self, session: Session, delay_s: float) -> None:
        if delay_s:
            self._changing.add(session.id)
            asyncio.get_running_loop().call_later(delay_s, self._resume, session, 0.0)
        else:
            self._changing.discard(session.id)
            self._start_soon(self.take, session)

    def _start_soon(
        self, what: Callable[[_T], Coroutine[object, object, None]], argument: _T
    ) -> None:
        """Start a task; nothing happens once the service ends, for the next start looks at everything."""
        if self._tasks is not None:
            self._tasks.start_soon(what, argument, name="engine step")

    def _announce_end(self, end: SessionEnd) -> None:
        """Tell those who watch, wait or started it that the session has ended."""
        session = end.session
        self._changes.notify(session.id)
        self._listener.session_ended(end)
        if session.parent_id is not None:
            self.wake({session.parent_id: (f"sig:{session.id}",)})
