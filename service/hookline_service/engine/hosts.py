"""Runner hosts and the attempts that live on them, as the engine sees them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from hookline_service.engine.admission import Limit
from hookline_service.engine.contexts import LaunchSpec
from hookline_service.engine.ending import AttemptFacts, Done, Exit, Suspension
from hookline_service.engine.link import RunnerLink
from hookline_service.engine.masking import NO_MASK, Mask
from hookline_service.engine.protocol import StackReport
from hookline_service.engine.vault import NO_GUARD, ValueGuard
from hookline_service.engine.wire import Position
from hookline_service.model.events import Event
from hookline_service.model.sessions import LogKind, LogRecord, Session


@dataclass(slots=True, kw_only=True)
class LiveAttempt:
    """Mutable facts of one attempt.

    `is_begun`: its beginning was given to the store, and `session` carries its number and state. `is_launched`: its
    START was sent, as number `launch` on the link. `verdict`: why the service had it killed; from then on nothing it says counts.
    """

    session: Session
    event: Event | None
    host: Host
    channel: int
    limits: tuple[Limit, ...]
    context: LaunchSpec | None = None
    seq: int = 0
    log_lines: int = 0
    log_bytes: int = 0
    log_gap: int = 0
    is_begun: bool = False
    is_launched: bool = False
    launch: int = 0
    is_closed: bool = False
    has_started: bool = False
    has_recorded: bool = False
    done: Done | None = None
    suspension: Suspension | None = None
    verdict: Exit | None = None
    stop_reason: str | None = None
    has_timed_out: bool = False
    deadline: asyncio.TimerHandle | None = None
    open_calls: int = 0
    stack_asked: list[asyncio.Future[StackReport]] = field(
        default_factory=list["asyncio.Future[StackReport]"]
    )

    @property
    def position(self) -> Position:
        """Where the next records go."""
        return Position(self.session.id, self.session.attempt, self.seq, self.mask, self.guard)

    @property
    def mask(self) -> Mask:
        """Covers the project's secrets in what the attempt shows."""
        return NO_MASK if self.context is None else self.context.mask

    @property
    def guard(self) -> ValueGuard:
        """Seals the project's secrets in what the attempt records."""
        return NO_GUARD if self.context is None else self.context.guard

    def record(self, at: datetime, kind: LogKind, text: str) -> LogRecord:
        """A log record of the service about this attempt, with the next `seq`."""
        self.seq += 1
        return LogRecord(
            session_id=self.session.id,
            seq=self.seq,
            attempt=self.session.attempt,
            at=at,
            kind=kind,
            text=text,
        )

    def facts(self, how: Exit, crashes: int) -> AttemptFacts:
        """What `decide_ending` needs."""
        timeout_s = self.context.timeout_s if self.context is not None else None
        return AttemptFacts(
            is_durable=self.session.is_durable or not self.is_launched,
            done=self.done,
            suspension=self.suspension,
            exit=how,
            stop_reason=self.stop_reason,
            timed_out_after_s=(timeout_s or 0.0) if self.has_timed_out else None,
            crashes=crashes,
        )


@dataclass(slots=True, kw_only=True)
class Host:
    """One connected runner host and what is known of it. `last_heard` is on the event loop's clock.

    `is_suspected`: it was silent for too long when last looked at. `launches`: how many STARTs were sent to it.
    """

    link: RunnerLink
    id: str
    name: str
    sandbox: str
    python: str
    version: str
    labels: tuple[str, ...]
    features: frozenset[str]  # of the protocol, beyond what each host knows
    capacity: int
    last_heard: float
    pid: int = 0
    rss_bytes: int = 0
    is_suspected: bool = False
    next_channel: int = 1
    launches: int = 0
    attempts: dict[int, LiveAttempt] = field(default_factory=dict[int, "LiveAttempt"])

    @property
    def has_room(self) -> bool:
        """Whether another attempt can be sent there."""
        return len(self.attempts) < self.capacity

    def open_channel(self) -> int:
        """A channel number never used before on this link."""
        channel = self.next_channel
        self.next_channel += 1
        return channel

    def note_launch(self, attempt: LiveAttempt) -> None:
        """The START of the attempt is about to be sent, behind those of all attempts noted before."""
        self.launches += 1
        attempt.launch = self.launches
        attempt.is_launched = True
