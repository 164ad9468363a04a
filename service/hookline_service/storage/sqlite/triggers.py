"""Triggers in force, and where schedules stand."""

from __future__ import annotations

from collections.abc import Sequence

from hookline_runner import fast_json
from hookline_service.model.ids import ProjectId, TriggerId
from hookline_service.model.projects import Schedule, Trigger
from hookline_service.storage.sqlite.connection import Database, Row
from hookline_service.storage.sqlite.rows import (
    definition_row,
    schedule_of,
    schedule_row,
    trigger_of,
)
from hookline_service.storage.sqlite.tables import Tables, deployment_key


class TriggerTables(Tables):
    """See `ProjectStore` and `ScheduleStore`."""

    async def find_trigger_by_slug(self, slug: str) -> Trigger | None:
        """See `TriggerStore.find_trigger_by_slug`."""
        row = self._readers.at_once(Database.row, "find_trigger_by_slug", (slug,))
        trigger = None if row is None else trigger_of(row)
        return trigger if trigger is not None and trigger.slug is not None else None

    async def find_trigger(self, trigger_id: TriggerId) -> Trigger | None:
        """See `TriggerStore.find_trigger`."""
        row = self._readers.at_once(Database.row, "find_trigger", (trigger_id,))
        return None if row is None else trigger_of(row)

    async def list_triggers(self, project_id: ProjectId | None) -> list[Trigger]:
        """See `TriggerStore.list_triggers`."""
        rows = await self._readers.run(
            _rows_of_project, "list_triggers", "list_triggers_of_project", project_id
        )
        return [trigger_of(row) for row in rows]

    async def list_trigger_identities(
        self, project_id: ProjectId
    ) -> list[tuple[TriggerId, str, str | None]]:
        """See `TriggerStore.list_trigger_identities`."""
        rows = await self._readers.run(Database.rows, "list_trigger_identities", (project_id,))
        return [(row["id"], row["name"], row["slug"]) for row in rows]

    async def list_schedules(self, project_id: ProjectId | None = None) -> list[Schedule]:
        """See `TriggerStore.list_schedules`."""
        rows = await self._readers.run(
            _rows_of_project, "list_schedules", "list_schedules_of_project", project_id
        )
        return [schedule_of(row) for row in rows]

    async def save_schedule(self, schedule: Schedule) -> None:
        """See `TriggerStore.save_schedule`."""
        await self._writer.run(_save_schedule, schedule)


def _save_schedule(database: Database, schedule: Schedule) -> None:
    database.execute("save_schedule", schedule_row(schedule))


def _rows_of_project(
    database: Database, of_all: str, of_one: str, project_id: ProjectId | None
) -> list[Row]:
    if project_id is None:
        return database.rows(of_all)
    key: int | None = database.value("find_project_key", (project_id,))
    return database.rows(of_one, (key,))


def replace_triggers(
    database: Database,
    project: int,
    triggers: Sequence[Trigger],
    schedules: Sequence[Schedule],
) -> None:
    """Put these in force, and nothing else, for the project of this number."""
    retire_triggers(database, project)
    for trigger in triggers:
        definition = trigger.definition
        row = {
            "id": trigger.id,
            "project_key": project,
            "deployment_key": deployment_key(database, trigger.deployment_id),
            "name": definition.name,
            "slug": trigger.slug,
            "definition": definition_row(definition),
        }
        database.execute("save_trigger", row)
    ids = fast_json.write([each.trigger_id for each in schedules]).decode()
    database.execute("forget_other_schedules", (project, ids))
    for schedule in schedules:
        database.execute("put_schedule", schedule_row(schedule))


def retire_triggers(database: Database, project: int) -> None:
    """Take every trigger and schedule of the project of this number out of force."""
    database.execute("clear_schedules", (project,))
    database.execute("retire_triggers", (project,))


def step_schedule(database: Database, schedule: Schedule) -> None:
    """Move a schedule on, without touching whether it is paused."""
    database.execute("step_schedule", schedule_row(schedule))
