"""Names for ids: answers show the names of projects and triggers."""

from __future__ import annotations

from collections.abc import Iterable

from hookline_service.model.ids import ProjectId, TriggerId
from hookline_service.storage.protocols import Store


class Names:
    """Names of the projects asked for, and of all their triggers."""

    __slots__ = ("_projects", "_triggers")

    def __init__(self, projects: dict[ProjectId, str], triggers: dict[TriggerId, str]) -> None:
        self._projects = projects
        self._triggers = triggers

    def project(self, project_id: ProjectId) -> str:
        """The project's name; its id when it is gone."""
        return self._projects.get(project_id, project_id)

    def trigger(self, trigger_id: TriggerId | None) -> str | None:
        """The trigger's name, None for none; its id when it is gone."""
        return None if trigger_id is None else self._triggers.get(trigger_id, trigger_id)


async def load_names(store: Store, project_ids: Iterable[ProjectId]) -> Names:
    """Names for things of these projects."""
    wanted = set(project_ids)
    if not wanted:
        return Names({}, {})
    projects = {
        project.id: project.name for project in await store.list_projects() if project.id in wanted
    }
    triggers: dict[TriggerId, str] = {}
    for project_id in wanted:
        identities = await store.list_trigger_identities(project_id)
        triggers.update({trigger_id: name for trigger_id, name, _ in identities})
    return Names(projects, triggers)
