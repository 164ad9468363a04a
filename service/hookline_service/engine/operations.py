"""What a session asks of the service, read from its `CALL`. Nothing in it is trusted: see docs/protocol.md, "Operations"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from hookline.errors import HooklineError, InvalidError, NotFoundError
from hookline.json_text import write
from hookline.values import decode, encode, from_tree
from hookline_runner.frames import Frame
from hookline_service.engine.masking import NO_MASK, Mask
from hookline_service.engine.wire import (
    Position,
    WireError,
    number_of,
    read_header,
    shown_of,
    text_of,
    time_of,
)
from hookline_service.model.calls import (
    Operation,
    RecordOutcome,
    Refuse,
    SendSignal,
    Signal,
    StoreLimits,
    StoreOperation,
    Subscribe,
    TakeEvent,
    TakeSignal,
    Unsubscribe,
    UseStore,
)
from hookline_service.model.errors import (
    CallTooLargeError,
    NameTooLongError,
    NoEventToAnswerError,
    SubscriptionFilterError,
    TtlInvalidError,
)
from hookline_service.model.ids import EventId, SessionId, SubscriptionId, new_subscription_id
from hookline_service.model.plain_values import plain_json
from hookline_service.model.sessions import EntryKind, JournalEntry, Session
from hookline_triggers.calls import parse_call
from hookline_triggers.errors import FilterInvalidError
from hookline_triggers.filters import compile_filter

MAX_CALL_BYTES: Final = 8 * 1024 * 1024
_MAX_NAME: Final = 1_000
_MAX_IDS: Final = 10_000
_MAX_OPERANDS: Final = 2
_MAX_MEMO_BYTES: Final = 64 * 1024
_LONGEST_LIFE_S: Final = 100 * 366 * 86_400.0

# Any: JSON values of the wire; each reader below checks what it takes.
Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFrame:
    """A `CALL` whose operation is not yet looked at. The `seq` of `entry` is given when it is recorded."""

    number: int
    name: str
    arguments: Arguments
    entry: JournalEntry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, of which project, when, and within which limits; `mask` covers what is shown to people."""

    session: Session
    project: str
    at: datetime
    limits: StoreLimits
    mask: Mask = NO_MASK


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRequest:
    """A session that shall be started: where its build is found, only the store can say. `project` "": the caller's."""

    project: str
    entry_point: str
    data: bytes | None
    memo: bytes | None


def read_call(frame: Frame, position: Position, at: datetime) -> CallFrame:
    """The number, name, arguments and entry of a CALL; raises `WireError`."""
    header = read_header(frame)
    arguments = header.get("args")
    if not isinstance(arguments, dict):
        raise WireError("a CALL without arguments")
    number = number_of(header.get("n"))
    name = text_of(header.get("op"), 40)
    row = header.get("entry")
    entry = None if row is None else _entry_of(row, position, at)
    return CallFrame(number=number, name=name, arguments=arguments, entry=entry)  # pyright: ignore[reportUnknownArgumentType] - a JSON object


def _entry_of(row: Any, position: Position, at: datetime) -> JournalEntry:
    try:
        branch, index, name, file, line, arguments, started_at = row
    except (TypeError, ValueError) as exc:
        raise WireError("a CALL with a malformed entry") from exc
    return JournalEntry(
        session_id=position.session_id,
        branch=text_of(branch),
        index=number_of(index),
        seq=0,
        attempt=position.attempt,
        kind=EntryKind.CALL,
        name=text_of(name, _MAX_NAME),
        file=text_of(file),
        line=0 if line is None else number_of(line),
        ok=True,
        is_volatile=False,
        encoding="values",
        value=b"null",
        arguments=shown_of(arguments, position.mask).encode("utf-8", "backslashreplace"),
        display=b"null",
        started_at=time_of(started_at),
        ended_at=at,
    )


def operation_of(call: CallFrame, caller: Caller) -> Operation | ChildRequest:
    """The operation of a CALL.

    What an honest process cannot send raises `WireError`; what a person may have written wrong is a `Refuse`.
    """
    read = _READERS.get(call.name)
    if read is None:
        raise WireError(f"an unknown operation {call.name!r}")
    try:
        return read(call.arguments, caller)
    except KeyError as exc:
        raise WireError(f"a {call.name} without {exc}") from exc
    except (InvalidError, NotFoundError) as exc:
        return refusal_of(exc)


def refusal_of(error: HooklineError) -> Refuse:
    """The operation that answers with this error, and is recorded as what the call gave."""
    return Refuse(code=error.code, message=error.message)


def _subscribe(arguments: Arguments, caller: Caller) -> Operation:
    source = _name_of(arguments["source"], "the name of a source")
    text = text_of(arguments["filter"])
    try:
        compile_filter(text)
    except FilterInvalidError as exc:
        raise SubscriptionFilterError(exc.message) from exc
    return Subscribe(id=new_subscription_id(caller.at), source=source, filter=text)


