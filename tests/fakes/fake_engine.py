"""An engine, a builder and runner hosts that do what a test tells them, in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from hookline_service.clock import Clock
from hookline_service.engine.changes import ChangeHub
from hookline_service.engine.listener import SessionEnd
from hookline_service.engine.protocol import (
    Prepared,
    PrepareRequest,
    RunnerInfo,
    Stack,
    StackReport,
)
from hookline_service.model.calls import Outcome, Subscription
from hookline_service.model.errors import SessionFinalError
from hookline_service.model.events import Event, Woken
from hookline_service.model.ids import SessionId, SubscriptionId
from hookline_service.model.sessions import (
    FINAL_STATES,
    LogKind,
    LogRecord,
    Session,
    SessionChange,
    SessionState,
)
from hookline_service.storage.protocols import Store


@dataclass
class FakeEngine:
    """Notes what was started; runs nothing. `finish` and `print_line` play the session's part."""

    store: Store
    clock: Clock
    changes: ChangeHub
    started: list[tuple[Session, Event | None]] = field(default_factory=list)
    woken: list[SessionId] = field(default_factory=list)
    stacks: tuple[Stack, ...] = ()

    async def start(self, session: Session, event: Event | None) -> None:
        if all(session.id != known.id for known, _ in self.started):
            self.started.append((session, event))

    def wake(self, woken: Woken) -> None:
        self.woken += woken

    async def stop(self, session_id: SessionId, *, reason: str, force: bool) -> Session:
        session = await self.store.get_session(session_id)
        if session.state in FINAL_STATES:
            raise SessionFinalError(session.id, session.state)
        prefix = "[forced] " if force else ""
        return await self.finish(session_id, SessionState.STOPPED, stop_reason=prefix + reason)

    async def get_stack(self, session_id: SessionId) -> StackReport:
        session = await self.store.get_session(session_id)
        if session.state in FINAL_STATES:
            raise SessionFinalError(session.id, session.state)
        return StackReport(session=session, stacks=self.stacks)

    async def describe(self, session_id: SessionId) -> Session:
        return await self.store.get_session(session_id)

    async def finish(
        self,
        session_id: SessionId,
        state: SessionState = SessionState.COMPLETED,
        *,
        stop_reason: str = "",
        result: bytes | None = None,
    ) -> Session:
        session = await self.store.get_session(session_id)
        change = SessionChange(
            session_id=session_id,
            expected_attempt=session.attempt,
            state=state,
            at=self.clock.now(),
            stop_reason=stop_reason,
            result=result,
        )
        await self.store.change_session(change, [])
        self.changes.notify(session_id)
        return await self.store.get_session(session_id)

    async def print_line(self, session_id: SessionId, text: str) -> None:
        seq = await self.store.last_seq(session_id) + 1
        record = LogRecord(
            session_id=session_id,
            seq=seq,
            attempt=1,
            at=self.clock.now(),
            kind=LogKind.PRINT,
            text=text,
        )
        await self.store.append([], [record])
        self.changes.notify(session_id)


@dataclass
class Heard:
    """See `EngineListener`: keeps what it is told."""

    ends: list[SessionEnd] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def session_ended(self, end: SessionEnd) -> None:
        self.ends.append(end)

    def subscription_began(self, subscription: Subscription) -> None:
        self.subscriptions.append(subscription)

    def subscription_ended(self, subscription_id: SubscriptionId, session_id: SessionId) -> None:
        self.subscriptions = [
            each
            for each in self.subscriptions
            if (each.id, each.session_id) != (subscription_id, session_id)
        ]

    def outcome_recorded(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


GOOD = Prepared(
    environment="env_test",
    python="3.11.7",
    modules={},
    provided=frozenset(),
    stdlib=frozenset({"json", "os"}),
)


@dataclass
class FakePreparer:
    """Answers every build with `answer`, or raises it; one that asks for no packages with `bare`, if that is set."""

    answer: Prepared | Exception = GOOD
    bare: Prepared | None = None
    requests: list[PrepareRequest] = field(default_factory=list)
    progress: tuple[str, ...] = ("building the environment",)

    async def prepare(
        self, request: PrepareRequest, on_progress: Callable[[str], Awaitable[None]]
    ) -> Prepared:
        self.requests.append(request)
        for text in self.progress:
            await on_progress(text)
        if self.bare is not None and not request.requirements:
            return self.bare
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def fails(self, code: str, message: str) -> None:
        self.answer = replace(GOOD, error_code=code, error_message=message)


@dataclass
class FakeRunners:
    """The hosts that a test put in."""

    hosts: list[RunnerInfo] = field(default_factory=list)

    def list_runners(self) -> list[RunnerInfo]:
        return list(self.hosts)


@dataclass
class HandClock:
    """Time that stands still until a test turns it."""

    at: datetime

    def now(self) -> datetime:
        return self.at
