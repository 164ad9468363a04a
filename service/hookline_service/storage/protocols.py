"""What the service asks of a store: one method, one transaction.

Every write returns only when it is on disk (fsync); the `_soon` forms say so by a callback. Writes of many callers share
transactions; each is atomic by itself. Lists are newest first unless they say otherwise. A read sees every write
that had returned before it began. Every method may raise `StorageUnavailableError`: disk full, closed. A write that names
something missing raises its `…NotFoundError` and changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from hookline_service.model.calls import (
    CallResult,
    Deliveries,
    Outcome,
    PublishedValue,
    SessionCall,
    SessionFork,
    Subscription,
    UseStore,
    Wait,
)
from hookline_service.model.events import Arrival, Event, EventFilter, Recorded
from hookline_service.model.ids import (
    BuildId,
    DeploymentId,
    EventId,
    ProjectId,
    SessionId,
    SubscriptionId,
    TriggerId,
)
from hookline_service.model.projects import (
    Build,
    Connection,
    Deployment,
    DeploymentState,
    Project,
    Release,
    Schedule,
    StoredVariable,
    Trigger,
)
from hookline_service.model.sessions import (
    Attempt,
    JournalEntry,
    LogFilter,
    LogPage,
    LogRecord,
    ReplayRow,
    Session,
    SessionChange,
    SessionFilter,
    SessionState,
)
from hookline_service.storage.key_store import KeyStore


class ProjectStore(Protocol):
    """Projects, variables, connections, builds, deployments, triggers."""

    async def find_project(self, name: str) -> Project | None:
        """The project of this name."""
        ...

    async def get_project(self, project_id: ProjectId) -> Project:
        """The project; raises `ProjectNotFoundError`."""
        ...

    async def list_projects(self) -> list[Project]:
        """All projects, by name."""
        ...

    async def add_project(self, project: Project) -> None:
        """Insert a project of which nothing is deployed. Raises `ProjectNameTakenError`."""
        ...

    async def delete_project(self, project_id: ProjectId) -> None:
        """Delete a project with everything that belongs to it; nothing happens when it is gone."""
        ...

    async def list_variables(self, project_id: ProjectId) -> list[StoredVariable]:
        """Variables of the project and its connections, by scope and name."""
        ...

    async def set_variables(self, variables: Sequence[StoredVariable]) -> None:
        """Insert or replace; all or nothing."""
        ...

    async def replace_values(self, replaced: Sequence[tuple[StoredVariable, bytes]]) -> int:
        """Give variables another value where they still have the one given; all in one transaction.

        Everything else of them stays. Returns how many were as given; the others are left alone.
        """
        ...

    async def delete_variable(self, project_id: ProjectId, scope: str, name: str) -> bool:
        """Delete; false if there was none."""
        ...

    async def list_connections(self, project_id: ProjectId) -> list[Connection]:
        """Connections of the project, by name."""
        ...

    async def apply_release(self, release: Release) -> None:
        """Write everything a deploy decided and activate its deployment, as one transaction.

        The project is inserted or updated; the build is kept if its id exists; the deployment becomes the one active
        deployment of the project (see `activate_deployment`); triggers, schedules and connections of the project are
        replaced by the given ones (a trigger keeps its row by id, and a slug it once had); variables are set and
        deleted. Raises `ProjectNameTakenError` when another project has the name.
        """
        ...

    async def activate_deployment(
        self,
        deployment_id: DeploymentId,
        triggers: Sequence[Trigger],
        schedules: Sequence[Schedule],
        connections: Sequence[Connection],
        at: datetime,
    ) -> Deployment:
        """Make this deployment the active one of its project, with these and no other triggers and connections, as one transaction.

        A schedule that was paused when it went out of force is paused still.
        A formerly active one becomes draining if it has sessions that are not final, else inactive.
        Idempotent. Raises `DeploymentNotFoundError`.
        """
        ...

    async def set_deployment_state(
        self, deployment_id: DeploymentId, state: DeploymentState
    ) -> Deployment:
        """Put the deployment in a state that is not active; INACTIVE becomes DRAINING while sessions run.

        Its triggers go when it was the active one. Raises `DeploymentNotFoundError`.
        """
        ...

    async def settle_draining(self) -> list[DeploymentId]:
        """Make draining deployments without unfinished sessions inactive; returns those changed."""
        ...

    async def get_deployment(self, deployment_id: DeploymentId) -> Deployment:
        """The deployment; raises `DeploymentNotFoundError`."""
        ...

    async def find_active_deployment(self, project_id: ProjectId) -> Deployment | None:
        """The one active deployment of the project."""
        ...

    async def list_deployments(
        self, project_id: ProjectId | None, limit: int, before: DeploymentId | None = None
    ) -> list[Deployment]:
        """Deployments, newest first."""
        ...

    async def delete_deployment(self, deployment_id: DeploymentId) -> None:
        """Delete an inactive deployment and its sessions; raises `DeploymentBusyError` in any other state.

        Raises `DeploymentNotFoundError`.
        """
        ...

    async def count_sessions(self, deployment_id: DeploymentId) -> dict[SessionState, int]:
        """How many sessions of the deployment are in each state; every state is named."""
        ...

    async def find_build(self, build_id: BuildId) -> Build | None:
        """The build."""
        ...

    async def get_archive(self, build_id: BuildId) -> bytes:
        """The build's files as an uncompressed tar; raises `BuildNotFoundError`."""
        ...

    async def list_builds(self, project_id: ProjectId | None, limit: int) -> list[Build]:
        """Builds, newest first."""
        ...

    async def list_needed_builds(self, builds: Sequence[BuildId]) -> list[BuildId]:
        """Those of these builds that a session names, or a deployment that is not inactive."""
        ...

    async def delete_build(self, build_id: BuildId) -> None:
        """Delete a build that no deployment and no session names; raises `BuildInUseError`, `BuildNotFoundError`."""
        ...

    async def find_trigger_by_slug(self, slug: str) -> Trigger | None:
        """The webhook trigger in force with this slug."""
        ...

    async def find_trigger(self, trigger_id: TriggerId) -> Trigger | None:
        """The trigger in force."""
        ...

    async def list_triggers(self, project_id: ProjectId | None) -> list[Trigger]:
        """Triggers in force, by project and name."""
        ...

    async def list_trigger_identities(
        self, project_id: ProjectId
    ) -> list[tuple[TriggerId, str, str | None]]:
        """(id, name, slug) of every trigger the project ever had, so that names keep ids and slugs."""
        ...


