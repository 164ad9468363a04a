"""Which subscriptions a session had at some point, as its journal tells: those that ended with it are in no table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from hookline.errors import InvalidError
from hookline_runner import fast_json
from hookline_service.model.ids import SessionId
from hookline_service.model.secret import MASK
from hookline_service.model.sessions import EntryKind, JournalEntry
from hookline_service.storage.protocols import JournalStore

_SUBSCRIBE = "subscribe"
_UNSUBSCRIBE = "unsubscribe"
_CUT = "…"  # in the place of what a display leaves out


class ForkInvalidError(InvalidError):
    """A session cannot be forked as requested."""

    code = "session.fork_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSubscription:
    """A subscription that had begun and not ended; see `Subscription`."""

    id: str
    source: str
    filter: str


async def read_subscriptions(
    store: JournalStore, session_id: SessionId, count: int
) -> list[KeptSubscription]:
    """The subscriptions of the session after its first `count` entries.

    Raises:
        ForkInvalidError: the journal shows one only in part.
    """
    kept: dict[str, KeptSubscription] = {}
    left = count
    async for page in store.read_journal(session_id):
        for entry in page[:left]:
            _note(kept, entry)
        left -= len(page)
        if left <= 0:
            break
    return list(kept.values())


def _note(kept: dict[str, KeptSubscription], entry: JournalEntry) -> None:
    if entry.kind is not EntryKind.CALL or not entry.ok:
        return
    if entry.name == _UNSUBSCRIBE:
        kept.pop(_arguments_of(entry).get("subscription", ""), None)
    if entry.name != _SUBSCRIBE:
        return
    given = _arguments_of(entry)
    source, condition = given.get("source", ""), given.get("filter", "")
    if not source or any(_CUT in text or MASK in text for text in (source, condition)):
        raise ForkInvalidError(
            f"the subscription made at {entry.file}:{entry.line} cannot be read back from the journal; fork before it"
        )
    identifier = str(cast("object", fast_json.read(entry.value)))
    kept[identifier] = KeptSubscription(id=identifier, source=source, filter=condition)


def _arguments_of(entry: JournalEntry) -> Mapping[str, str]:
    """The named arguments as they are displayed: `{"args": […], "kwargs": {…}}`."""
    shown = cast("object", fast_json.read(entry.arguments))
    named = cast("dict[str, object]", shown).get("kwargs") if isinstance(shown, dict) else None
    if not isinstance(named, dict):
        return {}
    return {name: str(value) for name, value in cast("dict[str, object]", named).items()}
