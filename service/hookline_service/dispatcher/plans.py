"""What an event starts, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from hookline_runner import fast_json
from hookline_service.dispatcher.judging import Judge
from hookline_service.model.events import Event
from hookline_service.model.projects import Deployment, DeploymentState, Trigger
from hookline_service.model.sessions import Session, new_session
from hookline_triggers.definitions import TriggerDefinition
from hookline_triggers.filters import Explanation, compile_filter
from hookline_triggers.matching import data_for_filters

_TOLD = 20  # reasons in one text


class EventFacts:
    """An event as filters see it; its data are read when the first filter asks."""

    def __init__(self, event: Event) -> None:
        self.event = event

    @property
    def type(self) -> str:
        """The event's type."""
        return self.event.type

    @property
    def size_bytes(self) -> int:
        """How large it is, about."""
        return len(self.event.data) + len(self.event.body or b"")

    @cached_property
    def data(self) -> Mapping[str, Any]:  # Any: JSON of any shape
        """The event's data in the shape that filters see."""
        return data_for_filters(fast_json.read(self.event.data), self.event.body)


async def rejection_reason(
    definition: TriggerDefinition, deployment: Deployment, facts: EventFacts, judge: Judge
) -> str:
    """Why the event starts nothing by this trigger; "" when it does. Raises as `Judge.explain`."""
    if not definition.call:
        return "the trigger has no entry point (`call`)"
    if deployment.state not in (DeploymentState.ACTIVE, DeploymentState.TESTING):
        return f"deployment {deployment.id} is {deployment.state}"
    if definition.event_type not in ("", "*", facts.type):
        return f"the event's type is {facts.type!r}, not {definition.event_type!r}"
    explained = await _explain(definition, facts, judge)
    return "" if explained.is_match else f"filter: {explained.reason}"


async def passes_filter(definition: TriggerDefinition, facts: EventFacts, judge: Judge) -> bool:
    """Whether the trigger's filter lets the event pass, whatever its type. Raises as `Judge.explain`."""
    return (await _explain(definition, facts, judge)).is_match


async def _explain(definition: TriggerDefinition, facts: EventFacts, judge: Judge) -> Explanation:
    if definition.filter in ("", "."):
        return Explanation(is_match=True)
    event = facts.event
    made = compile_filter(definition.filter)
    return await judge.explain(
        event.project_id, made, facts.type, lambda: facts.data, facts.size_bytes
    )


def session_for(
    trigger: Trigger, deployment: Deployment, event: Event, scheduled_for: datetime | None = None
) -> Session:
    """The session that the event starts by this trigger, not yet recorded."""
    definition = trigger.definition
    session = new_session(
        deployment, definition.call, event.created_at, is_durable=definition.is_durable
    )
    return replace(session, trigger_id=trigger.id, event_id=event.id, scheduled_for=scheduled_for)


def joined_reasons(reasons: Sequence[tuple[str, str]]) -> str:
    """The reasons of several triggers, as pairs of name and reason, in one text; of very many, the first ones."""
    told = [f"trigger {name!r}: {reason}" for name, reason in reasons[:_TOLD]]
    if len(reasons) > _TOLD:
        told.append(f"and {len(reasons) - _TOLD} more")
    return "; ".join(told)
