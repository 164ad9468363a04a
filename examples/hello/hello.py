from __future__ import annotations

import logging
import os
import time

from hookline import Event, activity

logger = logging.getLogger("hello")


@activity
def compose(name: str) -> str:
    """One recorded step: once its result is on disk, it is never computed again in this session."""
    return f"{os.environ['GREETING']}, {name}!"


def greet(event: Event) -> str:
    """Starts for each request to the webhook `greet`."""
    name = event.data.url.query.get("name") or "world"
    print(f"somebody wants to greet {name}")
    greeting = compose(name)
    logger.info("composed a greeting of %d characters", len(greeting))
    time.sleep(0.3)  # a durable timer: it may as well last for weeks, and survives a crash
    print(greeting)
    return greeting


def good_morning(event: Event) -> None:
    """Starts on working days at nine, in Prague's time."""
    print(f"good morning ({event.event_type or 'started by hand'})")