def _unsubscribe(arguments: Arguments, _: Caller) -> Operation:
    return Unsubscribe(id=SubscriptionId(_name_of(arguments["subscription"], "a subscription")))


def _take_event(arguments: Arguments, _: Caller) -> Operation:
    ids = _names_of(arguments["subscriptions"], "a subscription")
    return TakeEvent(
        ids=tuple(SubscriptionId(each) for each in ids), deadline_at=_deadline_of(arguments)
    )


def _take_signal(arguments: Arguments, _: Caller) -> Operation:
    names = _names_of(arguments["names"], "the name of a signal")
    return TakeSignal(names=names, deadline_at=_deadline_of(arguments))


def _send_signal(arguments: Arguments, _: Caller) -> Operation:
    signal = Signal(
        session_id=SessionId(_name_of(arguments["session"], "the id of a session")),
        name=_name_of(arguments["name"], "the name of a signal"),
        payload=_value_of(arguments["payload"]),
    )
    return SendSignal(signal=signal)


def _start_session(arguments: Arguments, caller: Caller) -> ChildRequest:
    entry_point = str(parse_call(text_of(arguments["entry_point"])))
    data = arguments.get("data")
    return ChildRequest(
        project=_name_of(arguments.get("project") or "", "the name of a project"),
        entry_point=entry_point,
        data=None if data is None else plain_json(_value_of(data)),
        memo=_memo_of(arguments.get("memo"), caller.mask),
    )


def _use_store(arguments: Arguments, caller: Caller) -> Operation:
    operands = _list_of(arguments["operands"], _MAX_OPERANDS)
    try:
        operation = StoreOperation(arguments["op"])
    except ValueError as exc:
        raise WireError(f"an unknown store operation {arguments['op']!r:.60}") from exc
    return UseStore(
        operation=operation,
        key=_name_of(arguments["key"], "a key"),
        operands=tuple(_value_of(each) for each in operands),
        limits=caller.limits,
        expires_at=_expiry_of(arguments.get("ttl_s"), caller.at),
    )


def _outcome(arguments: Arguments, caller: Caller) -> Operation:
    given = arguments.get("event")
    event = caller.session.event_id if given is None else EventId(_name_of(given, "an event's id"))
    if event is None:
        raise NoEventToAnswerError
    return RecordOutcome(event_id=event, value=_value_of(arguments["value"]))


def _value_of(tree: Any) -> bytes:
    """The value as JSON text, in its one form."""
    try:
        return encode(from_tree(tree))
    except (TypeError, ValueError) as exc:
        raise WireError(f"a malformed value: {exc!s:.200}") from exc


def _memo_of(memo: Any, mask: Mask) -> bytes | None:
    if memo is None:
        return None
    notes: object = decode(_value_of(memo))
    if not isinstance(notes, dict):
        raise WireError("a memo that is not a JSON object")
    pairs = cast("dict[object, object]", notes).items()
    texts = {shown_of(key, mask): shown_of(note, mask) for key, note in pairs}
    text = write(texts, is_spaced=True).encode()
    if len(text) > _MAX_MEMO_BYTES:
        raise CallTooLargeError("the memo", len(text), _MAX_MEMO_BYTES)
    return text


def _name_of(value: Any, what: str) -> str:
    if isinstance(value, str) and len(value) > _MAX_NAME:
        raise NameTooLongError(what, len(value), _MAX_NAME)
    return text_of(value)


def _names_of(values: Any, what: str) -> tuple[str, ...]:
    return tuple(_name_of(each, what) for each in _list_of(values, _MAX_IDS))


def _list_of(values: Any, limit: int) -> list[Any]:
    if not isinstance(values, list):
        raise WireError(f"not a list: {type(values).__name__}")
    if len(values) > limit:  # pyright: ignore[reportUnknownArgumentType] - a JSON list
        raise WireError(f"a list of {len(values)} where {limit} are allowed")  # pyright: ignore[reportUnknownArgumentType] - as above
    return values  # pyright: ignore[reportUnknownVariableType] - as above


def _expiry_of(ttl_s: Any, at: datetime) -> datetime | None:
    if ttl_s is None:
        return None
    if isinstance(ttl_s, bool) or not isinstance(ttl_s, int | float):
        raise WireError("a time to live that is not a number")
    if not 0 < ttl_s <= _LONGEST_LIFE_S:
        raise TtlInvalidError(ttl_s, _LONGEST_LIFE_S)
    return at + timedelta(seconds=ttl_s)


def _deadline_of(arguments: Arguments) -> datetime | None:
    deadline_at = arguments["deadline_at"]
    return None if deadline_at is None else time_of(deadline_at)


_READERS: Final[dict[str, Callable[[Arguments, Caller], Operation | ChildRequest]]] = {
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "take_event": _take_event,
    "signal": _send_signal,
    "take_signal": _take_signal,
    "start_session": _start_session,
    "store": _use_store,
    "outcome": _outcome,
}
