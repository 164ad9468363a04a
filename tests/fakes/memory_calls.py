"""The part of a store in memory that applies what sessions ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hookline import store_rules, values
from hookline.errors import HooklineError, InternalError
from hookline_service.model.calls import (
    MOST_SUBSCRIPTIONS,
    CallResult,
    Deliveries,
    Outcome,
    PublishedValue,
    RecordOutcome,
    Refusal,
    Refuse,
    SendSignal,
    SessionCall,
    Signal,
    StartSession,
    StoreOperation,
    Subscribe,
    Subscription,
    TakeEvent,
    TakeSignal,
    Unsubscribe,
    UseStore,
    Wait,
)
from hookline_service.model.errors import (
    EventNotFoundError,
    OtherProjectError,
    ProjectNotFoundError,
    SessionFinalError,
    SessionNotFoundError,
    SourceAmbiguousError,
    SourceNotFoundError,
    SubscriptionNotFoundError,
    TooManyChildrenError,
    TooManyKeysError,
    TooManySubscriptionsError,
    ValueUnreadableError,
)
from hookline_service.model.events import Event, Woken
from hookline_service.model.ids import EventId, ProjectId, SessionId, SubscriptionId
from hookline_service.model.projects import DeploymentState
from hookline_service.model.sealing import (
    OPEN_GATE,
    Finds,
    ValueGate,
    ValueKind,
    finds_nothing,
    is_sealed,
    is_sealed_text,
    sealed_of_text,
    text_of_sealed,
)
from hookline_service.model.sessions import (
    FINAL_STATES,
    JournalEntry,
    Session,
    SessionChange,
    SessionState,
)
from hookline_service.storage.results import (
    REFUSALS,
    Applied,
    completion_of,
    finish,
    nothing_there,
    recorded_result,
    refused,
    store_step,
    taken_event,
    taken_signal,
)
from tests.fakes.memory_projects import MemoryProjects
from tests.fakes.memory_rules import by_id, call_soon, drop

_CHANGED = (
    "_subscriptions",
    "_deliveries",
    "_signals",
    "_values",
    "_outcomes",
    "_sessions",
    "_starts",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A value of a project's store."""

    value: bytes
    is_published: bool
    expires_at: datetime | None

    def is_there(self, now: datetime) -> bool:
        return self.expires_at is None or self.expires_at > now


