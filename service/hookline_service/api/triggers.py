"""Routes of triggers."""

from __future__ import annotations

from typing import Any

from hookline_service.api.endpoints import (
    Answer,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    NoQuery,
    PageQuery,
)
from hookline_service.api.names import Names, load_names
from hookline_service.api.values import ProjectKey
from hookline_service.model.errors import TriggerNotFoundError
from hookline_service.model.ids import TriggerId
from hookline_service.model.projects import Trigger
from hookline_service.use_cases.projects import get_project
from hookline_service.use_cases.trigger_matches import MatchReader
from hookline_service.use_cases.webhook_urls import webhook_url
from hookline_triggers.match_summary import MatchSummary, NearestMiss, describe_matches


class TriggersQuery(PageQuery):
    """Which triggers."""

    project: ProjectKey | None = None


class TriggerAnswer(Answer):
    """A trigger in force; `url` is set for webhooks."""

    id: str
    project: str
    deployment: str
    name: str
    kind: str
    call: str
    event_type: str
    filter: str
    schedule: str
    timezone: str
    connection: str
    durable: bool
    sync: bool
    overlap: str
    catchup_s: float
    jitter_s: float
    pause_on_failure: bool
    retries: int
    timeout_s: float | None
    concurrency: int | None
    dedupe: str
    url: str | None


class TriggerPage(Answer):
    """Triggers in force, by project and name."""

    items: list[TriggerAnswer]
    next: str | None = None


class ShownField(Answer):
    """A field that a condition names, and what it is, if it is no secret: `"push"`, `a list of 3`, `missing: …`."""

    path: str
    view: str


class NearestMissAnswer(Answer):
    """The newest event for which the most conditions of the filter held, and the first condition that did not.

    `reason` is `false`, or what went wrong; `note` says why the values cannot be equal, or how little they differ.
    """

    event: str
    held: int
    condition: str
    reason: str
    fields: list[ShownField]
    note: str


class ConditionAnswer(Answer):
    """A part of the filter, and for how many of the events it held that were not taken."""

    text: str
    held: int


class TypeAnswer(Answer):
    """A type of events, and how many came."""

    type: str
    events: int


class TriggerMatchesAnswer(Answer):
    """What the trigger's type and filter, as they are now, make of the events that came to its source.

    `events` came in these `hours`, the newest of more when `cut`; `of_type` have the type that it wants; the newest `judged` of these
    were shown to its filter, which took `matched`, and was too much work on `unjudged`. `summary` says the same in words, line by line.
    """

    hours: int
    events: int
    cut: bool
    types: list[TypeAnswer]
    of_type: int
    judged: int
    matched: int
    unjudged: int
    conditions: list[ConditionAnswer]
    nearest_miss: NearestMissAnswer | None
    summary: list[str]


async def list_triggers(call: Call[TriggersQuery, NoBody]) -> TriggerPage:
    """Triggers in force."""
    store = call.services.store
    key = call.query.project
    project_id = (await get_project(store, key)).id if key else None
    triggers = await store.list_triggers(project_id)
    names = await load_names(store, (trigger.project_id for trigger in triggers))
    base_url = call.services.settings.base_url
    return TriggerPage(items=[_answer(trigger, names, base_url) for trigger in triggers])


async def show_trigger(call: Call[NoQuery, NoBody]) -> TriggerAnswer:
    """One trigger in force."""
    store = call.services.store
    trigger = await store.find_trigger(TriggerId(call.path["trigger"]))
    if trigger is None:
        raise TriggerNotFoundError(call.path["trigger"])
    names = await load_names(store, [trigger.project_id])
    return _answer(trigger, names, call.services.settings.base_url)


async def show_trigger_matches(call: Call[NoQuery, NoBody]) -> TriggerMatchesAnswer:
    """What a trigger makes of the events of the last day."""
    services = call.services
    trigger = await services.store.find_trigger(TriggerId(call.path["trigger"]))
    if trigger is None:
        raise TriggerNotFoundError(call.path["trigger"])
    reader = MatchReader(store=services.store, surveyor=services.surveyor, box=services.box)
    return _matches_answer(await reader.read(trigger, services.clock.now()))


def _matches_answer(found: MatchSummary) -> TriggerMatchesAnswer:
    return TriggerMatchesAnswer(
        hours=found.hours,
        events=found.events,
        cut=found.is_cut,
        types=[TypeAnswer(type=each.type, events=each.events) for each in found.types],
        of_type=found.of_type,
        judged=found.judged,
        matched=found.matched,
        unjudged=found.unjudged,
        conditions=[
            ConditionAnswer(text=text, held=held)
            for text, held in zip(found.conditions, found.held, strict=True)
        ],
        nearest_miss=None if found.nearest is None else _nearest_answer(found.nearest),
        summary=list(describe_matches(found)),
    )


def _nearest_answer(nearest: NearestMiss) -> NearestMissAnswer:
    miss = nearest.miss
    return NearestMissAnswer(
        event=nearest.event_id,
        held=nearest.held,
        condition=miss.condition,
        reason=miss.reason,
        fields=[ShownField(path=each.path, view=each.view) for each in miss.fields],
        note=miss.note,
    )


def _answer(trigger: Trigger, names: Names, base_url: str) -> TriggerAnswer:
    written = trigger.definition
    policies = written.policies
    fields: dict[str, Any] = {
        name: getattr(written, name)
        for name in ("name", "call", "event_type", "filter", "schedule", "timezone", "connection")
    }
    return TriggerAnswer(
        **fields,
        id=trigger.id,
        project=names.project(trigger.project_id),
        deployment=trigger.deployment_id,
        kind=written.kind,
        durable=written.is_durable,
        sync=written.is_sync,
        overlap=policies.overlap,
        catchup_s=policies.catchup_s,
        jitter_s=policies.jitter_s,
        pause_on_failure=policies.pause_on_failure,
        retries=written.retries.max_attempts - 1,
        timeout_s=written.timeout_s,
        concurrency=written.concurrency,
        dedupe=written.dedupe,
        url=webhook_url(base_url, trigger.slug) if trigger.slug else None,
    )


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/triggers",
        summary="Active triggers, by project and name",
        handle=list_triggers,
        query=TriggersQuery,
        body=NoBody,
        answer=TriggerPage,
    ),
    Endpoint(
        method="GET",
        path="/triggers/{trigger}",
        summary="One active trigger",
        handle=show_trigger,
        query=NoQuery,
        body=NoBody,
        answer=TriggerAnswer,
    ),
    Endpoint(
        method="GET",
        path="/triggers/{trigger}/matches",
        summary="What an active trigger makes of the events of the last day, and the nearest miss",
        handle=show_trigger_matches,
        query=NoQuery,
        body=NoBody,
        answer=TriggerMatchesAnswer,
    ),
)
