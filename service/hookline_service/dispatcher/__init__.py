"""Decides what an event starts, and records both in one transaction."""

from __future__ import annotations

from hookline_service.dispatcher.answers import OutcomeBroker
from hookline_service.dispatcher.engine_events import EngineEvents
from hookline_service.dispatcher.events import Dispatcher
from hookline_service.dispatcher.routes import Route, RouteTable
from hookline_service.dispatcher.subscriptions import SubscriptionTable
from hookline_service.dispatcher.ticker import ScheduleTicker

__all__ = [
    "Dispatcher",
    "EngineEvents",
    "OutcomeBroker",
    "Route",
    "RouteTable",
    "ScheduleTicker",
    "SubscriptionTable",
]