class MemoryCalls(MemoryProjects):
    """See `CallStore`."""

    def __init__(self, gate: ValueGate = OPEN_GATE) -> None:
        super().__init__(gate)
        self._subscriptions: dict[SubscriptionId, Subscription] = {}
        self._deliveries: list[tuple[SubscriptionId, EventId]] = []
        self._signals: list[Signal] = []
        self._topics: dict[SessionId, frozenset[str]] = {}
        self._values: dict[tuple[ProjectId, str], Kept] = {}
        self._outcomes: list[Outcome] = []
        self._starts: dict[SessionId, tuple[ProjectId, int]] = {}
        self._applied: dict[type, Callable[[SessionCall, Any], Applied]] = {
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
            TakeEvent: self._take_event,
            SendSignal: self._send_signal,
            TakeSignal: self._take_signal,
            StartSession: self._start_session,
            UseStore: self._use_store,
            RecordOutcome: self._record_outcome,
            Refuse: self._refuse,
        }

    def call_soon(
        self, call: SessionCall, on_stored: Callable[[CallResult | Exception], None]
    ) -> None:
        try:
            result: CallResult | Exception = self._apply(call)
        except HooklineError as exc:
            result = exc
        call_soon(on_stored, result)

    async def list_subscriptions(
        self, after: SubscriptionId | None, limit: int
    ) -> list[Subscription]:
        found = [each for each in self._subscriptions.values() if each.id > (after or "")]
        return [self._opened_filter(each) for each in sorted(found, key=by_id)[:limit]]

    def _opened_filter(self, kept: Subscription) -> Subscription:
        if not is_sealed_text(kept.filter):
            return kept
        value = sealed_of_text(kept.filter)
        try:
            plain = self.gate.open(kept.project_id, ValueKind.FILTER, value)
        except ValueUnreadableError:
            return kept
        return replace(kept, filter=plain.decode())

    async def list_outcomes(self, event_id: EventId) -> list[Outcome]:
        found = [each for each in self._outcomes if each.event_id == event_id]
        project_id = self._events[event_id].project_id if found else ProjectId("")
        return [
            replace(each, value=self.gate.open(project_id, ValueKind.OUTCOME, each.value))
            for each in found
        ]

    async def list_values(self, project_id: ProjectId, now: datetime) -> dict[str, bytes]:
        return {
            key: self.gate.open(owner, ValueKind.STORED, self._values[owner, key].value)
            for owner, key in sorted(self._values)
            if owner == project_id and self._values[owner, key].is_there(now)
        }

    async def find_published(
        self, project_id: ProjectId, key: str, now: datetime
    ) -> PublishedValue | None:
        kept = self._find_value(project_id, key, now)
        if kept is None or not kept.is_published:
            return None
        return PublishedValue(value=self.gate.open(project_id, ValueKind.STORED, kept.value))

    async def use_value(self, project_id: ProjectId, use: UseStore, now: datetime) -> bytes:
        self._may_write()
        return values.encode(self._apply_to_store(project_id, use, now).value)

    async def list_waits(self, session_ids: Sequence[SessionId]) -> list[Wait]:
        return [
            Wait(session_id=each, topic=topic, source=self._source_of(topic))
            for each in sorted(session_ids)
            if each in self._sessions and self._sessions[each].state is SessionState.WAITING
            for topic in sorted(self._topics.get(each, ()))
        ]

    def _source_of(self, topic: str) -> str:
        found = self._subscriptions.get(SubscriptionId(topic.removeprefix("sub:")))
        return found.source if found is not None else ""

    async def delete_expired_values(self, now: datetime, limit: int) -> int:
        self._may_write()
        gone = [key for key, kept in self._values.items() if not kept.is_there(now)][:limit]
        drop(self._values, gone)
        return len(gone)

    # What events, changes and deletions mean for it

    def _deliver(self, event: Event, subscriptions: Deliveries) -> Woken:
        woken: dict[SessionId, list[str]] = {}
        for each in dict.fromkeys(subscriptions):
            found = self._subscriptions.get(each)
            if found is not None and found.project_id == event.project_id:
                self._deliveries.append((each, event.id))
                self._wake(found.session_id, {f"sub:{each}"}, event.created_at)
                woken.setdefault(found.session_id, []).append(f"sub:{each}")
        return {each: tuple(sorted(woken[each])) for each in sorted(woken)}

    def _follow_change(self, change: SessionChange) -> None:
        self._topics.pop(change.session_id, None)
        if change.state is SessionState.WAITING and change.topics:
            self._topics[change.session_id] = frozenset(change.topics)
            self._wake(change.session_id, self._served(change.session_id), change.at)
        if change.state not in FINAL_STATES:
            return
        self._forget_calls_of(change.session_id)
        session = self._sessions[change.session_id]
        self._settle(session.deployment_id)
        parent = self._sessions.get(session.parent_id) if session.parent_id else None
        if parent is not None and parent.state not in FINAL_STATES:
            payload = completion_of(change)
            signal = Signal(session_id=parent.id, name=session.id, payload=payload)
            self._queue(signal, change.at, change.finds)

    def _forget_calls_of(self, session_id: SessionId) -> None:
        gone = [s.id for s in self._subscriptions.values() if s.session_id == session_id]
        drop(self._subscriptions, gone)
        self._deliveries = [each for each in self._deliveries if each[0] not in gone]
        self._signals = [each for each in self._signals if each.session_id != session_id]
        self._topics.pop(session_id, None)

    def _forget_events(self, gone: Iterable[EventId]) -> None:
        ids = set(gone)
        drop(self._events, ids)
        self._outcomes = [each for each in self._outcomes if each.event_id not in ids]

    def _needed_events(self) -> set[EventId | None]:
        """Events that a session names, or that wait in a subscription."""
        named = {each.event_id for each in self._sessions.values()}
        return named | {event_id for _, event_id in self._deliveries}

    def _remove(self, session: Session) -> None:
        super()._remove(session)
        self._forget_calls_of(session.id)
        if session.event_id is not None and session.event_id not in self._needed_events():
            self._forget_events([session.event_id])

    async def delete_project(self, project_id: ProjectId) -> None:
        await super().delete_project(project_id)
        drop(self._values, [key for key in self._values if key[0] == project_id])
        self._forget_events(
            {each.event_id for each in self._outcomes if each.event_id not in self._events}
        )

    def _served(self, session_id: SessionId) -> set[str]:
        """The topics of which the session has something to take."""
        own = {s.id for s in self._subscriptions.values() if s.session_id == session_id}
        events = {
            f"sub:{subscription}" for subscription, _ in self._deliveries if subscription in own
        }
        return events | {f"sig:{s.name}" for s in self._signals if s.session_id == session_id}

    def _wake(self, session_id: SessionId, topics: set[str], at: datetime) -> None:
        session = self._sessions[session_id]
        waits = session.state is SessionState.WAITING
        if waits and self._topics.get(session_id, frozenset()) & topics:
            wake_at = min(session.wake_at or at, at)
            self._sessions[session_id] = replace(session, wake_at=wake_at)

    def _queue(self, signal: Signal, at: datetime, finds: Finds) -> None:
        project_id = self._sessions[signal.session_id].project_id
        payload = self._sealed(project_id, ValueKind.SIGNAL, signal.payload, finds)
        self._signals.append(replace(signal, payload=payload))
        self._wake(signal.session_id, {f"sig:{signal.name}"}, at)

    # Calls

    def _apply(self, call: SessionCall) -> CallResult:
        self._may_write()
        self._get_unfinished(call.session_id)
        recorded = self._find_recorded(call)
        if recorded is not None:
            return recorded_result(
                call,
                kind=recorded.kind,
                ok=recorded.ok,
                encoding=recorded.encoding,
                value=recorded.value,
            )
        if call.entry is not None and call.entry.seq in self._journal.get(call.session_id, {}):
            raise InternalError(f"the number {call.entry.seq} of the entry was used before")
        before = {name: copy(table) for name, table in vars(self).items() if name in _CHANGED}
        try:
            applied = self._applied[type(call.operation)](call, call.operation)
        except REFUSALS as exc:
            applied = refused(exc)
        try:
            result, entry = finish(call, applied)
        except HooklineError:
            vars(self).update(before)
            raise
        if entry is not None:
            self._add_entry(entry)
        return result

    def _find_recorded(self, call: SessionCall) -> JournalEntry | None:
        if call.entry is None:
            return None
        place = (call.entry.branch, call.entry.index)
        journal = self._journal.get(call.session_id, {}).values()
        return next((each for each in journal if (each.branch, each.index) == place), None)

    def _get_unforgotten(self, session_id: SessionId) -> Session:
        if session_id not in self._sessions:
            raise SessionNotFoundError(session_id)
        return self._sessions[session_id]

    def _get_unfinished(self, session_id: SessionId) -> Session:
        session = self._get_unforgotten(session_id)
        if session.state in FINAL_STATES:
            raise SessionFinalError(session_id, session.state)
        return session

    def _check_project(self, project_id: ProjectId) -> None:
        if project_id not in self._projects:
            raise ProjectNotFoundError(project_id)

    def _subscribe(self, call: SessionCall, subscribe: Subscribe) -> Applied:
        self._check_project(call.project_id)
        source = self._find_source(call, subscribe.source)
        own = [s for s in self._subscriptions.values() if s.session_id == call.session_id]
        if len(own) >= MOST_SUBSCRIPTIONS:
            raise TooManySubscriptionsError(MOST_SUBSCRIPTIONS)
        subscription = Subscription(
            id=subscribe.id,
            session_id=call.session_id,
            project_id=call.project_id,
            source=source,
            filter=subscribe.filter,
            created_at=call.at,
        )
        plain = subscription.filter.encode()
        kept = self._sealed(call.project_id, ValueKind.FILTER, plain, call.finds)
        self._subscriptions[subscription.id] = (
            replace(subscription, filter=text_of_sealed(kept)) if is_sealed(kept) else subscription
        )
        return Applied(value=subscription.id, subscription=subscription)

    def _find_source(self, call: SessionCall, name: str) -> str:
        project_id = call.project_id
        deployment_id = self._sessions[call.session_id].deployment_id
        deployment = None if deployment_id is None else self._deployments[deployment_id]
        has_retired = deployment is not None and deployment.state is not DeploymentState.ACTIVE
        known = {
            t.definition.name: t.id for t in self._triggers.values() if t.project_id == project_id
        }
        in_force = [self._triggers[each] for each in self._in_force]
        own = {t.definition.name: t.id for t in in_force if t.project_id == project_id}
        own = {**known, **own} if has_retired else own
        connections = {key[1] for key in self._connections if key[0] == project_id}
        if name in own and name in connections:
            raise SourceAmbiguousError(name)
        if name in own:
            return f"trigger:{own[name]}"
        if name in connections:
            return f"connection:{name}"
        raise SourceNotFoundError(name, sorted({*own, *connections}))

    def _unsubscribe(self, call: SessionCall, unsubscribe: Unsubscribe) -> Applied:
        found = self._subscriptions.get(unsubscribe.id)
        if found is not None and found.session_id == call.session_id:
            del self._subscriptions[unsubscribe.id]
            self._deliveries = [each for each in self._deliveries if each[0] != unsubscribe.id]
        return Applied()

    def _take_event(self, call: SessionCall, take: TakeEvent) -> Applied:
        for each in take.ids:
            found = self._subscriptions.get(each)
            if found is None or found.session_id != call.session_id:
                raise SubscriptionNotFoundError(each)
        for each in take.ids:
            event_id = next((event for to, event in self._deliveries if to == each), None)
            if event_id is not None:
                self._deliveries.remove((each, event_id))
                event = self._events[event_id]
                return taken_event(each, event.id, event.type, event.data, event.body)
        return nothing_there(call, take)

    def _send_signal(self, call: SessionCall, send: SendSignal) -> Applied:
        caller, target = (
            self._sessions[call.session_id],
            self._get_unforgotten(send.signal.session_id),
        )
        is_near = target.parent_id == caller.id or caller.parent_id == target.id
        if target.project_id != caller.project_id and not is_near:
            raise OtherProjectError(target.id)
        self._get_unfinished(send.signal.session_id)
        self._queue(send.signal, call.at, call.finds)
        return Applied(woken={send.signal.session_id: (f"sig:{send.signal.name}",)})

    def _take_signal(self, call: SessionCall, take: TakeSignal) -> Applied:
        own = [each for each in self._signals if each.session_id == call.session_id]
        for name in take.names:
            found = next((each for each in own if each.name == name), None)
            if found is not None:
                payload = self.gate.open(call.project_id, ValueKind.SIGNAL, found.payload)
                self._signals.remove(found)
                return taken_signal(name, payload)
        return nothing_there(call, take)

    def _start_session(self, call: SessionCall, start: StartSession) -> Applied:
        self._check([start.session])
        not_begun = [
            weight
            for child, (starter, weight) in self._starts.items()
            if starter == call.project_id
            and (found := self._sessions.get(child)) is not None
            and found.state is SessionState.CREATED
        ]
        if sum(not_begun) + start.weight > start.most_waiting:
            raise TooManyChildrenError(start.most_waiting)
        self._starts[start.session.id] = (call.project_id, start.weight)
        self._insert([start.session], call.finds)
        return Applied(value=start.session.id)

    def _use_store(self, call: SessionCall, use: UseStore) -> Applied:
        return self._apply_to_store(call.project_id, use, call.at, call.finds)

    def _apply_to_store(
        self, project_id: ProjectId, use: UseStore, now: datetime, finds: Finds = finds_nothing
    ) -> Applied:
        self._check_project(project_id)
        place = (project_id, use.key)
        kept = self._find_value(*place, now)
        match use.operation:
            case StoreOperation.LIST:
                owned = [key for owner, key in sorted(self._values) if owner == project_id]
                there = [key for key in owned if self._find_value(project_id, key, now)]
                return Applied(value=there)
            case StoreOperation.PUBLISH | StoreOperation.UNPUBLISH:
                if kept is not None:
                    is_published = use.operation is StoreOperation.PUBLISH
                    self._values[place] = replace(kept, is_published=is_published)
                return Applied()
            case _:
                return self._change_value(place, use, now, finds)

    def _change_value(
        self, place: tuple[ProjectId, str], use: UseStore, now: datetime, finds: Finds
    ) -> Applied:
        kept = self._find_value(*place, now)
        current = None
        if kept is not None and use.operation not in {StoreOperation.SET, StoreOperation.DEL}:
            current = self.gate.open(place[0], ValueKind.STORED, kept.value)
        after, result = store_step(use, current)
        if after is store_rules.DELETED:
            self._values.pop(place, None)
        elif isinstance(after, bytes):
            others = [
                key
                for (owner, key), each in self._values.items()
                if owner == place[0] and key != use.key and each.is_there(now)
            ]
            if kept is None and len(others) >= use.limits.keys:
                raise TooManyKeysError(use.limits.keys)
            is_published = kept is not None and kept.is_published
            after = self._sealed(place[0], ValueKind.STORED, after, finds)
            self._values[place] = Kept(after, is_published, use.expires_at)
        return Applied(value=result)

    def _find_value(self, project_id: ProjectId, key: str, now: datetime) -> Kept | None:
        kept = self._values.get((project_id, key))
        return kept if kept is not None and kept.is_there(now) else None

    def _record_outcome(self, call: SessionCall, record: RecordOutcome) -> Applied:
        self._check_project(call.project_id)
        event = self._events.get(record.event_id)
        if event is None or event.project_id != call.project_id:
            raise EventNotFoundError(record.event_id)
        outcome = Outcome(
            event_id=event.id,
            session_id=call.session_id,
            at=call.at,
            value=self._sealed(call.project_id, ValueKind.OUTCOME, record.value, call.finds),
        )
        self._outcomes.append(outcome)
        return Applied()

    def _refuse(self, _call: SessionCall, refuse: Refuse) -> Applied:
        return Applied(refusal=Refusal(code=refuse.code, message=refuse.message))
