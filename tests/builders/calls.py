"""Calls of sessions for tests."""

from __future__ import annotations

from typing import Any

import anyio

from hookline import values
from hookline_service.model.calls import (
    CallResult,
    Operation,
    SendSignal,
    SessionCall,
    Signal,
    StoreLimits,
    StoreOperation,
    Subscribe,
    UseStore,
)
from hookline_service.model.ids import SessionId, SubscriptionId, new_subscription_id
from hookline_service.model.sessions import EntryKind, JournalEntry, Session
from hookline_service.storage.protocols import CallStore
from tests.builders.moments import START, next_moment, next_number
from tests.builders.sessions import an_entry

LIMITS = StoreLimits(keys=1_000, value_bytes=64 * 1024)


def a_call_entry(session_id: SessionId, **fields: Any) -> JournalEntry:
    """The entry of a call, at a position of its own, before it has a result."""
    defaults: dict[str, Any] = {
        "kind": EntryKind.CALL,
        "name": "call",
        "seq": next_number(),
        "encoding": "values",
        "value": b"null",
        "display": b"null",
    }
    return an_entry(session_id, **(defaults | fields))


def a_call(session: Session, operation: Operation, **fields: Any) -> SessionCall:
    """A call of a session, recorded in its journal."""
    defaults: dict[str, Any] = {
        "session_id": session.id,
        "project_id": session.project_id,
        "at": START,
        "operation": operation,
        "entry": a_call_entry(session.id),
    }
    return SessionCall(**(defaults | fields))


def a_subscribe(source: str, **fields: Any) -> Subscribe:
    defaults: dict[str, Any] = {"id": new_subscription_id(next_moment()), "filter": ""}
    return Subscribe(source=source, **(defaults | fields))


def a_signal(to: Session, name: str = "go", payload: object = None) -> SendSignal:
    signal = Signal(session_id=to.id, name=name, payload=values.encode(payload))
    return SendSignal(signal=signal)


def a_use(operation: str, key: str = "", *operands: object, **fields: Any) -> UseStore:
    """An operation on the project's store."""
    defaults: dict[str, Any] = {"limits": LIMITS}
    return UseStore(
        operation=StoreOperation(operation),
        key=key,
        operands=tuple(values.encode(operand) for operand in operands),
        **(defaults | fields),
    )


async def made(store: CallStore, call: SessionCall) -> CallResult:
    """What came of the call; raises when it could not be made."""
    results: list[CallResult | Exception] = []
    is_told = anyio.Event()

    def tell(result: CallResult | Exception) -> None:
        results.append(result)
        is_told.set()

    store.call_soon(call, tell)
    with anyio.fail_after(10):
        await is_told.wait()
    (result,) = results
    if isinstance(result, Exception):
        raise result
    return result


async def subscribed(
    store: CallStore, session: Session, source: str, **fields: Any
) -> SubscriptionId:
    """The id of a new subscription of the session."""
    subscribe = a_subscribe(source, **fields)
    result = await made(store, a_call(session, subscribe))
    if result.refusal is not None:
        raise ValueError(result.refusal.message)
    return subscribe.id


def value_of(result: CallResult) -> Any:
    """The value of a result that is no refusal."""
    if result.refusal is not None or result.is_waiting:
        raise ValueError(f"the call has no value: {result}")
    return values.decode_answer(result.value)


def code_of(result: CallResult) -> str | None:
    """The code of a refusal, None if it was none."""
    return None if result.refusal is None else result.refusal.code
