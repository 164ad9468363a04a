"""Sessions and their attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from hookline_service.model.calls import SessionFork, Subscription
from hookline_service.model.ids import ProjectId, SessionId, TriggerId
from hookline_service.model.sessions import (
    Attempt,
    LogRecord,
    Session,
    SessionChange,
    SessionFilter,
    SessionState,
)


class SessionStore(Protocol):
    """Sessions and their attempts."""

    async def add_sessions(self, sessions: Sequence[Session]) -> None:
        """Insert sessions; one whose id exists is left as it is."""
        ...

    async def get_session(self, session_id: SessionId) -> Session:
        """The session; raises `SessionNotFoundError`."""
        ...

    async def find_answer(self, session_id: SessionId) -> bytes | None:
        """What the session's function returned; None unless it could be a value and no parent got it: see `SessionChange`."""
        ...

    async def list_sessions(self, which: SessionFilter) -> list[Session]:
        """Sessions, newest first."""
        ...

    async def list_unfinished(
        self, states: Sequence[SessionState], after: SessionId | None, limit: int
    ) -> list[Session]:
        """Sessions in these states, oldest first, with ids above `after`."""
        ...

    async def list_created(
        self, project_id: ProjectId, after: SessionId | None, limit: int
    ) -> list[Session]:
        """Sessions of the project that have not begun, oldest first, with ids above `after`."""
        ...

    async def list_due(
        self, now: datetime, limit: int, project_id: ProjectId | None = None
    ) -> list[Session]:
        """Created and waiting sessions, of a project if one is given, whose `wake_at` or `deadline_at` is not after `now`.

        The earliest come first.
        """
        ...

    async def list_projects_in_need(self, now: datetime) -> list[ProjectId]:
        """The projects with sessions that have not begun, or for which `list_due` has some; the oldest project first."""
        ...

    async def next_due_at(self) -> datetime | None:
        """The earliest `wake_at` or `deadline_at` of created and waiting sessions."""
        ...

    async def count_unfinished(self, trigger_id: TriggerId) -> int:
        """Sessions of this trigger that are not final."""
        ...

    async def change_session(self, change: SessionChange, log: Sequence[LogRecord]) -> bool:
        """Apply the change and append the log records in one transaction; false if it no longer applies.

        Beginning an attempt (`attempt` set) also inserts the attempt row, ending one closes it; a final state
        sets `ended_at` and clears `wake_at` and `deadline_at`; the first begin sets `started_at`.

        A session that becomes waiting with `topics` of which one has something to take already is due at once.
        A final state ends the session's subscriptions and drops its signals; a session with a parent that is not
        final sends it the signal named by its own id: `{"completed": true, "value": answer}`, else `{"completed": false}`;
        a parent that waits for that becomes due. A draining deployment whose last unfinished session ends is inactive.
        """
        ...

    def change_session_soon(
        self,
        change: SessionChange,
        log: Sequence[LogRecord],
        on_stored: Callable[[bool | Exception], None],
    ) -> None:
        """Like `change_session`, without a task: `on_stored` gets its result or error on the event loop."""
        ...

    async def fork_session(self, fork: SessionFork) -> list[Subscription]:
        """Insert a session that is a fork, with all that belongs to it, in one transaction; its subscriptions.

        Raises `SessionNotFoundError` for the source, and what refuses a subscription to a session; then nothing is written.
        """
        ...

    async def list_attempts(self, session_id: SessionId) -> list[Attempt]:
        """Attempts, oldest first."""
        ...

    async def delete_session(self, session_id: SessionId) -> None:
        """Delete a final session with its log and journal; raises `SessionBusyError` when it is not final.

        A long one goes in steps, the last entries first, so that other writers do not wait.

        Its event goes when no other session names it. Raises `SessionNotFoundError`.
        """
        ...

    async def count_finished_before(self, before: datetime) -> int:
        """How many sessions `delete_finished_before` would delete in the end."""
        ...

    async def delete_finished_before(self, before: datetime, limit: int) -> int:
        """Delete what ended before; returns how many sessions and events went, 0 when nothing is left to delete.

        Up to `limit` final sessions go, oldest first, each with its event when no other session names it (not
        counted); then up to `limit` older events that started nothing. In steps, so that other writers do not wait.
        """
        ...
