"""What becomes of a call: its result, the entry that records it, and what it does to a value of the store. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from hookline import store_rules, values
from hookline.errors import (
    ConflictError,
    ForbiddenError,
    HooklineError,
    InternalError,
    InvalidError,
    NotFoundError,
)
from hookline_runner import fast_json
from hookline_runner.session.display import display
from hookline_service.model.calls import (
    CallResult,
    Refusal,
    SessionCall,
    Subscription,
    TakeEvent,
    TakeSignal,
    UseStore,
)
from hookline_service.model.errors import EventUnreadableError, ValueTooLargeError
from hookline_service.model.events import Woken
from hookline_service.model.ids import EventId, SessionId, SubscriptionId
from hookline_service.model.sessions import EntryKind, JournalEntry, SessionChange, SessionState
from hookline_triggers.webhook import event_data

REFUSALS: Final = (NotFoundError, ConflictError, InvalidError, ForbiddenError)
"""The kinds of errors that refuse an operation; any other means that it could not be tried."""

_ENCODING: Final = "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an operation gave: a value as user code sees it, unless it was refused or nothing was there."""

    value: Any = None  # Any: whatever a session made it
    text: bytes | None = None  # the value as JSON text, when it was made already
    refusal: Refusal | None = None
    is_waiting: bool = False
    woken: Woken = field(default_factory=dict[SessionId, tuple[str, ...]])
    subscription: Subscription | None = None


def refused(error: HooklineError) -> Applied:
    """The refusal that this error means."""
    return Applied(refusal=Refusal(code=error.code, message=error.message))


def nothing_there(call: SessionCall, take: TakeEvent | TakeSignal) -> Applied:
    """What a call gets that found nothing to take: null once its time is over."""
    is_over = take.deadline_at is not None and take.deadline_at <= call.at
    return Applied(is_waiting=not is_over)


def finish(call: SessionCall, applied: Applied) -> tuple[CallResult, JournalEntry | None]:
    """The result of a call and the entry to be written, if any."""
    if applied.is_waiting:
        return CallResult(is_waiting=True), None
    value = applied.text
    if value is None:
        value = values.encode(applied.value, around=values.AROUND)
    result = CallResult(
        value=value,
        refusal=applied.refusal,
        woken=applied.woken,
        subscription=applied.subscription,
    )
    return result, None if call.entry is None else _filled(call, call.entry, applied, value)


def _filled(call: SessionCall, entry: JournalEntry, applied: Applied, value: bytes) -> JournalEntry:
    refusal = applied.refusal
    shown = applied.value
    if refusal is not None:
        shown = {"code": refusal.code, "message": refusal.message}
        value = values.encode(shown)
    encoding, stored = call.seal(_ENCODING, value)
    return replace(
        entry,
        ok=refusal is None,
        encoding=encoding,
        value=stored,
        display=call.cover(display(shown)).encode(),
        ended_at=call.at,
    )


def recorded_result(
    call: SessionCall, *, kind: str, ok: bool, encoding: str, value: bytes
) -> CallResult:
    """What was recorded before at the position of this call.

    Raises:
        InternalError: the position is not that of a call.
    """
    plain_encoding, plain = call.unseal(encoding, value)
    if kind != EntryKind.CALL or plain_encoding != _ENCODING:
        raise InternalError(f"a call came for the position of a recorded {kind}")
    if ok:
        return CallResult(value=plain)
    refusal: dict[str, str] = values.decode(plain)
    return CallResult(refusal=Refusal(code=refusal["code"], message=refusal["message"]))


def taken_event(
    subscription: SubscriptionId, event_id: EventId, type_: str, data: bytes, body: bytes | None
) -> Applied:
    """An event as a session gets it: subscription, id, type, and data in full.

    Raises:
        EventUnreadableError: the data are deeper than what comes from outside may be.
    """
    content: Any = fast_json.read(data)
    if body is not None and isinstance(content, dict):
        content = event_data(cast("dict[str, Any]", content), body)
    value: dict[str, Any] = {
        "subscription": subscription,
        "id": event_id,
        "type": type_,
        "data": content,
    }
    try:
        return Applied(value=value, text=values.encode_event(value))
    except ValueError as exc:
        raise EventUnreadableError(event_id, str(exc)) from exc


def taken_signal(name: str, payload: bytes) -> Applied:
    """A signal as a session gets it."""
    return Applied(value={"name": name, "payload": values.decode(payload, around=values.AROUND)})


def store_step(use: UseStore, current: bytes | None) -> tuple[bytes | store_rules.Change, Any]:
    """What a key holds after an operation on one value (JSON text, or what else happens to it), and the result.

    Raises:
        ValueTooLargeError: it would be larger than the limits allow.
        HooklineError: as `store_rules.apply`.
    """
    after, result = store_rules.apply(
        use.operation, None if current is None else values.decode(current), _operands(use.operands)
    )
    if isinstance(after, store_rules.Change):
        return after, result
    text = values.encode(after)
    if len(text) > use.limits.value_bytes:
        raise ValueTooLargeError(use.key, len(text), use.limits.value_bytes)
    return text, result


def _operands(texts: Sequence[bytes]) -> list[object]:
    try:
        return [values.decode(text) for text in texts]
    except ValueError as exc:
        raise store_rules.StoreOperationError(f"an operand is not a value: {exc}") from exc


def completion_of(change: SessionChange) -> bytes:
    """The payload of the signal by which a session tells its parent that it has ended."""
    if change.state is not SessionState.COMPLETED:
        return values.encode({"completed": False})
    value = values.decode(change.answer or b"null")
    return values.encode({"completed": True, "value": value}, around=values.AROUND)