class ScheduleStore(Protocol):
    """Where schedules stand."""

    async def list_schedules(self, project_id: ProjectId | None = None) -> list[Schedule]:
        """All schedules in force."""
        ...

    async def save_schedule(self, schedule: Schedule) -> None:
        """Replace the row of this trigger; nothing happens when the trigger is no longer in force."""
        ...


class EventStore(Protocol):
    """Events, recorded once."""

    async def record_event(
        self,
        event: Event,
        sessions: Sequence[Session],
        schedule: Schedule | None = None,
        deliveries: Deliveries = (),
    ) -> Recorded:
        """Record the event, its sessions, the schedule's step and its deliveries to subscriptions in one transaction.

        A delivery waits in its subscription until it is taken, and the event stays so long; one to a subscription that
        has ended, or is of another project, is left out. A waiting session that waits for the subscription becomes due at
        the event's time.

        If the id or `(source, delivery_id)` was recorded before, nothing is written and the earlier event is named with its
        sessions. Of the schedule only `next_fire_at`, `last_fire_at` and `buffered` are written, never `paused`.
        """
        ...

    async def get_event(self, event_id: EventId) -> Event:
        """The event; raises `EventNotFoundError`."""
        ...

    async def list_events(self, which: EventFilter) -> list[Event]:
        """Events, newest first, without what they carry: `data` is `{}` and `body` None, for a page of them could be large."""
        ...

    async def list_arrivals(
        self, project_id: ProjectId, source: str, since: datetime, limit: int
    ) -> list[Arrival]:
        """The newest events of the source since that time, newest first, `limit` at most.

        Of a source that is no trigger they are looked for among the newest `20 * limit` events of the project.
        """
        ...


