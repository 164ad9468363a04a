"""A store in memory, held to the same contract as the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from anyio import Path as AsyncPath

from hookline.errors import HooklineError
from hookline_service.model.calls import Deliveries, SessionFork, Subscription
from hookline_service.model.errors import (
    EventNotFoundError,
    SessionBusyError,
    SessionNotFoundError,
    TriggerNotFoundError,
)
from hookline_service.model.events import Arrival, Event, EventFilter, Recorded
from hookline_service.model.ids import (
    EventId,
    ProjectId,
    SessionId,
    TriggerId,
)
from hookline_service.model.projects import (
    Schedule,
)
from hookline_service.model.sealing import ValueKind
from hookline_service.model.sessions import (
    FINAL_STATES,
    Attempt,
    JournalEntry,
    LogFilter,
    LogPage,
    LogRecord,
    PlacedRecord,
    ReplayRow,
    Session,
    SessionChange,
    SessionFilter,
    SessionState,
    severity_of,
)
from hookline_service.storage.errors import BackupExistsError
from tests.fakes.memory_calls import MemoryCalls
from tests.fakes.memory_rules import (
    by_id,
    call_soon,
    changed,
    due_at,
    newest,
    replay_row,
    result_of,
)


class MemoryStore(MemoryCalls):
    """See `Store`. Nothing yields inside a method, so every method is one transaction.

    `refuse` makes every write fail, as on a full disk, until it is set to false again.
    """

    # Events

    async def record_event(
        self,
        event: Event,
        sessions: Sequence[Session],
        schedule: Schedule | None = None,
        deliveries: Deliveries = (),
    ) -> Recorded:
        self._may_write()
        await self.get_project(event.project_id)
        if event.trigger_id is not None and event.trigger_id not in self._triggers:
            raise TriggerNotFoundError(event.trigger_id)
        earlier = self._find_earlier(event)
        if earlier is not None:
            started = sorted(self._matching(SessionFilter(event_id=earlier)), key=by_id)
            ids = tuple(each.id for each in started)
            return Recorded(is_new=False, event_id=earlier, session_ids=ids)
        self._check(sessions, known=event.id)
        self._events[event.id] = event
        self._insert(sessions)
        if schedule is not None and schedule.trigger_id in self._schedules:
            old = self._schedules[schedule.trigger_id]
            self._schedules[schedule.trigger_id] = replace(
                schedule, paused=old.paused, pause_reason=old.pause_reason
            )
        ids = tuple(each.id for each in sessions)
        woken = self._deliver(event, deliveries)
        return Recorded(is_new=True, event_id=event.id, session_ids=ids, woken=woken)

    async def fork_session(self, fork: SessionFork) -> list[Subscription]:
        self._may_write()
        self._get_unforgotten(fork.source)
        self._check([fork.session], known=None if fork.event is None else fork.event.id)
        before = dict(self._subscriptions)
        self._insert([fork.session])
        try:
            begun = [
                self._subscribe(c, s) for c, s in zip(fork.calls(), fork.subscriptions, strict=True)
            ]
        except HooklineError:
            self._subscriptions = before
            del self._sessions[fork.session.id]
            raise
        if fork.event is not None:
            self._events[fork.event.id] = fork.event
        kept = sorted(self._journal.get(fork.source, {}).items())[: fork.count]
        for _, entry in kept:
            encoding, value = fork.reseal(entry.encoding, entry.value)
            self._add_entry(
                replace(entry, session_id=fork.session.id, encoding=encoding, value=value)
            )
        await self.append([], fork.note_after(kept[-1][0] if kept else 0))
        return [each.subscription for each in begun if each.subscription is not None]

    async def get_event(self, event_id: EventId) -> Event:
        if event_id not in self._events:
            raise EventNotFoundError(event_id)
        return self._events[event_id]

    async def list_events(self, which: EventFilter) -> list[Event]:
        started = {
            each.event_id
            for each in self._matching(SessionFilter(deployment_id=which.deployment_id))
        }
        found = [
            each
            for each in self._events.values()
            if which.project_id in (None, each.project_id)
            and which.trigger_id in (None, each.trigger_id)
            and which.type in (None, each.type)
            and (which.deployment_id is None or each.id in started)
            and (which.before is None or each.id < which.before)
        ]
        bare = [replace(each, data=b"{}", body=None) for each in found]
        return newest(bare, which.limit)

    async def list_arrivals(
        self, project_id: ProjectId, source: str, since: datetime, limit: int
    ) -> list[Arrival]:
        found = [
            each
            for each in self._events.values()
            if each.project_id == project_id and each.source == source and each.created_at >= since
        ]
        return [Arrival(id=each.id, type=each.type) for each in newest(found, limit)]

    # Sessions

    async def add_sessions(self, sessions: Sequence[Session]) -> None:
        self._may_write()
        self._check(sessions)
        self._insert(sessions)

    async def get_session(self, session_id: SessionId) -> Session:
        if session_id not in self._sessions:
            raise SessionNotFoundError(session_id)
        return self._sessions[session_id]

    async def list_sessions(self, which: SessionFilter) -> list[Session]:
        return newest(self._matching(which), which.limit)

    async def list_unfinished(
        self, states: Sequence[SessionState], after: SessionId | None, limit: int
    ) -> list[Session]:
        found = [
            each
            for each in self._sessions.values()
            if each.state in states and (after is None or each.id > after)
        ]
        return sorted(found, key=by_id)[:limit]

    async def list_created(
        self, project_id: ProjectId, after: SessionId | None, limit: int
    ) -> list[Session]:
        found = await self.list_unfinished([SessionState.CREATED], after, len(self._sessions))
        return [each for each in found if each.project_id == project_id][:limit]

    async def list_due(
        self, now: datetime, limit: int, project_id: ProjectId | None = None
    ) -> list[Session]:
        times = {each.id: at for each in self._sessions.values() if (at := due_at(each))}
        due = sorted((at, session_id) for session_id, at in times.items() if at <= now)
        found = [self._sessions[session_id] for _, session_id in due]
        return [each for each in found if project_id in {None, each.project_id}][:limit]

    async def list_projects_in_need(self, now: datetime) -> list[ProjectId]:
        found = [*await self.list_due(now, len(self._sessions))]
        found += [each for each in self._sessions.values() if each.state is SessionState.CREATED]
        return sorted({each.project_id for each in found})

    async def next_due_at(self) -> datetime | None:
        return min((at for each in self._sessions.values() if (at := due_at(each))), default=None)

    async def count_unfinished(self, trigger_id: TriggerId) -> int:
        found = self._matching(SessionFilter(trigger_id=trigger_id))
        return sum(each.state not in FINAL_STATES for each in found)

    async def find_answer(self, session_id: SessionId) -> bytes | None:
        session, answer = self._sessions.get(session_id), self._answers.get(session_id)
        if session is None or answer is None:
            return None
        return self.gate.open(session.project_id, ValueKind.ANSWER, answer)

    async def change_session(self, change: SessionChange, log: Sequence[LogRecord]) -> bool:
        self._may_write()
        session = self._sessions.get(change.session_id)
        if (
            session is None
            or session.state in FINAL_STATES
            or session.attempt != change.expected_attempt
        ):
            return False
        successors = () if change.successor is None else (change.successor,)
        self._check(successors)
        self._check_log(log)
        self._sessions[session.id] = changed(session, change)
        if change.state in FINAL_STATES and change.answer is not None and session.parent_id is None:
            project_id, answer = session.project_id, change.answer
            kept = self._sealed(project_id, ValueKind.ANSWER, answer, change.finds)
            self._answers[session.id] = kept
        self._change_attempts(change)
        self._insert(successors, change.finds)
        self._follow_change(change)
        self._insert_log(log)
        return True

    def change_session_soon(
        self,
        change: SessionChange,
        log: Sequence[LogRecord],
        on_stored: Callable[[bool | Exception], None],
    ) -> None:
        try:
            result: bool | Exception = result_of(self.change_session(change, log))
        except HooklineError as exc:
            result = exc
        call_soon(on_stored, result)

    async def append(self, entries: Sequence[JournalEntry], log: Sequence[LogRecord]) -> None:
        self._may_write()
        for entry in entries:
            await self.get_session(entry.session_id)
        self._check_log(log)
        for entry in entries:
            self._add_entry(entry)
        self._insert_log(log)

    def append_soon(
        self,
        entries: Sequence[JournalEntry],
        log: Sequence[LogRecord],
        on_stored: Callable[[Exception | None], None],
    ) -> None:
        failure: Exception | None = None
        try:
            result_of(self.append(entries, log))
        except HooklineError as exc:
            failure = exc
        call_soon(on_stored, failure)

    async def last_seq(self, session_id: SessionId) -> int:
        journal, log = self._journal.get(session_id, {}), self._log.get(session_id, {})
        return max((*journal, *log), default=0)

    async def count_entries(self, session_id: SessionId) -> int:
        return len(self._journal.get(session_id, {}))

    async def read_journal(
        self, session_id: SessionId, page: int = 1000
    ) -> AsyncIterator[list[JournalEntry]]:
        after_seq = -1
        while entries := await self.list_entries(session_id, after_seq, page):
            yield entries
            after_seq = entries[-1].seq

    async def read_journal_rows(
        self, session_id: SessionId, page: int = 1000
    ) -> AsyncIterator[list[ReplayRow]]:
        async for entries in self.read_journal(session_id, page):
            yield [replay_row(entry) for entry in entries]

    async def list_entries(
        self, session_id: SessionId, after_seq: int, limit: int
    ) -> list[JournalEntry]:
        journal = self._journal.get(session_id, {})
        return [journal[seq] for seq in sorted(journal) if seq > after_seq][:limit]

    async def list_logs(self, which: LogFilter) -> LogPage:
        placed = [
            PlacedRecord(position=position, record=record)
            for position, (session_id, seq) in enumerate(self._log_order, 1)
            if (record := self._log.get(session_id, {}).get(seq)) is not None
        ]
        found = [each for each in placed if self._is_wanted(each, which)]
        if which.after is None:
            found.reverse()
        page = found[: which.limit]
        is_end = len(found) < which.limit
        edge = page[-1].position if page and not is_end else (len(placed) if which.after else 0)
        return LogPage(records=tuple(page), next=edge, is_end=is_end)

    def _is_wanted(self, placed: PlacedRecord, which: LogFilter) -> bool:
        record = placed.record
        project = self._sessions[record.session_id].project_id
        return (
            (which.before is None or placed.position < which.before)
            and (which.after is None or placed.position > which.after)
            and (which.since is None or record.at >= which.since)
            and (which.project_id in (None, project))
            and (which.text is None or which.text.lower() in record.text.lower())
            and severity_of(record) >= which.severity
        )

    async def count_finished_before(self, before: datetime) -> int:
        ended = [each.ended_at for each in self._sessions.values() if each.ended_at]
        return sum(at < before for at in ended)

    async def list_log(
        self, session_id: SessionId, after_seq: int, limit: int, *, newest_first: bool = False
    ) -> list[LogRecord]:
        log = self._log.get(session_id, {})
        return [log[seq] for seq in sorted(log, reverse=newest_first) if seq > after_seq][:limit]

    async def list_attempts(self, session_id: SessionId) -> list[Attempt]:
        attempts = self._attempts.get(session_id, {})
        return [attempts[number] for number in sorted(attempts)]

    async def delete_session(self, session_id: SessionId) -> None:
        self._may_write()
        session = await self.get_session(session_id)
        if session.state not in FINAL_STATES:
            raise SessionBusyError(session_id, session.state)
        self._remove(session)

    async def delete_finished_before(self, before: datetime, limit: int) -> int:
        self._may_write()
        ended = [
            each for each in self._sessions.values() if each.ended_at and each.ended_at < before
        ]
        ended = sorted(ended, key=lambda each: each.ended_at or before)[:limit]
        for session in ended:
            self._remove(session)
        needed = self._needed_events()
        idle = [
            each.id
            for each in self._events.values()
            if each.created_at < before and each.id not in needed
        ][:limit]
        self._forget_events(idle)
        return len(ended) + len(idle)

    # The whole

    async def backup(self, path: Path) -> None:
        if await AsyncPath(path).exists():
            raise BackupExistsError(str(path))
        await AsyncPath(path).touch(mode=0o600)

    async def check_writes(self) -> None:
        self._may_write()

    def pending_bytes(self) -> int:
        return 0

    async def aclose(self) -> None:
        self._is_closed = True
