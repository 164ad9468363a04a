"""Hookline for the author of a project: everything that user code imports.

Outside a session all of it is harmless: decorators mark, `sleep` sleeps, the store is one in memory, and nothing ever comes. So a
project's functions can be imported, called and tested without a service; see `hookline.testing`.
"""

from __future__ import annotations

from hookline import aio, errors
from hookline.activities import activity, inhibit_activities, register_no_activity
from hookline.answers import http_outcome, outcome
from hookline.attr_dict import AttrDict
from hookline.errors import CallRefusedError, HooklineError
from hookline.events import Event, next_event, subscribe, unsubscribe
from hookline.sessions import Signal, next_signal, signal, start
from hookline.store_api import (
    add_values,
    check_and_set_value,
    del_value,
    get_store_public_url,
    get_value,
    list_values_keys,
    mutate_value,
    publish_value,
    set_value,
    store,
    unpublish_value,
)
from hookline.waiting import sleep
from hookline.webhooks import get_webhook_url

__all__ = [
    "AttrDict",
    "CallRefusedError",
    "Event",
    "HooklineError",
    "Signal",
    "activity",
    "add_values",
    "aio",
    "check_and_set_value",
    "del_value",
    "errors",
    "get_store_public_url",
    "get_value",
    "get_webhook_url",
    "http_outcome",
    "inhibit_activities",
    "list_values_keys",
    "mutate_value",
    "next_event",
    "next_signal",
    "outcome",
    "publish_value",
    "register_no_activity",
    "set_value",
    "signal",
    "sleep",
    "start",
    "store",
    "subscribe",
    "unpublish_value",
    "unsubscribe",
]
