"""An event loop in virtual time: when all its tasks wait, the test has its turn."""

from __future__ import annotations

import asyncio
import asyncio.futures
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final, Protocol

from hookline.testing.waiters import SLEEP, TIMER, Clock, Waiter

_WAKES_SLEEPER: Final = getattr(asyncio.futures, "_set_result_unless_cancelled", None)
_OWN_FILES: Final = 1  # the loop watches one, by which threads wake it
_GLANCE_S: Final = 1.0
_RESOLUTION_S: Final = 1e-6


class Parking(Protocol):
    """A session whose loop this is."""

    clock: Clock
    waiters: list[Waiter]

    def park(self) -> None:
        """Let the test have its turn; returns when the session goes on."""
        ...


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time is the test's. Work outside (threads of the executor, sockets) is waited for in real time."""

    def __init__(self, session: Parking) -> None:
        self._session = session
        self._timers: list[tuple[float, asyncio.TimerHandle, bool]] = []
        self._outside = 0
        super().__init__(_TurnSelector(self))
        self._clock_resolution = (
            _RESOLUTION_S  # a float of the present time is not as fine as the loop takes it to be
        )

    def time(self) -> float:
        """The test's time."""
        return self._session.clock.now

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """See `asyncio.loop.call_at`; remembers the timer, and whether it is that of `asyncio.sleep`."""
        handle = super().call_at(when, callback, *args, context=context)
        self._timers.append((when, handle, callback is _WAKES_SLEEPER))
        return handle

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """See `asyncio.loop.run_in_executor`; the test's turn has to wait for it."""
        future = super().run_in_executor(executor, func, *args)
        self._outside += 1
        future.add_done_callback(self._note_done)
        return future

    async def shutdown_default_executor(self, *options: Any) -> None:
        """See `asyncio.loop.shutdown_default_executor`; a thread does it, for which the test's turn waits too."""
        self._outside += 1
        try:
            await super().shutdown_default_executor(*options)
        finally:
            self._outside -= 1

    def works_outside(self, watched: int) -> bool:
        """Whether something may come without the test."""
        return self._outside > 0 or watched > _OWN_FILES

    def give_turn(self) -> None:
        """All tasks wait: let the test have its turn, then pass on what came."""
        timers = self._next_timers()
        self._session.waiters += timers
        try:
            self._session.park()
        finally:
            for timer in timers:
                self._session.waiters.remove(timer)
        for waiter in self._session.waiters:
            waiter.settle()

    def _next_timers(self) -> list[Waiter]:
        """A wait for the next end of a sleep, and one for the next other timer."""
        now = self.time()
        self._timers = [one for one in self._timers if not one[1].cancelled() and one[0] > now]
        kinds = ((SLEEP, True), (TIMER, False))
        times = {kind: [when for when, _, is_sleep in self._timers if is_sleep is wanted] for kind, wanted in kinds}  # fmt: skip
        return [Waiter(kind, deadline=min(found)) for kind, found in times.items() if found]

    def _note_done(self, _future: object) -> None:
        self._outside -= 1


class _TurnSelector(selectors.DefaultSelector):
    """Looks for real events; where there can be none, it is the test's turn."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors.BaseSelector.select`."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._loop.works_outside(len(self.get_map())):
            return super().select(_GLANCE_S)
        self._loop.give_turn()
        return super().select(0)
