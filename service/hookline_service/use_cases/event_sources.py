"""Finding the source that a person means: a trigger, or a connection."""

from __future__ import annotations

from dataclasses import dataclass

from hookline.errors import ConflictError, InvalidError, NotFoundError
from hookline_service.model.errors import TriggerNotFoundError
from hookline_service.model.likeness import meant, nearest
from hookline_service.model.projects import Connection, Project, Trigger
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.triggers import get_trigger


class SourceChoiceError(InvalidError):
    """A request names no source of an event, or several."""

    code = "event.source_invalid"

    def __init__(self) -> None:
        super().__init__("name one source: `trigger`, `connection`, or `source` for either")


class EventSourceNotFoundError(NotFoundError):
    """The project has no trigger and no connection of this name."""

    code = "event.source_not_found"

    def __init__(self, project: str, name: str, near: str = "") -> None:
        super().__init__(
            f"project {project!r} has no trigger and no connection {name!r}{meant(near)}"
        )


class EventSourceAmbiguousError(ConflictError):
    """The project has a trigger and a connection of this name."""

    code = "event.source_ambiguous"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is a trigger and a connection; say `trigger` or `connection`")


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSource:
    """What a person named; exactly one is given. A trigger may be named by its id."""

    trigger: str | None
    connection: str | None
    either: str | None


async def find_source(store: Store, project: Project, wanted: WantedSource) -> Trigger | Connection:
    """The trigger in force or the connection that is meant.

    Raises:
        SourceChoiceError: none or several are named.
        TriggerNotFoundError, EventSourceNotFoundError: there is none.
        EventSourceAmbiguousError: a trigger and a connection have the name.
    """
    match (wanted.trigger, wanted.connection, wanted.either):
        case (str(name), None, None):
            return await get_trigger(store, project, name)
        case (None, str(name), None):
            found = await _find_connection(store, project, name)
            if found is None:
                names = [each.name for each in await store.list_connections(project.id)]
                raise EventSourceNotFoundError(project.name, name, nearest(name, names))
            return found
        case (None, None, str(name)):
            return await _find_either(store, project, name)
        case _:
            raise SourceChoiceError


async def _find_either(store: Store, project: Project, name: str) -> Trigger | Connection:
    connection = await _find_connection(store, project, name)
    try:
        trigger = await get_trigger(store, project, name)
    except TriggerNotFoundError:
        if connection is None:
            names = [each.definition.name for each in await store.list_triggers(project.id)]
            names += [each.name for each in await store.list_connections(project.id)]
            near = nearest(name, names)
            raise EventSourceNotFoundError(project.name, name, near) from None
        return connection
    if connection is not None:
        raise EventSourceAmbiguousError(name)
    return trigger


async def _find_connection(store: Store, project: Project, name: str) -> Connection | None:
    connections = await store.list_connections(project.id)
    return next((each for each in connections if each.name == name), None)
