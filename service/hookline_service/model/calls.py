"""What sessions ask of the service while they run: subscriptions, signals, children, the project's store, outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from hookline_service.model.events import Event, Woken
from hookline_service.model.ids import EventId, ProjectId, SessionId, SubscriptionId
from hookline_service.model.sealing import Finds, finds_nothing
from hookline_service.model.sessions import JournalEntry, LogKind, LogRecord, Session

MOST_SUBSCRIPTIONS: Final = 1_000  # of one session
MOST_WAITING_CHILDREN: Final = 10_000  # of one project
MOST_GENERATIONS: Final = 1_000
_BYTES_OF_A_CHILD: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A session's wish to get the events of a source; ends with the session.

    `source` is `trigger:trg_…` or `connection:<name>`; `filter` is a CEL expression, "" lets everything pass.
    """

    id: SubscriptionId
    session_id: SessionId
    project_id: ProjectId
    source: str
    filter: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A named message to a session. `payload` is a value as JSON text, see `hookline.values`."""

    session_id: SessionId
    name: str
    payload: bytes


class StoreOperation(StrEnum):
    """What can be done with a value of a project's store."""

    GET = "get"
    SET = "set"
    DEL = "del"
    ADD = "add"
    CHECK_AND_SET = "check_and_set"
    LIST = "list"
    PUBLISH = "publish"
    UNPUBLISH = "unpublish"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """How much one project may keep: number of keys, bytes of one value (as JSON text)."""

    keys: int
    value_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """How many sessions sessions may start: those of a project that have not begun (by weight), and children of children."""

    waiting: int = MOST_WAITING_CHILDREN
    generations: int = MOST_GENERATIONS


# Operations: what a call does. Each is applied in one transaction with its entry.


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Begin a subscription to the trigger or connection called `source`. Result: its id.

    Refused with `SourceNotFoundError`, or `SourceAmbiguousError` when both exist.
    """

    id: SubscriptionId
    source: str
    filter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """End a subscription of this session with what waits in it; nothing happens when there is none."""

    id: SubscriptionId


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeEvent:
    """Take the oldest event of the first of these subscriptions that has one.

    Result: the subscription with the event. Nothing there: null once `deadline_at` has come, else `CallResult.is_waiting`.
    Ids that are no subscriptions of this session are refused with `SubscriptionNotFoundError`.
    """

    ids: tuple[SubscriptionId, ...]
    deadline_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSignal:
    """Queue a signal for a session of the same project, a child or the parent.

    Refused with `SessionNotFoundError`, `OtherProjectError`, `SessionFinalError`.
    """

    signal: Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeSignal:
    """Take the oldest signal with the first of these names that has one; waiting as in `TakeEvent`."""

    names: tuple[str, ...]
    deadline_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSession:
    """Insert a session. Result: its id; another id than the given one when the call was recorded before.

    Refused when its project, build or deployment is gone, and with `TooManyChildrenError` when the `weight` of those that sessions of
    the caller's project started and that have not begun would exceed `most_waiting`. That is counted at most ten times a second:
    for so long room may be overlooked.
    """

    session: Session
    most_waiting: int = MOST_WAITING_CHILDREN

    @property
    def weight(self) -> int:
        """How much the session counts while it has not begun: 1, and 1 more for each 16 KiB that it was given."""
        size_bytes = len(self.session.input or b"") + len(self.session.memo or b"")
        return 1 + size_bytes // _BYTES_OF_A_CHILD


@dataclass(frozen=True, slots=True, kw_only=True)
class UseStore:
    """Read or change a value of the project's store; see `hookline.store_rules` for what each operation does.

    `operands` are values as JSON texts. `expires_at` goes with what is written; None keeps it for good. A value that has
    expired is missing. `list` gives the keys in order. What is published stays so when it is written again, until it is
    deleted or expires; to publish what is missing does nothing. Refused with `TooManyKeysError`, `ValueTooLargeError`,
    and as `hookline.store_rules.apply` raises.
    """

    operation: StoreOperation
    key: str
    operands: tuple[bytes, ...]
    limits: StoreLimits
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcome:
    """Add an outcome to an event of the project: a value as JSON text. Refused with `EventNotFoundError`."""

    event_id: EventId
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """An operation refused before it reached the store; only its entry is written."""

    code: str
    message: str


Operation: TypeAlias = (
    Subscribe
    | Unsubscribe
    | TakeEvent
    | SendSignal
    | TakeSignal
    | StartSession
    | UseStore
    | RecordOutcome
    | Refuse
)


def as_it_is(encoding: str, value: bytes) -> tuple[str, bytes]:
    """The encoding and value, unchanged."""
    return encoding, value


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFork:
    """A session that begins with the first `count` journal entries of `source` (by `seq`).

    `subscriptions` begin for it, `event` is recorded as the one that started it, and `note` stands in its log.
    `reseal` makes the encoding and value of a copy of those of an entry, for what was sealed for `source` alone.
    """

    session: Session
    source: SessionId
    count: int
    subscriptions: Sequence[Subscribe] = ()
    event: Event | None = None
    note: str = ""
    reseal: Callable[[str, bytes], tuple[str, bytes]] = as_it_is

    def note_after(self, seq: int) -> list[LogRecord]:
        """The note as the log record that follows the entries; none if there is no note."""
        if not self.note:
            return []
        return [
            LogRecord(
                session_id=self.session.id,
                seq=seq + 1,
                attempt=0,
                at=self.session.created_at,
                kind=LogKind.STATE,
                text=self.note,
            )
        ]

    def calls(self) -> list[SessionCall]:
        """The subscriptions, as the session would ask for them."""
        return [
            SessionCall(
                session_id=self.session.id,
                project_id=self.session.project_id,
                at=self.session.created_at,
                operation=each,
                entry=None,
            )
            for each in self.subscriptions
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCall:
    """An operation of a session at a time. `entry` is recorded with the result in its value and display, or None.

    The entry's `ok`, `encoding`, `value`, `display` and `ended_at` are placeholders which the store fills in. What is made
    of a result before it is stored: `seal` gives the encoding and value of the entry, `cover` the text for people; `unseal`
    takes back what `seal` did. `finds` tells whether a secret stands in a value that the operation stores: one of those
    that the session was given, besides those that its project has now. All are called in the thread of the store, perhaps twice.
    """

    session_id: SessionId
    project_id: ProjectId
    at: datetime
    operation: Operation
    entry: JournalEntry | None
    seal: Callable[[str, bytes], tuple[str, bytes]] = as_it_is
    unseal: Callable[[str, bytes], tuple[str, bytes]] = as_it_is
    cover: Callable[[str], str] = str
    finds: Finds = finds_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an operation was not carried out: the code of an error and its sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """What came of a call.

    `value` is the result as JSON text (see `hookline.values`), b"null" when there is none. `is_waiting`: nothing was there
    to take, and no entry was written. `woken` are the sessions for which something came by this call.
    `subscription` is the one that began.
    """

    value: bytes = b"null"
    refusal: Refusal | None = None
    is_waiting: bool = False
    woken: Woken = field(default_factory=dict[SessionId, tuple[str, ...]])
    subscription: Subscription | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One outcome of an event, by a session."""

    event_id: EventId
    session_id: SessionId
    at: datetime
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A topic for which a session waits; `source` is that of the subscription, "" for a signal."""

    session_id: SessionId
    topic: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedValue:
    """A value of a project's store that anybody may read, as JSON text of `hookline.values`."""

    value: bytes


Deliveries: TypeAlias = Sequence[SubscriptionId]
"""The subscriptions to which an event goes."""
