"""Triggers in force, and their schedules."""

from __future__ import annotations

from typing import Protocol

from hookline_service.model.ids import ProjectId, TriggerId
from hookline_service.model.projects import Schedule, Trigger


class TriggerStore(Protocol):
    """Triggers in force, with where their schedules stand."""

    async def find_trigger_by_slug(self, slug: str) -> Trigger | None:
        """The webhook trigger in force with this slug."""
        ...

    async def find_trigger(self, trigger_id: TriggerId) -> Trigger | None:
        """The trigger in force."""
        ...

    async def list_triggers(self, project_id: ProjectId | None) -> list[Trigger]:
        """Triggers in force, by project and name."""
        ...

    async def list_trigger_identities(
        self, project_id: ProjectId
    ) -> list[tuple[TriggerId, str, str | None]]:
        """(id, name, slug) of every trigger the project ever had, so that names keep ids and slugs."""
        ...

    async def list_schedules(self, project_id: ProjectId | None = None) -> list[Schedule]:
        """All schedules in force."""
        ...

    async def save_schedule(self, schedule: Schedule) -> None:
        """Replace the row of this trigger; nothing happens when the trigger is no longer in force."""
        ...
