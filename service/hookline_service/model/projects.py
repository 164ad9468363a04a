"""Projects, their variables, builds and deployments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hookline_service.model.ids import BuildId, DeploymentId, ProjectId, TriggerId
from hookline_triggers.definitions import TriggerDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A named set of files, variables, connections and triggers."""

    id: ProjectId
    name: str
    display_name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVariable:
    """A variable as the store keeps it.

    `scope` is "" for the project's own variables and the connection's name for a connection's.
    `value` is plain UTF-8 for a plain variable; for a secret it is the sealed box of `storage`'s
    callers (see `use_cases.secrets`), which the store never opens.
    """

    project_id: ProjectId
    scope: str
    name: str
    value: bytes
    is_secret: bool
    description: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A named link to an outside system; here only its declaration."""

    project_id: ProjectId
    name: str
    integration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """An immutable, content-addressed snapshot of a project.

    `manifest` is the canonical JSON of the parsed manifest, `environment` the id of the Python
    environment (a hash of interpreter and requirements), `archive` is kept apart: see `BuildStore`.
    """

    id: BuildId
    project_id: ProjectId
    manifest: bytes
    environment: str
    file_count: int
    size_bytes: int
    created_at: datetime


class DeploymentState(StrEnum):
    """Life cycle of a deployment; at most one of a project is `ACTIVE`."""

    ACTIVE = "active"
    TESTING = "testing"
    DRAINING = "draining"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A build in a life-cycle state."""

    id: DeploymentId
    project_id: ProjectId
    build_id: BuildId
    state: DeploymentState
    created_at: datetime
    activated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger definition in force for a project; `slug` is set for webhooks and kept by name.

    `deployment_id` is the deployment whose manifest brought this definition.
    """

    id: TriggerId
    project_id: ProjectId
    deployment_id: DeploymentId
    definition: TriggerDefinition
    slug: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Where a schedule trigger stands.

    `next_fire_at` is the nominal time of the fire not yet done. `buffered` holds nominal times of fires
    that wait for an earlier session to end, oldest first.
    """

    trigger_id: TriggerId
    project_id: ProjectId
    next_fire_at: datetime | None
    last_fire_at: datetime | None = None
    paused: bool = False
    pause_reason: str = ""
    buffered: tuple[datetime, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Everything one deploy writes, applied in one transaction by `DeploymentStore.apply_release`."""

    project: Project
    build: Build
    archive: bytes
    deployment: Deployment
    triggers: tuple[Trigger, ...]
    schedules: tuple[Schedule, ...]
    connections: tuple[Connection, ...]
    variables_set: tuple[StoredVariable, ...]
    variables_deleted: tuple[tuple[str, str], ...]
