"""What sessions under test wait for, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SLEEP: Final = "sleep"
TIMER: Final = "timer"


@dataclass(slots=True)
class Clock:
    """The time in a project under test, in seconds since the epoch; it moves only when it is told to."""

    now: float


@dataclass(slots=True, eq=False)
class Waiter:
    """One wait of a session: for an event, for a signal, for the end of a sleep, or for a timer of its event loop.

    Attributes:
        operation: `take_event`, `take_signal`, `SLEEP` or `TIMER`.
        arguments: Those of the operation.
        deadline: When it ends by itself; None: never.
        future: What an `async` handler awaits.
    """

    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    deadline: float | None = None
    future: asyncio.Future[Any] | None = None
    is_done: bool = False
    result: Any = None

    @property
    def is_sleep(self) -> bool:
        """Whether it ends only by time."""
        return self.operation == SLEEP

    def end(self, result: Any = None) -> None:
        """The wait is over, with this result; None for time."""
        self.is_done = True
        self.result = result

    def settle(self) -> None:
        """Let the task go on whose wait is over; in its loop's thread."""
        if self.is_done and self.future is not None and not self.future.done():
            self.future.set_result(self.result)
