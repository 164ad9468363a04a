"""Events for tests."""

from __future__ import annotations

from typing import Any

from hookline_service.model.events import Event
from hookline_service.model.ids import ProjectId, new_event_id
from hookline_service.model.projects import Release, Trigger
from tests.builders.moments import next_moment


def an_event(of: Trigger | Release, **fields: Any) -> Event:
    """An event of a trigger, or a manual one of a release's project."""
    trigger = of if isinstance(of, Trigger) else None
    project_id: ProjectId = of.project_id if isinstance(of, Trigger) else of.project.id
    at = next_moment()
    defaults: dict[str, Any] = {
        "id": new_event_id(at),
        "project_id": project_id,
        "trigger_id": None if trigger is None else trigger.id,
        "source": "manual" if trigger is None else f"trigger:{trigger.id}",
        "type": "post",
        "data": b'{"method":"POST","path":"/"}',
        "body": b'{"number":7}',
        "delivery_id": None,
        "created_at": at,
    }
    return Event(**(defaults | fields))
