"""Subscriptions of sessions, at hand for every event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import anyio.lowlevel

from hookline_service.dispatcher.judging import Judge
from hookline_service.dispatcher.plans import EventFacts
from hookline_service.model.calls import Subscription
from hookline_service.model.ids import ProjectId, SessionId, SubscriptionId
from hookline_service.storage.protocols import CallStore
from hookline_triggers.errors import FilterInvalidError
from hookline_triggers.filters import Filter, compile_filter

_PAGE: Final = 1_000
_FILTERS_AT_ONCE: Final = 20


@dataclass(slots=True)
class _Group:
    """Subscriptions to one source with the same filter. `compiled` is made when it is first asked."""

    filter: str
    compiled: Filter | None = None
    members: dict[SubscriptionId, SessionId] = field(
        default_factory=dict[SubscriptionId, SessionId]
    )

    def judged(self) -> Filter | None:
        """The filter; None if it is none, for it was checked by another version when the subscription began."""
        if self.compiled is None:
            try:
                self.compiled = compile_filter(self.filter)
            except FilterInvalidError:
                return None
        return self.compiled


class SubscriptionTable:
    """Every subscription in force, by source and filter. Loaded once, kept current by what the engine tells."""

    def __init__(self) -> None:
        self._places: dict[tuple[ProjectId, str], dict[str, _Group]] = {}
        self._by_id: dict[SubscriptionId, Subscription] = {}
        self._by_session: dict[SessionId, set[SubscriptionId]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def has_filters(self) -> bool:
        """Whether any subscription has a filter."""
        return any(subscription.filter for subscription in self._by_id.values())

    async def load(self, store: CallStore) -> None:
        """Take over what an earlier process left; to be done before any event comes."""
        after: SubscriptionId | None = None
        while page := await store.list_subscriptions(after, _PAGE):
            after = page[-1].id
            for subscription in page:
                self.add(subscription)

    def add(self, subscription: Subscription) -> None:
        """From now on events of its source are for it."""
        place = self._places.setdefault((subscription.project_id, subscription.source), {})
        group = place.setdefault(subscription.filter, _Group(subscription.filter))
        group.members[subscription.id] = subscription.session_id
        self._by_id[subscription.id] = subscription
        self._by_session.setdefault(subscription.session_id, set()).add(subscription.id)

    def remove(self, subscription_id: SubscriptionId, session_id: SessionId) -> None:
        """Forget one, if it is the session's own."""
        subscription = self._by_id.get(subscription_id)
        if subscription is None or subscription.session_id != session_id:
            return
        del self._by_id[subscription_id]
        own = self._by_session[session_id]
        own.discard(subscription_id)
        if not own:
            del self._by_session[session_id]
        key = (subscription.project_id, subscription.source)
        place = self._places[key]
        members = place[subscription.filter].members
        del members[subscription_id]
        if not members:
            del place[subscription.filter]
        if not place:
            del self._places[key]

    def remove_session(self, session_id: SessionId) -> None:
        """Forget all of a session that has ended."""
        for subscription_id in tuple(self._by_session.get(session_id, ())):
            self.remove(subscription_id, session_id)

    async def find(
        self,
        project_id: ProjectId,
        source: str,
        facts: EventFacts,
        judge: Judge,
    ) -> list[SubscriptionId]:
        """The subscriptions to this source which the event passes.

        Each filter is asked once, and the event's data are read only if one asks. With many filters others have their turn
        in between. Raises as `Judge.explain`.
        """
        found: list[SubscriptionId] = []
        groups = self._places.get((project_id, source), {}).values()
        for number, group in enumerate(tuple(groups), start=1):
            if await _takes(group, project_id, facts, judge):
                found += group.members
            if number % _FILTERS_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        return found


async def _takes(group: _Group, project_id: ProjectId, facts: EventFacts, judge: Judge) -> bool:
    if not group.filter:
        return True
    made = group.judged()
    if made is None:
        return False
    explained = await judge.explain(
        project_id, made, facts.type, lambda: facts.data, facts.size_bytes
    )
    return explained.is_match
