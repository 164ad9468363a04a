"""Tests of a project, without a service: see docs/sdk.md, "Testing your project".

The fixture `hookline_project` of the pytest plug-in gives a `Project`; without pytest it is a context manager.
"""

from __future__ import annotations

from hookline.testing.fakes import Call, Fake
from hookline.testing.hosting import EndlessError
from hookline.testing.project import Project
from hookline.testing.rooms import replay
from hookline.testing.sample_events import tick_event, webhook_event
from hookline.testing.session import (
    ActivityRun,
    Response,
    Session,
    StillWaitingError,
    StuckHandlerError,
)

__all__ = [
    "ActivityRun",
    "Call",
    "EndlessError",
    "Fake",
    "Project",
    "Response",
    "Session",
    "StillWaitingError",
    "StuckHandlerError",
    "replay",
    "tick_event",
    "webhook_event",
]
