"""Who hears what happens to sessions while and when they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from hookline_service.model.calls import Outcome, Subscription
from hookline_service.model.ids import SessionId, SubscriptionId
from hookline_service.model.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """A session that is final now.

    `answer` is what its function returned, as JSON text of `hookline.values`, if it was asked for and can be one.
    `successor` is the session that tries the same again.
    """

    session: Session
    answer: bytes | None = None
    successor: Session | None = None


class EngineListener(Protocol):
    """Told on the event loop once it is on disk, in the order of the commits; must not block."""

    def session_ended(self, end: SessionEnd) -> None:
        """A session came to a final state; with it ended its subscriptions."""
        ...

    def subscription_began(self, subscription: Subscription) -> None:
        """Events from now on are for this subscription, too."""
        ...

    def subscription_ended(self, subscription_id: SubscriptionId, session_id: SessionId) -> None:
        """The session wants no more events by this subscription, if it is its own."""
        ...

    def outcome_recorded(self, outcome: Outcome) -> None:
        """A session gave an event an outcome."""
        ...


class _Nobody:
    """Hears nothing."""

    def session_ended(self, end: SessionEnd) -> None:
        """See `EngineListener.session_ended`."""

    def subscription_began(self, subscription: Subscription) -> None:
        """See `EngineListener.subscription_began`."""

    def subscription_ended(self, subscription_id: SubscriptionId, session_id: SessionId) -> None:
        """See `EngineListener.subscription_ended`."""

    def outcome_recorded(self, outcome: Outcome) -> None:
        """See `EngineListener.outcome_recorded`."""


NOBODY: Final = _Nobody()
