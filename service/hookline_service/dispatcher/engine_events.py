"""What the engine tells, passed on to everybody here whom it concerns."""

from __future__ import annotations

from collections.abc import Callable

from hookline_service.dispatcher.answers import OutcomeBroker
from hookline_service.dispatcher.subscriptions import SubscriptionTable
from hookline_service.engine.listener import SessionEnd
from hookline_service.model.calls import Outcome, Subscription
from hookline_service.model.ids import SessionId, SubscriptionId
from hookline_service.model.sessions import Session


class EngineEvents:
    """See `EngineListener`."""

    def __init__(self, subscriptions: SubscriptionTable, answers: OutcomeBroker) -> None:
        self._subscriptions = subscriptions
        self._answers = answers
        self._when_ended: list[Callable[[Session], None]] = []

    def on_end(self, callback: Callable[[Session], None]) -> None:
        """Call back for each session that ends."""
        self._when_ended.append(callback)

    def session_ended(self, end: SessionEnd) -> None:
        """See `EngineListener.session_ended`."""
        self._subscriptions.remove_session(end.session.id)
        self._answers.session_ended(end)
        for callback in self._when_ended:
            callback(end.session)

    def subscription_began(self, subscription: Subscription) -> None:
        """See `EngineListener.subscription_began`."""
        self._subscriptions.add(subscription)

    def subscription_ended(self, subscription_id: SubscriptionId, session_id: SessionId) -> None:
        """See `EngineListener.subscription_ended`."""
        self._subscriptions.remove(subscription_id, session_id)

    def outcome_recorded(self, outcome: Outcome) -> None:
        """See `EngineListener.outcome_recorded`."""
        self._answers.outcome_recorded(outcome)
