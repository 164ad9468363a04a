"""From a manifest to the rows that put its triggers and connections in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from hookline_service.manifest.values import Manifest
from hookline_service.model.ids import DeploymentId, ProjectId, TriggerId, new_trigger_id
from hookline_service.model.projects import Connection, Schedule, Trigger
from hookline_service.use_cases.webhook_urls import new_slug
from hookline_triggers.cron import parse_schedule
from hookline_triggers.definitions import TriggerDefinition, TriggerKind

Identity = tuple[TriggerId, str, str | None]


def triggers_of_manifest(
    definitions: Iterable[TriggerDefinition],
    identities: Iterable[Identity],
    *,
    project_id: ProjectId,
    deployment_id: DeploymentId,
    now: datetime,
) -> tuple[Trigger, ...]:
    """Triggers for these definitions; a name that the project knew keeps its id, and a webhook its slug."""
    known = {name: (trigger_id, slug) for trigger_id, name, slug in identities}
    triggers: list[Trigger] = []
    for definition in definitions:
        trigger_id, slug = known.get(definition.name) or (new_trigger_id(now), None)
        is_webhook = definition.kind is TriggerKind.WEBHOOK
        triggers.append(
            Trigger(
                id=trigger_id,
                project_id=project_id,
                deployment_id=deployment_id,
                definition=definition,
                slug=(slug or new_slug()) if is_webhook else None,
            )
        )
    return tuple(triggers)


def set_schedules(
    triggers: Iterable[Trigger],
    former: Mapping[TriggerId, tuple[Trigger, Schedule]],
    now: datetime,
) -> tuple[Schedule, ...]:
    """Rows for the schedules among the triggers.

    One whose times did not change goes on where it stood; any other fires next at the first time after `now`.
    One that was paused stays so.
    """
    rows: list[Schedule] = []
    for trigger in triggers:
        if trigger.definition.kind is not TriggerKind.SCHEDULE:
            continue
        standing = former.get(trigger.id)
        if standing and _times_of(standing[0].definition) == _times_of(trigger.definition):
            rows.append(standing[1])
            continue
        rows.append(
            Schedule(
                trigger_id=trigger.id,
                project_id=trigger.project_id,
                next_fire_at=first_fire(trigger.definition, now),
                last_fire_at=standing[1].last_fire_at if standing else None,
                paused=standing[1].paused if standing else False,
                pause_reason=standing[1].pause_reason if standing else "",
            )
        )
    return tuple(rows)


def declared_connections(manifest: Manifest, project_id: ProjectId) -> tuple[Connection, ...]:
    """The connections of a manifest, as the project's."""
    return tuple(
        Connection(project_id=project_id, name=one.name, integration=one.integration)
        for one in manifest.connections
    )


def first_fire(definition: TriggerDefinition, after: datetime) -> datetime | None:
    """The first nominal fire after a time; None when there is none any more.

    Raises:
        ScheduleInvalidError, TimezoneUnknownError: the definition has no meaning.
    """
    expression = parse_schedule(definition.schedule, definition.timezone)
    return expression.next_after(after, definition.policies.dst)


def _times_of(definition: TriggerDefinition) -> tuple[str, str, str]:
    return definition.schedule, definition.timezone, definition.policies.dst
