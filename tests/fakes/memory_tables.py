"""What a store in memory holds, and rules that more than one method needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hookline_service.model.errors import (
    BuildNotFoundError,
    DeploymentNotFoundError,
    EventNotFoundError,
    ProjectNotFoundError,
    SessionNotFoundError,
    TriggerNotFoundError,
)
from hookline_service.model.events import Event
from hookline_service.model.ids import (
    BuildId,
    DeploymentId,
    EventId,
    ProjectId,
    SessionId,
    TriggerId,
)
from hookline_service.model.projects import (
    Build,
    Connection,
    Deployment,
    DeploymentState,
    Project,
    Schedule,
    StoredVariable,
    Trigger,
)
from hookline_service.model.sealing import (
    OPEN_GATE,
    Finds,
    ValueGate,
    ValueKey,
    ValueKind,
    finds_nothing,
    guarded,
)
from hookline_service.model.sessions import (
    FINAL_STATES,
    Attempt,
    JournalEntry,
    LogRecord,
    Session,
    SessionChange,
    SessionFilter,
)
from hookline_service.storage.errors import StorageUnavailableError
from tests.fakes.memory_rules import (
    drop,
)


class MemoryTables:
    def __init__(self, gate: ValueGate = OPEN_GATE) -> None:
        self.gate = gate
        self.refuse = False
        self.value_keys: list[ValueKey] = []
        self._is_closed = False
        self._projects: dict[ProjectId, Project] = {}
        self._variables: dict[tuple[ProjectId, str, str], StoredVariable] = {}
        self._connections: dict[tuple[ProjectId, str], Connection] = {}
        self._builds: dict[BuildId, tuple[Build, bytes]] = {}
        self._deployments: dict[DeploymentId, Deployment] = {}
        self._triggers: dict[TriggerId, Trigger] = {}
        self._in_force: set[TriggerId] = set()
        self._schedules: dict[TriggerId, Schedule] = {}
        self._events: dict[EventId, Event] = {}
        self._sessions: dict[SessionId, Session] = {}
        self._answers: dict[SessionId, bytes] = {}
        self._attempts: dict[SessionId, dict[int, Attempt]] = {}
        self._journal: dict[SessionId, dict[int, JournalEntry]] = {}
        self._log: dict[SessionId, dict[int, LogRecord]] = {}
        self._log_order: list[tuple[SessionId, int]] = []

    def _may_write(self) -> None:
        if self.refuse or self._is_closed:
            raise StorageUnavailableError("the fake refuses")

    def _retire_triggers(self, project_id: ProjectId) -> None:
        gone = {each.id for each in self._triggers.values() if each.project_id == project_id}
        self._in_force -= gone
        drop(self._schedules, [each for each in gone if not self._is_paused(each)])

    def _is_paused(self, trigger_id: TriggerId) -> bool:
        return trigger_id in self._schedules and self._schedules[trigger_id].paused

    def _idle_state(self, deployment_id: DeploymentId) -> DeploymentState:
        sessions = self._matching(SessionFilter(deployment_id=deployment_id))
        is_busy = any(each.state not in FINAL_STATES for each in sessions)
        return DeploymentState.DRAINING if is_busy else DeploymentState.INACTIVE

    def _is_used(self, build_id: BuildId) -> bool:
        deployments = any(each.build_id == build_id for each in self._deployments.values())
        return deployments or any(each.build_id == build_id for each in self._sessions.values())

    def _find_earlier(self, event: Event) -> EventId | None:
        if event.delivery_id is not None:
            for each in self._events.values():
                if (each.source, each.delivery_id) == (event.source, event.delivery_id):
                    return each.id
        return event.id if event.id in self._events else None

    def _check(self, sessions: Iterable[Session], known: EventId | None = None) -> None:
        for each in sessions:
            if each.project_id not in self._projects:
                raise ProjectNotFoundError(each.project_id)
            if each.build_id not in self._builds:
                raise BuildNotFoundError(each.build_id)
            if each.deployment_id is not None and each.deployment_id not in self._deployments:
                raise DeploymentNotFoundError(each.deployment_id)
            if each.trigger_id is not None and each.trigger_id not in self._triggers:
                raise TriggerNotFoundError(each.trigger_id)
            if each.event_id is not None and each.event_id not in {known, *self._events}:
                raise EventNotFoundError(each.event_id)

    def _check_log(self, log: Iterable[LogRecord]) -> None:
        for each in log:
            if each.session_id not in self._sessions:
                raise SessionNotFoundError(each.session_id)

    def _insert(self, sessions: Iterable[Session], finds: Finds = finds_nothing) -> None:
        for each in sessions:
            given = each.input
            if given is not None:
                given = self._sealed(each.project_id, ValueKind.INPUT, given, finds)
            self._sessions.setdefault(each.id, replace(each, input=given))

    def _sealed(
        self, project_id: ProjectId, kind: ValueKind, value: bytes, finds: Finds = finds_nothing
    ) -> bytes:
        variables = self._variables.values()
        secrets = [each for each in variables if each.project_id == project_id and each.is_secret]
        return guarded(self.gate, project_id, kind, value, self.gate.finder(secrets), finds)

    def _add_entry(self, entry: JournalEntry) -> None:
        journal = self._journal.setdefault(entry.session_id, {})
        taken = {(each.branch, each.index) for each in journal.values()}
        if entry.seq not in journal and (entry.branch, entry.index) not in taken:
            journal[entry.seq] = entry

    def _insert_log(self, log: Iterable[LogRecord]) -> None:
        for each in log:
            of_session = self._log.setdefault(each.session_id, {})
            if each.seq not in of_session:
                of_session[each.seq] = each
                self._log_order.append((each.session_id, each.seq))

    def _change_attempts(self, change: SessionChange) -> None:
        attempts = self._attempts.setdefault(change.session_id, {})
        number = change.expected_attempt if change.attempt is None else change.attempt
        if change.attempt is not None:
            attempts.setdefault(
                number,
                Attempt(
                    session_id=change.session_id,
                    number=number,
                    runner=change.runner,
                    started_at=change.at,
                ),
            )
        old = attempts.get(number)
        if change.outcome is not None and old is not None and old.ended_at is None:
            attempts[number] = replace(
                old, ended_at=change.at, outcome=change.outcome, detail=change.detail
            )

    def _remove(self, session: Session) -> None:
        for table in (self._sessions, self._attempts, self._journal, self._log):
            table.pop(session.id, None)

    def _matching(self, which: SessionFilter) -> list[Session]:
        return [
            each
            for each in self._sessions.values()
            if which.project_id in (None, each.project_id)
            and which.deployment_id in (None, each.deployment_id)
            and which.trigger_id in (None, each.trigger_id)
            and which.event_id in (None, each.event_id)
            and which.state in (None, each.state)
            and (which.before is None or each.id < which.before)
        ]
