"""The part of the store that the embedded engine uses; see `storage.protocols` for the contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Protocol

from hookline_service.model.calls import CallResult, SessionCall
from hookline_service.model.events import Event
from hookline_service.model.ids import BuildId, EventId, ProjectId, SessionId
from hookline_service.model.projects import Deployment, Project
from hookline_service.model.sessions import (
    JournalEntry,
    LogRecord,
    ReplayRow,
    Session,
    SessionChange,
    SessionState,
)


class EngineStore(Protocol):
    """Sessions, journals and logs, as far as running them needs."""

    async def find_project(self, name: str) -> Project | None:
        """See `ProjectStore.find_project`."""
        ...

    async def find_active_deployment(self, project_id: ProjectId) -> Deployment | None:
        """See `DeploymentStore.find_active_deployment`."""
        ...

    async def list_needed_builds(self, builds: Sequence[BuildId]) -> list[BuildId]:
        """See `BuildStore.list_needed_builds`."""
        ...

    async def get_event(self, event_id: EventId) -> Event:
        """See `EventStore.get_event`."""
        ...

    async def get_session(self, session_id: SessionId) -> Session:
        """See `SessionStore.get_session`."""
        ...

    async def list_unfinished(
        self, states: Sequence[SessionState], after: SessionId | None, limit: int
    ) -> list[Session]:
        """See `SessionStore.list_unfinished`."""
        ...

    async def list_created(
        self, project_id: ProjectId, after: SessionId | None, limit: int
    ) -> list[Session]:
        """See `SessionStore.list_created`."""
        ...

    async def list_due(
        self, now: datetime, limit: int, project_id: ProjectId | None = None
    ) -> list[Session]:
        """See `SessionStore.list_due`."""
        ...

    async def list_projects_in_need(self, now: datetime) -> list[ProjectId]:
        """See `SessionStore.list_projects_in_need`."""
        ...

    async def next_due_at(self) -> datetime | None:
        """See `SessionStore.next_due_at`."""
        ...

    async def change_session(self, change: SessionChange, log: Sequence[LogRecord]) -> bool:
        """See `SessionStore.change_session`."""
        ...

    def change_session_soon(
        self,
        change: SessionChange,
        log: Sequence[LogRecord],
        on_stored: Callable[[bool | Exception], None],
    ) -> None:
        """See `SessionStore.change_session_soon`."""
        ...

    def append_soon(
        self,
        entries: Sequence[JournalEntry],
        log: Sequence[LogRecord],
        on_stored: Callable[[Exception | None], None],
    ) -> None:
        """See `JournalStore.append_soon`."""
        ...

    def call_soon(
        self, call: SessionCall, on_stored: Callable[[CallResult | Exception], None]
    ) -> None:
        """See `CallStore.call_soon`."""
        ...

    async def last_seq(self, session_id: SessionId) -> int:
        """See `JournalStore.last_seq`."""
        ...

    async def count_entries(self, session_id: SessionId) -> int:
        """See `JournalStore.count_entries`."""
        ...

    def read_journal_rows(
        self, session_id: SessionId, page: int = 1000
    ) -> AsyncIterator[list[ReplayRow]]:
        """See `JournalStore.read_journal_rows`."""
        ...

    def pending_bytes(self) -> int:
        """See `Store.pending_bytes`."""
        ...
