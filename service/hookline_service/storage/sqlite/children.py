"""Children that have not begun: how many a project may have, counted without reading them at each start."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from hookline_service.model.calls import StartSession
from hookline_service.model.errors import TooManyChildrenError
from hookline_service.model.sealing import Finds
from hookline_service.storage.sqlite.connection import Database
from hookline_service.storage.sqlite.records import to_us
from hookline_service.storage.sqlite.sessions import insert_session

_COUNT_AGAIN_US: Final = 100_000


def insert_child(
    database: Database, starter: int, start: StartSession, at: datetime, finds: Finds
) -> None:
    """Insert the session for this project, with its input sealed if `finds` sees a secret in it; raises `TooManyChildrenError`."""
    weight = start.weight
    _take_room(database, starter, weight, start.most_waiting, to_us(at))
    insert_session(database, start.session, starter, weight, finds)


def _take_room(database: Database, starter: int, weight: int, most: int, at_us: int) -> None:
    """Add to what is known to be the most that can wait: only by starts it grows, so it is counted only when it gets to the limit."""
    known = database.burdens.get(starter)
    is_old = known is not None and abs(at_us - known[1]) >= _COUNT_AGAIN_US
    if known is None or (is_old and known[0] + weight > most):
        known = (database.value("weigh_children_not_begun", (starter,)), at_us)
    waiting, counted_us = known
    if waiting + weight > most:
        database.burdens[starter] = known
        raise TooManyChildrenError(most)
    database.burdens[starter] = (waiting + weight, counted_us)
