"""Hookline for the author of a project: everything that user code imports.

Outside a session all of it is inert: decorators mark, `sleep` sleeps, so a project's functions can be
imported and tested without a service.
"""

from __future__ import annotations

from hookline import errors
from hookline.activities import activity, inhibit_activities, register_no_activity
from hookline.attr_dict import AttrDict
from hookline.errors import HooklineError
from hookline.events import Event
from hookline.waiting import sleep
from hookline.webhooks import get_webhook_url

__all__ = [
    "AttrDict",
    "Event",
    "HooklineError",
    "activity",
    "errors",
    "get_webhook_url",
    "inhibit_activities",
    "register_no_activity",
    "sleep",
]
