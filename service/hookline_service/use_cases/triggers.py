"""Finding triggers by what people call them."""

from __future__ import annotations

from hookline_service.model.errors import TriggerNotFoundError
from hookline_service.model.ids import TriggerId
from hookline_service.model.likeness import nearest
from hookline_service.model.projects import Project, Trigger
from hookline_service.storage.protocols import Store, TriggerStore


async def get_trigger(store: TriggerStore, project: Project, key: str) -> Trigger:
    """The project's trigger in force with this name or id.

    Raises:
        TriggerNotFoundError: there is none.
    """
    triggers = await store.list_triggers(project.id)
    for trigger in triggers:
        if key in {trigger.definition.name, trigger.id}:
            return trigger
    raise TriggerNotFoundError(key, nearest(key, (each.definition.name for each in triggers)))


async def find_trigger_id(store: Store, key: str, project: Project | None) -> TriggerId:
    """The id of the trigger with this name or id, also of one that is no longer in force.

    Raises:
        TriggerNotFoundError: there never was one; or, without a project, several projects have one.
    """
    projects = [project] if project is not None else await store.list_projects()
    known = [one for each in projects for one in await store.list_trigger_identities(each.id)]
    found = {trigger_id for trigger_id, name, _ in known if key in {name, trigger_id}}
    if len(found) != 1:
        near = "" if found else nearest(key, (name for _, name, _ in known))
        raise TriggerNotFoundError(key, near)
    return found.pop()
