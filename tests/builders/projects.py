"""Projects, deployments and triggers for tests: every field has a sensible value, and may be given."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from hookline_service.model.ids import (
    ProjectId,
    build_id_of,
    new_deployment_id,
    new_project_id,
    new_trigger_id,
)
from hookline_service.model.projects import (
    Build,
    Connection,
    Deployment,
    DeploymentState,
    Project,
    Release,
    Schedule,
    StoredVariable,
    Trigger,
)
from hookline_triggers.definitions import TriggerDefinition, TriggerKind
from tests.builders.moments import START, next_moment, next_number


def a_project(**fields: Any) -> Project:
    name = fields.get("name", f"project-{next_number()}")
    defaults: dict[str, Any] = {
        "id": new_project_id(next_moment()),
        "name": name,
        "display_name": name.title(),
        "created_at": START,
        "updated_at": START,
    }
    return Project(**(defaults | fields))


def a_build(project: Project, **fields: Any) -> Build:
    digest = hashlib.sha256(f"build-{next_number()}".encode()).hexdigest()
    defaults: dict[str, Any] = {
        "id": build_id_of(digest),
        "project_id": project.id,
        "manifest": b'{"version":"v1"}',
        "environment": "env_1",
        "file_count": 2,
        "size_bytes": 2048,
        "created_at": next_moment(),
    }
    return Build(**(defaults | fields))


def a_deployment(build: Build, **fields: Any) -> Deployment:
    at = next_moment()
    defaults: dict[str, Any] = {
        "id": new_deployment_id(at),
        "project_id": build.project_id,
        "build_id": build.id,
        "state": DeploymentState.ACTIVE,
        "created_at": at,
        "activated_at": at,
    }
    return Deployment(**(defaults | fields))


def a_definition(**fields: Any) -> TriggerDefinition:
    defaults: dict[str, Any] = {
        "name": f"trigger-{next_number()}",
        "kind": TriggerKind.WEBHOOK,
        "call": "handlers.py:on_event",
    }
    return TriggerDefinition(**(defaults | fields))


def a_trigger(deployment: Deployment, **fields: Any) -> Trigger:
    definition: TriggerDefinition = fields.get("definition") or a_definition()
    is_webhook = definition.kind is TriggerKind.WEBHOOK
    trigger_id = new_trigger_id(next_moment())
    defaults: dict[str, Any] = {
        "id": trigger_id,
        "project_id": deployment.project_id,
        "deployment_id": deployment.id,
        "definition": definition,
        "slug": f"slug-of-{trigger_id}" if is_webhook else None,
    }
    return Trigger(**(defaults | fields))


def a_schedule(trigger: Trigger, **fields: Any) -> Schedule:
    defaults: dict[str, Any] = {
        "trigger_id": trigger.id,
        "project_id": trigger.project_id,
        "next_fire_at": START,
    }
    return Schedule(**(defaults | fields))


def a_variable(project_id: ProjectId, **fields: Any) -> StoredVariable:
    defaults: dict[str, Any] = {
        "project_id": project_id,
        "scope": "",
        "name": f"VARIABLE_{next_number()}",
        "value": b"value",
        "is_secret": False,
        "description": "",
        "updated_at": START,
    }
    return StoredVariable(**(defaults | fields))


def a_release(
    project: Project | None = None,
    *,
    build: Build | None = None,
    definitions: Sequence[TriggerDefinition] = (),
    **fields: Any,
) -> Release:
    """A deploy of a project: a fresh build and deployment with a trigger for each definition."""
    project = project or a_project()
    build = build or a_build(project)
    deployment = a_deployment(build, project_id=project.id)
    triggers = tuple(a_trigger(deployment, definition=each) for each in definitions)
    defaults: dict[str, Any] = {
        "project": project,
        "build": build,
        "archive": b"archive of " + build.id.encode(),
        "deployment": deployment,
        "triggers": triggers,
        "schedules": tuple(
            a_schedule(each) for each in triggers if each.definition.kind is TriggerKind.SCHEDULE
        ),
        "connections": (),
        "variables_set": (),
        "variables_deleted": (),
    }
    return Release(**(defaults | fields))


def a_connection(project_id: ProjectId, **fields: Any) -> Connection:
    defaults: dict[str, Any] = {"project_id": project_id, "name": "chat", "integration": "slack"}
    return Connection(**(defaults | fields))
