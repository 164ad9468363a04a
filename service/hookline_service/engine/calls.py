"""Carries out what sessions ask of the service: a `CALL` becomes one transaction of the store, its result the `REPLY`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

import anyio
import anyio.abc

from hookline.errors import HooklineError
from hookline.values import encode
from hookline_runner import fast_json
from hookline_runner.frames import Frame, FrameType
from hookline_service.engine.ending import Exit
from hookline_service.engine.exports import Exports, check_export
from hookline_service.engine.hosts import LiveAttempt
from hookline_service.engine.operations import (
    MAX_CALL_BYTES,
    Caller,
    CallFrame,
    ChildRequest,
    operation_of,
    read_call,
    refusal_of,
)
from hookline_service.engine.parts import EngineDeps
from hookline_service.engine.wire import WireError
from hookline_service.model.calls import (
    CallResult,
    Operation,
    Outcome,
    RecordOutcome,
    SessionCall,
    StartSession,
    Unsubscribe,
)
from hookline_service.model.errors import (
    CallTooLargeError,
    NoActiveDeploymentThereError,
    NotExportedError,
    ProjectNotFoundError,
    SessionFinalError,
    SessionNotFoundError,
    TooManyGenerationsError,
    log_level_of,
)
from hookline_service.model.events import Event, Woken
from hookline_service.model.sessions import Session, fresh_copy

logger = logging.getLogger(__name__)

_INLINE_BYTES: Final = (
    4 * 1024
)  # what is larger, or a filter, is read in a thread: nobody waits for it
_THREADS: Final = 2
_MAX_OPEN: Final = 20_000
_TIMES_AS_LARGE: Final = 4  # what was read of a call, against its text


class CallRuns(Protocol):
    """The engine, as far as calls move it."""

    async def start(self, session: Session, event: Event | None) -> None:
        """See `Engine.start`."""
        ...

    def wake(self, woken: Woken) -> None:
        """See `Engine.wake`."""
        ...

    def abort(self, attempt: LiveAttempt, verdict: Exit) -> None:
        """The attempt must end, for this reason."""
        ...


class OperationHandler:
    """Takes calls of attempts. Everything happens on the event loop but the reading of large ones.

    `on_eased` is called whenever one of those has been read.
    """

    def __init__(self, parts: EngineDeps, engine: CallRuns, on_eased: Callable[[], None]) -> None:
        self._engine = engine
        self._on_eased = on_eased
        self._store = parts.store
        self._contexts = parts.contexts
        self._clock = parts.clock
        self._changes = parts.changes
        self._listener = parts.listener
        self._limits = parts.settings.store_limits
        self._needs_exports = parts.settings.needs_exports
        self._child_limits = parts.settings.child_limits
        self._tasks: anyio.abc.TaskGroup | None = None
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._waiting_bytes = 0

    @property
    def waiting_bytes(self) -> int:
        """Roughly how much memory the calls hold that are to be read in a thread."""
        return self._waiting_bytes

    def open(self, tasks: anyio.abc.TaskGroup) -> None:
        """What takes longer than a moment runs in this group from now on."""
        self._tasks = tasks

    def take(self, attempt: LiveAttempt, frame: Frame) -> None:
        """Carry out a CALL; its REPLY is sent once it is on disk. Raises `WireError`."""
        attempt.open_calls += 1
        if attempt.open_calls > _MAX_OPEN:
            raise WireError(f"more than {_MAX_OPEN} calls at once")
        call = read_call(frame, attempt.position, self._clock.now())
        size = len(frame.header)
        if size > MAX_CALL_BYTES:
            self._submit(
                attempt, call, refusal_of(CallTooLargeError("the call", size, MAX_CALL_BYTES))
            )
        elif size > _INLINE_BYTES or call.arguments.get("filter"):
            self._start_soon(attempt, call, size)
        else:
            wanted = operation_of(call, self._caller(attempt))
            if isinstance(wanted, ChildRequest) and wanted.project:
                self._start_soon(attempt, call, size)
            else:
                self._submit(attempt, call, self._in_own_project(wanted, self._caller(attempt)))

    def _caller(self, attempt: LiveAttempt) -> Caller:
        now = self._clock.now()
        return Caller(
            session=attempt.session,
            project=attempt.context.project_name if attempt.context else "",
            at=now,
            limits=self._limits,
            mask=attempt.mask,
        )

    # -- what takes a moment -----------------------------------------------------------------

    def _start_soon(self, attempt: LiveAttempt, call: CallFrame, size: int) -> None:
        if self._tasks is not None:
            name = f"call of {attempt.session.id}"
            self._waiting_bytes += _TIMES_AS_LARGE * size
            self._tasks.start_soon(self._take_one_slowly, attempt, call, size, name=name)

    async def _take_one_slowly(self, attempt: LiveAttempt, call: CallFrame, size: int) -> None:
        try:
            await self._take_slowly(attempt, call)
        except Exception as exc:  # one session's call must not end the others
            facts = {"session_id": attempt.session.id, "call": call.name}
            logger.exception("a call was not carried out", extra=facts)
            detail = f"{call.name}: {type(exc).__name__}"
            self._engine.abort(attempt, Exit(reason="internal", detail=detail))
        finally:
            self._waiting_bytes -= _TIMES_AS_LARGE * size
            self._on_eased()

    async def _take_slowly(self, attempt: LiveAttempt, call: CallFrame) -> None:
        if attempt.is_closed or attempt.verdict is not None:
            return
        caller = self._caller(attempt)
        try:
            wanted = await anyio.to_thread.run_sync(
                operation_of, call, caller, limiter=self._threads
            )
            if isinstance(wanted, ChildRequest) and wanted.project:
                wanted = await self._in_other_project(wanted, caller)
        except WireError as exc:
            self._engine.abort(attempt, Exit(reason="protocol", detail=str(exc)))
            return
        except HooklineError as exc:
            self._fail(attempt, exc)
            return
        self._submit(attempt, call, self._in_own_project(wanted, caller))

    async def _in_other_project(self, wish: ChildRequest, caller: Caller) -> Operation:
        """A session of another project, in the build that is active there."""
        project = await self._store.find_project(wish.project)
        if project is None:
            return refusal_of(ProjectNotFoundError(wish.project))
        deployment = await self._store.find_active_deployment(project.id)
        if deployment is None:
            return refusal_of(NoActiveDeploymentThereError(wish.project))
        if project.id != caller.session.project_id:
            exports = await self._contexts.get_exports(deployment.build_id)
            try:
                self._check_export(exports, wish, caller)
            except NotExportedError as exc:
                return refusal_of(exc)
        place = replace(
            caller.session,
            project_id=project.id,
            build_id=deployment.build_id,
            deployment_id=deployment.id,
        )
        return self._child(place, wish, caller)

    def _check_export(self, exports: Exports, wish: ChildRequest, caller: Caller) -> None:
        if exports or self._needs_exports:
            check_export(
                exports,
                project=wish.project,
                entry_point=wish.entry_point,
                caller=caller.project,
            )

    def _in_own_project(self, wanted: Operation | ChildRequest, caller: Caller) -> Operation:
        """The operation; a child of the caller's own project is placed beside it."""
        if isinstance(wanted, ChildRequest):
            return self._child(caller.session, wanted, caller)
        return wanted

    def _child(self, place: Session, wish: ChildRequest, caller: Caller) -> Operation:
        """The start of a child in the build of `place`, or why there cannot be one."""
        limits = self._child_limits
        if caller.session.generation >= limits.generations:
            return refusal_of(TooManyGenerationsError(limits.generations))
        child = _child_of(place, wish, caller)
        return StartSession(session=child, most_waiting=limits.waiting)

    # -- the store ---------------------------------------------------------------------------

    def _submit(self, attempt: LiveAttempt, call: CallFrame, operation: Operation) -> None:
        if attempt.is_closed or attempt.verdict is not None:
            return
        entry = call.entry
        if entry is not None:
            attempt.seq += 1
            entry = replace(entry, seq=attempt.seq)
        session_call = SessionCall(
            session_id=attempt.session.id,
            project_id=attempt.session.project_id,
            at=self._clock.now(),
            operation=operation,
            entry=entry,
            seal=partial(attempt.guard.stored, attempt.session.id),
            unseal=partial(attempt.guard.replayed, attempt.session.id),
            cover=attempt.mask.cover,
            finds=attempt.mask.finds_in,
        )
        self._store.call_soon(session_call, partial(self._stored, attempt, call, session_call))

    def _stored(
        self,
        attempt: LiveAttempt,
        call: CallFrame,
        asked: SessionCall,
        result: CallResult | Exception,
    ) -> None:
        attempt.open_calls -= 1
        if isinstance(result, Exception):
            self._fail(attempt, result)
            return
        if result.refusal is None and not result.is_waiting:
            self._follow_up(asked, result)
        if result.woken:
            self._engine.wake(result.woken)
        if call.entry is not None and not result.is_waiting:
            attempt.has_recorded = True
            self._changes.notify(attempt.session.id)
        if not attempt.is_closed:
            header, payload = _reply(call.number, result)
            attempt.host.link.send_encoded(FrameType.REPLY, attempt.channel, header, payload)

    def _fail(self, attempt: LiveAttempt, error: Exception) -> None:
        facts = {"session_id": attempt.session.id, "error": str(error)}
        if isinstance(error, SessionFinalError | SessionNotFoundError):  # it was stopped meanwhile
            logger.info("call came too late; ending the attempt", extra=facts)
        else:
            logger.log(log_level_of(error), "call not carried out; ending the attempt", extra=facts)
        self._engine.abort(attempt, Exit(reason="store"))

    def _follow_up(self, asked: SessionCall, result: CallResult) -> None:
        """What happens outside the database once the operation is in it."""
        operation = asked.operation
        if result.subscription is not None:
            self._listener.subscription_began(result.subscription)
        elif isinstance(operation, Unsubscribe):
            self._listener.subscription_ended(operation.id, asked.session_id)
        elif isinstance(operation, RecordOutcome):
            outcome = Outcome(
                event_id=operation.event_id,
                session_id=asked.session_id,
                at=asked.at,
                value=operation.value,
            )
            self._listener.outcome_recorded(outcome)
        elif isinstance(operation, StartSession) and self._tasks is not None:
            child = operation.session
            # A call that was recorded before answers with the child of then, and this one is none.
            if result.value == encode(child.id):
                self._tasks.start_soon(self._engine.start, child, None, name=f"start {child.id}")


def _child_of(place: Session, wish: ChildRequest, caller: Caller) -> Session:
    return replace(
        fresh_copy(place, caller.at),
        trigger_id=None,
        event_id=None,
        entry_point=wish.entry_point,
        is_durable=caller.session.is_durable,
        input=wish.data,
        scheduled_for=None,
        parent_id=caller.session.id,
        memo=wish.memo,
        generation=caller.session.generation + 1,
    )


def _reply(number: int, result: CallResult) -> tuple[bytes, bytes]:
    """Header and payload of a REPLY."""
    refusal = result.refusal
    error = None if refusal is None else {"code": refusal.code, "message": refusal.message}
    header = {"n": number, "ok": refusal is None, "wait": result.is_waiting, "error": error}
    return fast_json.write(header), result.value