class SessionStore(Protocol):
    """Sessions, attempts, journals and logs."""

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

    async def append(self, entries: Sequence[JournalEntry], log: Sequence[LogRecord]) -> None:
        """Append journal entries and log records, all or nothing; raises `SessionNotFoundError`.

        Idempotent by (session, branch, index) and (session, seq): what is there stays as it is.
        """
        ...

    def append_soon(
        self,
        entries: Sequence[JournalEntry],
        log: Sequence[LogRecord],
        on_stored: Callable[[Exception | None], None],
    ) -> None:
        """Like `append`, without a task: `on_stored` is called on the event loop once it is on disk, or failed.

        Writes submitted by one caller, by whatever method, are committed in the order of submission.
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

    async def last_seq(self, session_id: SessionId) -> int:
        """The highest `seq` in the session's log and journal, 0 if none."""
        ...

    async def count_entries(self, session_id: SessionId) -> int:
        """How many journal entries the session has."""
        ...

    def read_journal(
        self, session_id: SessionId, page: int = 1000
    ) -> AsyncIterator[list[JournalEntry]]:
        """Pages of the session's journal, by `seq`."""
        ...

    def read_journal_rows(
        self, session_id: SessionId, page: int = 1000
    ) -> AsyncIterator[list[ReplayRow]]:
        """Like `read_journal`, several times faster: what a replay needs, as tuples; a page ends at about 8 MB."""
        ...

    async def list_entries(
        self, session_id: SessionId, after_seq: int, limit: int
    ) -> list[JournalEntry]:
        """Journal entries with `seq` above `after_seq`, oldest first."""
        ...

    async def list_log(
        self, session_id: SessionId, after_seq: int, limit: int, *, newest_first: bool = False
    ) -> list[LogRecord]:
        """Log records with `seq` above `after_seq`, oldest first (or the last ones, newest first)."""
        ...

    async def list_logs(self, which: LogFilter) -> LogPage:
        """Log records of all sessions. Looks at a bounded number of them, so a page may be short before the end."""
        ...

    async def list_attempts(self, session_id: SessionId) -> list[Attempt]:
        """Attempts, oldest first."""
        ...

    async def count_finished_before(self, before: datetime) -> int:
        """How many sessions `delete_finished_before` would delete in the end."""
        ...

    async def delete_session(self, session_id: SessionId) -> None:
        """Delete a final session with its log and journal; raises `SessionBusyError` when it is not final.

        A long one goes in steps, the last entries first, so that other writers do not wait.

        Its event goes when no other session names it. Raises `SessionNotFoundError`.
        """
        ...

    async def delete_finished_before(self, before: datetime, limit: int) -> int:
        """Delete what ended before; returns how many sessions and events went, 0 when nothing is left to delete.

        Up to `limit` final sessions go, oldest first, each with its event when no other session names it (not
        counted); then up to `limit` older events that started nothing. In steps, so that other writers do not wait.
        """
        ...


class CallStore(Protocol):
    """What sessions ask of the service while they run.

    Values in which a secret stands are sealed, and opened when they are given out: see `ValueGate`. One that does not open
    is refused (`ValueUnreadableError`) and stays as it is.
    """

    def call_soon(
        self, call: SessionCall, on_stored: Callable[[CallResult | Exception], None]
    ) -> None:
        """Apply an operation and append its entry in one transaction; `on_stored` is called on the loop.

        Refusals are results, recorded like any other. If the position of the entry was recorded before, nothing is applied and
        the recorded result is given: so a call sent twice is applied once. A session that is final, or gone, is an error
        (`SessionFinalError`, `SessionNotFoundError`) and nothing is written. Order is that of `SessionStore.append_soon`.
        """
        ...

    async def list_subscriptions(
        self, after: SubscriptionId | None, limit: int
    ) -> list[Subscription]:
        """Subscriptions of all sessions, by id, with ids above `after`."""
        ...

    async def list_outcomes(self, event_id: EventId) -> list[Outcome]:
        """Outcomes of an event in the order they were recorded."""
        ...

    async def list_values(self, project_id: ProjectId, now: datetime) -> dict[str, bytes]:
        """What the project's store holds, by key: values as JSON text; none that has expired."""
        ...

    async def find_published(
        self, project_id: ProjectId, key: str, now: datetime
    ) -> PublishedValue | None:
        """The value if it is there, published and not expired."""
        ...

    async def use_value(self, project_id: ProjectId, use: UseStore, now: datetime) -> bytes:
        """Do to the project's store what a person asks for; the result as JSON text. Raises what refuses it to a session."""
        ...

    async def list_waits(self, session_ids: Sequence[SessionId]) -> list[Wait]:
        """What these sessions wait for besides a time, while they are waiting; by session and topic."""
        ...

    async def delete_expired_values(self, now: datetime, limit: int) -> int:
        """Delete up to `limit` values that have expired; returns how many."""
        ...

    async def fork_session(self, fork: SessionFork) -> list[Subscription]:
        """Insert a session that is a fork, with all that belongs to it, in one transaction; its subscriptions.

        Raises `SessionNotFoundError` for the source, and what refuses a subscription to a session; then nothing is written.
        """
        ...


class Store(ProjectStore, KeyStore, ScheduleStore, EventStore, SessionStore, CallStore, Protocol):
    """Everything at once: for `app` and the contract suite; consumers name the part they use."""

    async def backup(self, path: Path) -> None:
        """Write a consistent copy to a new file while the service runs, whole or not at all.

        Raises `BackupExistsError`, `StorageUnavailableError`.
        """
        ...

    async def check_writes(self) -> None:
        """Raise why writes are refused (`StorageUnavailableError`): one was, and another is not taken yet."""
        ...

    def pending_bytes(self) -> int:
        """Roughly how much waits to be written: the measure for back-pressure."""
        ...

    async def aclose(self) -> None:
        """Write what waits and close."""
        ...
