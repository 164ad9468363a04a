"""What sessions ask of the service: each call is applied in the transaction that appends its entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hookline.errors import InternalError
from hookline_runner import fast_json
from hookline_service.model.calls import (
    MOST_SUBSCRIPTIONS,
    CallResult,
    Operation,
    Outcome,
    RecordOutcome,
    Refusal,
    Refuse,
    SendSignal,
    SessionCall,
    StartSession,
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
    SessionFinalError,
    SourceAmbiguousError,
    SourceNotFoundError,
    SubscriptionNotFoundError,
    TooManySubscriptionsError,
)
from hookline_service.model.events import connection_source, trigger_source
from hookline_service.model.ids import EventId, SessionId, SubscriptionId
from hookline_service.model.sealing import ValueKind
from hookline_service.model.sessions import FINAL_STATES
from hookline_service.storage.results import (
    REFUSALS,
    Applied,
    finish,
    nothing_there,
    recorded_result,
    refused,
    taken_event,
    taken_signal,
)
from hookline_service.storage.sqlite.children import insert_child
from hookline_service.storage.sqlite.connection import Database
from hookline_service.storage.sqlite.journal import insert_entry, session_key
from hookline_service.storage.sqlite.records import to_us
from hookline_service.storage.sqlite.rows import OUTCOMES, SUBSCRIPTIONS
from hookline_service.storage.sqlite.sealing import opened_filter, sealed, sealed_filter
from hookline_service.storage.sqlite.store_values import use_store
from hookline_service.storage.sqlite.tables import Tables, project_key
from hookline_service.storage.sqlite.waiting import queue_signal
from hookline_service.storage.sqlite.writer import OnDone

_CALL_BYTES = 300
_NAME_BYTES = 20  # looking for a name takes about as long as writing so many bytes


class CallTables(Tables):
    """See `CallStore`."""

    def call_soon(
        self, call: SessionCall, on_stored: Callable[[CallResult | Exception], None]
    ) -> None:
        """See `CallStore.call_soon`."""

        def tell(result: Any, failure: Exception | None) -> None:
            on_stored(result if failure is None else failure)

        self._writer.submit(OnDone(tell), _size_of(call), _apply_call, call)

    async def list_subscriptions(
        self, after: SubscriptionId | None, limit: int
    ) -> list[Subscription]:
        """See `CallStore.list_subscriptions`."""
        return await self._readers.run(_list_subscriptions, after or "", limit)

    async def list_waits(self, session_ids: Sequence[SessionId]) -> list[Wait]:
        """See `CallStore.list_waits`."""
        ids = fast_json.write(list(session_ids)).decode()
        rows = await self._readers.run(Database.rows, "list_waits", (ids,))
        return [
            Wait(session_id=row["session_id"], topic=row["topic"], source=row["source"])
            for row in rows
        ]

    async def list_outcomes(self, event_id: EventId) -> list[Outcome]:
        """See `CallStore.list_outcomes`."""
        return await self._readers.run(_list_outcomes, event_id)


def _list_subscriptions(database: Database, after: str, limit: int) -> list[Subscription]:
    rows = database.rows("list_subscriptions", (after, limit))
    return [opened_filter(database, SUBSCRIPTIONS.read(row)) for row in rows]


def _list_outcomes(database: Database, event_id: EventId) -> list[Outcome]:
    rows = database.rows("list_outcomes", (event_id,))
    gate = database.gate
    return [
        OUTCOMES.read(
            row,
            event_id=event_id,
            value=gate.open(row["project_id"], ValueKind.OUTCOME, row["value"]),
        )
        for row in rows
    ]


def _size_of(call: SessionCall) -> int:
    """Roughly how many bytes wait with this call."""
    size_bytes = _CALL_BYTES + (0 if call.entry is None else len(call.entry.arguments))
    match call.operation:
        case SendSignal(signal=signal):
            return size_bytes + len(signal.payload)
        case UseStore(operands=operands):
            return size_bytes + sum(len(operand) for operand in operands)
        case RecordOutcome(value=value):
            return size_bytes + len(value)
        case TakeEvent(ids=names) | TakeSignal(names=names):
            return size_bytes + _NAME_BYTES * len(names)
        case StartSession(session=session):
            return size_bytes + len(session.input or b"")
        case _:
            return size_bytes


def _apply_call(database: Database, call: SessionCall) -> CallResult:
    key = _find_caller(database, call)
    entry = call.entry
    if entry is not None:
        recorded = database.row("find_recorded", (key, entry.branch, entry.index))
        if recorded is not None:
            kind, ok, encoding, value = recorded
            return recorded_result(call, kind=kind, ok=bool(ok), encoding=encoding, value=value)
    try:
        applied = _APPLY[type(call.operation)](database, key, call, call.operation)
    except REFUSALS as exc:
        applied = refused(exc)
    result, filled = finish(call, applied)
    if filled is not None and not insert_entry(database, key, filled):
        raise InternalError(f"the number {filled.seq} of a call's entry was used before")
    return result


def _find_caller(database: Database, call: SessionCall) -> int:
    key = session_key(database, call.session_id)
    state: str = database.value("find_session_state", (key,))
    if state in FINAL_STATES:
        raise SessionFinalError(call.session_id, state)
    return key


def subscribe(database: Database, caller: int, call: SessionCall, wanted: Subscribe) -> Applied:
    """Begin a subscription of a session; raises what refuses it."""
    project = project_key(database, call.project_id)
    source = _find_source(database, project, wanted.source, caller)
    if database.value("count_subscriptions", (caller,)) >= MOST_SUBSCRIPTIONS:
        raise TooManySubscriptionsError(MOST_SUBSCRIPTIONS)
    subscription = Subscription(
        id=wanted.id,
        session_id=call.session_id,
        project_id=call.project_id,
        source=source,
        filter=wanted.filter,
        created_at=call.at,
    )
    kept_filter = sealed_filter(database, subscription, call.finds)
    row = (subscription.id, caller, source, kept_filter, to_us(call.at))
    database.execute("insert_subscription", row)
    return Applied(value=subscription.id, subscription=subscription)


def _find_source(database: Database, project: int, name: str, caller: int) -> str:
    trigger = database.value("find_trigger_of_name", (project, name, caller))
    has_connection = database.value("has_connection", (project, name))
    if trigger is not None and has_connection:
        raise SourceAmbiguousError(name)
    if trigger is not None:
        return trigger_source(trigger)
    if has_connection:
        return connection_source(name)
    known = [row["name"] for row in database.rows("list_sources", (project,))]
    raise SourceNotFoundError(name, known)


def _unsubscribe(
    database: Database, caller: int, _call: SessionCall, unsubscribe: Unsubscribe
) -> Applied:
    database.execute("delete_subscription", (unsubscribe.id, caller))
    return Applied()


def _take_event(database: Database, caller: int, call: SessionCall, take: TakeEvent) -> Applied:
    ids = fast_json.write(take.ids).decode()
    (places,) = database.rows("find_first_subscription", (ids, caller))
    unknown: int | None = places["unknown"]
    first: int | None = places["first"]
    if unknown is not None:
        raise SubscriptionNotFoundError(take.ids[unknown])
    if first is None:
        return nothing_there(call, take)
    subscription_id = take.ids[first]
    row = database.row("find_oldest_delivery", (subscription_id, caller))
    if row is None:
        raise SubscriptionNotFoundError(subscription_id)
    delivery: int = row["oldest"]
    (row,) = database.rows("find_delivered_event", (delivery,))
    database.execute("delete_delivery", (delivery,))  # also when it cannot be read: the next can
    return taken_event(subscription_id, row["id"], row["type"], row["data"], row["body"])


def _send_signal(database: Database, caller: int, call: SessionCall, send: SendSignal) -> Applied:
    signal = send.signal
    target = session_key(database, signal.session_id)
    found = database.row("find_reachable", (target, caller))
    if found is None:
        raise OtherProjectError(signal.session_id)
    state, project_id = found
    if state in FINAL_STATES:
        raise SessionFinalError(signal.session_id, state)
    payload = sealed(database, project_id, ValueKind.SIGNAL, signal.payload, call.finds)
    queue_signal(database, target, signal.name, payload, to_us(call.at))
    return Applied(woken={signal.session_id: (f"sig:{signal.name}",)})


def _take_signal(database: Database, caller: int, call: SessionCall, take: TakeSignal) -> Applied:
    for name in _names_to_try(database, caller, take.names):
        row = database.row("find_oldest_signal", (caller, name))
        if row is not None:
            payload = database.gate.open(call.project_id, ValueKind.SIGNAL, row["payload"])
            database.execute("delete_signal", (row["key"],))
            return taken_signal(name, payload)
    return nothing_there(call, take)


def _names_to_try(database: Database, caller: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """Of many names, the one that has a signal: found by one statement."""
    if len(names) == 1 or any("\0" in name for name in names):
        return names  # a text ends at a zero for the JSON functions of SQLite
    first: int | None = database.value("find_first_name", (fast_json.write(names).decode(), caller))
    return () if first is None else (names[first],)


def _start_session(
    database: Database, _caller: int, call: SessionCall, start: StartSession
) -> Applied:
    insert_child(database, project_key(database, call.project_id), start, call.at, call.finds)
    return Applied(value=start.session.id)


def _use_store(database: Database, _caller: int, call: SessionCall, use: UseStore) -> Applied:
    return use_store(database, call.project_id, use, call.at, call.finds)


def _refuse(_database: Database, _caller: int, _call: SessionCall, refuse: Refuse) -> Applied:
    return Applied(refusal=Refusal(code=refuse.code, message=refuse.message))


def _record_outcome(
    database: Database, _caller: int, call: SessionCall, record: RecordOutcome
) -> Applied:
    project = project_key(database, call.project_id)
    event = database.value("find_event_key_in_project", (record.event_id, project))
    if event is None:
        raise EventNotFoundError(record.event_id)
    value = sealed(database, call.project_id, ValueKind.OUTCOME, record.value, call.finds)
    database.execute("insert_outcome", (event, call.session_id, to_us(call.at), value))
    return Applied()


# What refuses is raised before anything is written: a refusal does not undo the transaction. Any: each takes its own kind.
_APPLY: Final[Mapping[type[Operation], Callable[[Database, int, SessionCall, Any], Applied]]] = {
    Subscribe: subscribe,
    Unsubscribe: _unsubscribe,
    TakeEvent: _take_event,
    SendSignal: _send_signal,
    TakeSignal: _take_signal,
    StartSession: _start_session,
    UseStore: _use_store,
    RecordOutcome: _record_outcome,
    Refuse: _refuse,
}
