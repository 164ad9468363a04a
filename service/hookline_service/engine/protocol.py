"""What the service asks of an engine: carry sessions from their start to a final state.

A session is recorded in the store before the engine hears of it, so an engine that forgets (a crash) finds
everything again. Every method is idempotent by session id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from hookline_service.model.events import Event, Woken
from hookline_service.model.ids import BuildId, SessionId
from hookline_service.model.sessions import Session


class Engine(Protocol):
    """Runs sessions. The embedded engine is the reference; others live behind the same contract."""

    async def start(self, session: Session, event: Event | None) -> None:
        """Take on a recorded session; returns at once, before it runs. A known session is left alone."""
        ...

    def wake(self, woken: Woken) -> None:
        """Something has come for these sessions: what runs is told, what waits and is due goes on. Returns at once.

        Without topics, it may be anything that the session waits for.

        The store made those due which wait for it, so a wake that is lost costs a moment and nothing else.
        """
        ...

    async def stop(self, session_id: SessionId, *, reason: str, force: bool) -> Session:
        """End the session: politely at its next step, or at once with its whole process tree.

        Returns the session as it is now (a polite stop may still be under way). A created or waiting session is
        stopped at once. Raises `SessionNotFoundError`, `SessionFinalError`.
        """
        ...

    async def describe(self, session_id: SessionId) -> Session:
        """The session as the engine knows it now; raises `SessionNotFoundError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareRequest:
    """What a runner host needs to make a build ready: see `PREPARE` in docs/protocol.md."""

    project: str
    build_id: BuildId
    python: str
    requirements: str
    process: str
    archive: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a runner host found: see `PREPARED` in docs/protocol.md. `error` is None on success."""

    environment: str
    python: str
    modules: Mapping[str, Mapping[str, object]]
    provided: frozenset[str]
    stdlib: frozenset[str]
    error_code: str = ""
    error_message: str = ""


class Preparer(Protocol):
    """Makes builds ready to run."""

    async def prepare(
        self, request: PrepareRequest, on_progress: Callable[[str], Awaitable[None]]
    ) -> Prepared:
        """Build the environment, compile and analyse; changes nothing but caches.

        Raises `RunnerUnavailableError` when no runner host is connected (after waiting a few seconds for one).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerInfo:
    """A connected runner host as shown to people."""

    id: str
    name: str
    sandbox: str
    python: str
    version: str
    capacity: int
    busy: int
    rss_bytes: int
    labels: tuple[str, ...]


class Runners(Protocol):
    """The connected runner hosts."""

    def list_runners(self) -> list[RunnerInfo]:
        """Hosts connected now, by name."""
        ...


class SessionChanges(Protocol):
    """Tells those who watch that something about a session is new in the store."""

    async def wait_change(self, session_id: SessionId, since: int) -> int:
        """Wait until the session's change counter is above `since`; returns the counter.

        The counter rises after log records, journal entries or a state of the session were committed. It is kept
        only while somebody watches: call with `since=-1` first, which returns at once.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFrame:
    """One call under way; `source` is its line, "" where that is not known."""

    file: str
    line: int
    function: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Where a thread or a task (`kind`) is, the innermost call last."""

    kind: str
    name: str
    frames: tuple[StackFrame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackReport:
    """Where a session hangs. Without stacks it has no process: it waits, or is about to start.

    `is_dump`: its main thread was inside a long call of C code, so tasks and lines are not known. `omitted`: so many
    stacks more were there.
    """

    session: Session
    stacks: tuple[Stack, ...] = ()
    omitted: int = 0
    is_dump: bool = False


class Stacks(Protocol):
    """Looks into running sessions, without disturbing them."""

    async def get_stack(self, session_id: SessionId) -> StackReport:
        """Where the session hangs now. Raises `SessionNotFoundError`, `SessionFinalError`, `StackNotTakenError`."""
        ...
