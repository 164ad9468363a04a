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
from hookline_service.api.naming import Names, load_names
from hookline_service.api.values import ProjectKey
from hookline_service.model.errors import TriggerNotFoundError
from hookline_service.model.ids import TriggerId
from hookline_service.model.projects import Trigger
from hookline_service.use_cases.projects import get_project
from hookline_service.use_cases.webhook_urls import webhook_url


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
)
