"""The event loop of a durable session: tasks are branches, timers are entries, and turns decide who goes on."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final
from zlib import crc32

from hookline_runner.session.branches import Branch, current
from hookline_runner.session.clock import SessionClock
from hookline_runner.session.link import Link
from hookline_runner.session.recording import Recorder
from hookline_runner.session.stopping import StopSwitch
from hookline_runner.session.suspension import Waiting
from hookline_runner.session.turns import Timer, Turns

_monotonic: Final = time.monotonic  # kept: user code may replace the function
_PATIENCE: Final = (
    1_000  # rounds without a quiet moment before somebody is let through all the same
)


class DurableHandle(asyncio.TimerHandle):
    """What `call_later` gives: cancelling it takes the timer out of the turns too."""

    __slots__ = ("timer",)

    timer: Timer

    def cancel(self) -> None:
        """See `asyncio.TimerHandle.cancel`."""
        self.timer.cancel()
        super().cancel()


class StableFuture(asyncio.Future[Any]):
    """A future whose place in a set is the same in every attempt."""

    def __init__(self, *, stable_hash: int, loop: asyncio.AbstractEventLoop) -> None:
        self._stable_hash = stable_hash
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._stable_hash


class StableTask(asyncio.Task[Any]):
    """A task whose place in a set is the same in every attempt: `asyncio.wait` gives sets of them.

    `outer_cancels`: how often the session's code cancelled it, and not the inside of an activity.
    """

    def __init__(self, coro: Coroutine[Any, Any, Any], *, stable_hash: int, **options: Any) -> None:
        self._stable_hash = stable_hash
        self.outer_cancels = 0
        super().__init__(coro, **options)

    def cancel(self, msg: object = None) -> bool:
        """See `asyncio.Task.cancel`."""
        is_cancelled = super().cancel(msg)
        if is_cancelled and type(current.get()) is Branch:
            self.outer_cancels += 1
        return is_cancelled

    def __hash__(self) -> int:
        return self._stable_hash


class DurableLoop(asyncio.SelectorEventLoop):
    """A selector loop whose tasks go on in a recorded order.

    Only what the session's own code does is affected: inside an activity tasks and timers are ordinary.
    """

    # of asyncio's own classes; the names have stood since asyncio began
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _selector: selectors.BaseSelector
    _signal_handlers: dict[int, asyncio.Handle]
    _ssock: socket.socket

    def __init__(
        self,
        link: Link,
        recorder: Recorder,
        waiting: Waiting,
        stop: StopSwitch,
        clock: SessionClock,
    ) -> None:
        self._epoch_offset_s = clock.now() - _monotonic()
        self._now = self._real_time()
        super().__init__()
        self._stop_switch = stop
        self._jumped_s = 0.0
        self._has_main = False
        self._main: asyncio.Task[Any] | None = None
        self._rounds = 0
        self._link = link
        self._in_flight = waiting.in_flight
        self._own_descriptors = frozenset({self._ssock.fileno(), link.fileno()})
        self.turns = Turns(self, recorder, waiting, stop)
        self.add_reader(link.fileno(), link.read_available)
        link.listen(self._heard)
        stop.on_loop = _nothing

    def close(self) -> None:
        """See `asyncio.loop.close`."""
        self._link.unlisten(self._heard)
        super().close()

    def time(self) -> float:
        """Seconds since the epoch, never going back, and ahead by what replayed timers did not have to wait.

        Stands still within a round, so that what compares two readings decides the same in every attempt.
        """
        return self._now + self._jumped_s

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> asyncio.Task[Any]:
        """See `asyncio.loop.create_task`; the task is a new branch, the first one goes on with the main flow's."""
        if not self._has_main and not self.is_running():
            self._has_main = True
            self._main = StableTask(
                coro, loop=self, name=name, context=context, stable_hash=0, **options
            )
            return self._main
        parent = current.get() if context is None else context.get(current)
        if type(parent) is not Branch:
            return super().create_task(coro, name=name, context=context, **options)
        branch = parent.child()
        context = contextvars.copy_context() if context is None else context.copy()
        context.run(current.set, branch)
        if self.get_task_factory() is not None:
            return super().create_task(coro, name=name, context=context, **options)
        options["stable_hash"] = crc32(branch.path.encode())
        return StableTask(coro, loop=self, name=name, context=context, **options)

    def create_future(self) -> asyncio.Future[Any]:
        """See `asyncio.loop.create_future`."""
        branch = current.get()
        if type(branch) is not Branch:
            return super().create_future()
        return StableFuture(stable_hash=crc32(branch.next_future().encode()), loop=self)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """See `asyncio.loop.call_at`; happens in its turn, in every attempt the same."""
        lag_s = self._real_time() - self._now
        branch = current.get() if context is None else context.get(current)
        if type(branch) is not Branch:
            return super().call_at(when + lag_s, callback, *args, context=context)
        path = branch.next_timer()
        due = self.turns.recorded_time(path, when + lag_s - self._jumped_s)
        handle = DurableHandle(when, callback, args, self, context)
        timer = handle.timer = Timer(path, due, lambda: self._ready.append(handle))
        self.turns.set_timer(timer)
        return handle

    # What `Turns` asks for

    def has_ready(self) -> bool:
        """See `TurnLoop.has_ready`."""
        return bool(self._ready)

    def has_foreign_events(self) -> bool:
        """See `TurnLoop.has_foreign_events`."""
        return self._in_flight.may_be_called(self)

    def schedule(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See `TurnLoop.schedule`."""
        return super().call_at(when, _due_in_turn, callback)

    def schedule_in(self, delay_s: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See `TurnLoop.schedule_in`."""
        when = self._real_time() + self._jumped_s + max(0.0, delay_s)
        return self.schedule(when, callback)

    def from_epoch(self, when: float) -> float:
        """See `TurnLoop.from_epoch`."""
        return when + self._jumped_s

    def jump_past(self, when: float) -> None:
        """See `TurnLoop.jump_past`."""
        ahead_s = when - self.time()
        if ahead_s >= 0:
            self._jumped_s += ahead_s + 1e-6

    def cancel_main(self) -> None:
        """See `TurnLoop.cancel_main`."""
        if self._main is not None and not self._stop_switch.is_raised:
            self._stop_switch.is_raised = True
            self._main.cancel()

    def refresh_time(self) -> None:
        """Much time has passed within a round."""
        self._now = self._real_time()

    # What `InFlight` asks for

    @property
    def descriptors(self) -> list[selectors.SelectorKey]:
        """See `WatchedLoop.descriptors`."""
        watched = self._selector.get_map()
        if len(watched) <= len(self._own_descriptors):
            return []
        return [key for key in watched.values() if key.fd not in self._own_descriptors]

    def has_foreign_timers(self) -> bool:
        """See `WatchedLoop.has_foreign_timers`."""
        return any(_is_foreign(handle) for handle in self._scheduled)

    def has_signal_handlers(self) -> bool:
        """See `WatchedLoop.has_signal_handlers`."""
        return bool(self._signal_handlers)

    def is_of_session(self, task: asyncio.Task[Any]) -> bool:
        """See `WatchedLoop.is_of_session`; a factory of the author's own makes tasks that do not tell."""
        return isinstance(task, StableTask) or self.get_task_factory() is not None

    def _heard(self) -> None:
        """The link was read. If another thread did it, the selector does not know."""
        if threading.current_thread() is not threading.main_thread():
            with contextlib.suppress(RuntimeError):  # it may just have been closed
                self.call_soon_threadsafe(_nothing)

    def _real_time(self) -> float:
        return _monotonic() + self._epoch_offset_s

    def _process_events(self, event_list: list[Any]) -> None:
        self._now = self._real_time()
        super()._process_events(event_list)  # type: ignore[misc]

    def _run_once(self) -> None:
        self._now = self._real_time()
        if not self._ready:
            self._rounds = 0
            self.turns.advance()
        else:
            self._rounds += 1
            if self._rounds > _PATIENCE:
                self._rounds = 0
                self.turns.force()
        super()._run_once()  # type: ignore[misc]


def _due_in_turn(callback: Callable[[], None]) -> None:
    callback()


def _is_foreign(handle: asyncio.TimerHandle) -> bool:
    """Whether a timer is none of the turns'."""
    callback = getattr(handle, "_callback", None)  # there is no public way
    return not handle.cancelled() and callback is not _due_in_turn


def _nothing() -> None:
    """Called in the loop to wake it."""
