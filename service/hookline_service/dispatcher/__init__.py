"""Decides what an event starts, and records both in one transaction."""

from __future__ import annotations

from hookline_service.dispatcher.answers import AnswerBoard
from hookline_service.dispatcher.events import Dispatcher
from hookline_service.dispatcher.hearing import Switchboard
from hookline_service.dispatcher.routes import Route, RouteTable
from hookline_service.dispatcher.subscriptions import SubscriptionTable
from hookline_service.dispatcher.ticker import ScheduleTicker

__all__ = [
    "AnswerBoard",
    "Dispatcher",
    "Route",
    "RouteTable",
    "ScheduleTicker",
    "SubscriptionTable",
    "Switchboard",
]
