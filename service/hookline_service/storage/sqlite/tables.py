"""What the parts of the store have in common."""

from __future__ import annotations

from hookline_service.model.errors import (
    BuildNotFoundError,
    DeploymentNotFoundError,
    EventNotFoundError,
    ProjectNotFoundError,
    TriggerNotFoundError,
)
from hookline_service.model.ids import BuildId, DeploymentId, EventId, ProjectId, TriggerId
from hookline_service.storage.sqlite.connection import Database
from hookline_service.storage.sqlite.readers import Readers
from hookline_service.storage.sqlite.writer import Writer

ABOVE_EVERY_ID = "~"


class Tables:
    """A part of the store: it writes by the one writer and reads by the readers."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers


def project_key(database: Database, project_id: ProjectId) -> int:
    """The number of a project; raises `ProjectNotFoundError`."""
    key = database.find_key("find_project_key", project_id)
    if key is None:
        raise ProjectNotFoundError(project_id)
    return key


def build_key(database: Database, build_id: BuildId) -> int:
    """The number of a build; raises `BuildNotFoundError`."""
    key = database.find_key("find_build_key", build_id)
    if key is None:
        raise BuildNotFoundError(build_id)
    return key


def deployment_key(database: Database, deployment_id: DeploymentId | None) -> int | None:
    """The number of a deployment, if one is named; raises `DeploymentNotFoundError`."""
    if deployment_id is None:
        return None
    key = database.find_key("find_deployment_key", deployment_id)
    if key is None:
        raise DeploymentNotFoundError(deployment_id)
    return key


def trigger_key(database: Database, trigger_id: TriggerId | None) -> int | None:
    """The number of a trigger, if one is named; raises `TriggerNotFoundError`."""
    if trigger_id is None:
        return None
    key = database.find_key("find_trigger_key", trigger_id)
    if key is None:
        raise TriggerNotFoundError(trigger_id)
    return key


def event_key(database: Database, event_id: EventId | None) -> int | None:
    """The number of an event, if one is named; raises `EventNotFoundError`."""
    if event_id is None:
        return None
    key = database.find_key("find_event_key", event_id)
    if key is None:
        raise EventNotFoundError(event_id)
    return key
