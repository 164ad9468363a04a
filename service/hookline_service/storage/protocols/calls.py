"""What sessions ask of the service while they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hookline_service.model.calls import CallResult, Outcome, SessionCall, Subscription, Wait
from hookline_service.model.ids import EventId, SessionId, SubscriptionId


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
        (`SessionFinalError`, `SessionNotFoundError`) and nothing is written. Order is that of `JournalStore.append_soon`.
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

    async def list_waits(self, session_ids: Sequence[SessionId]) -> list[Wait]:
        """What these sessions wait for besides a time, while they are waiting; by session and topic."""
        ...
