"""Polite stop: SIGTERM becomes an exception in the main flow, where nothing is left half done."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final

from hookline.errors import SessionStoppedError

_RETRY_S: Final = 0.01
_set_handler: Final = signal.signal  # kept: the session's own code gets another one


class StopSwitch:
    """Turns the first SIGTERM into `SessionStoppedError`.

    At once, unless the main flow is inside an activity (then the gate raises at its end, see `check`) or in a place where
    nothing may be raised (`is_shielded`: then shortly after). A wait for an event or a signal (`wait`) is told to end
    by itself, in an activity too. A running event loop gets its main task cancelled by `on_loop` instead.
    """

    __slots__ = (
        "_activity_codes",
        "_interrupt",
        "_is_open",
        "_pid",
        "_read_requests",
        "_reason",
        "_shielded",
        "_timer",
        "_waits",
        "is_asked",
        "is_raised",
        "is_requested",
        "on_loop",
        "watchers",
    )

    def __init__(
        self, read_requests: Callable[[], None], interrupt: Callable[[], None] | None = None
    ) -> None:
        self._read_requests = read_requests  # takes in what has arrived; leads to `note_reason`
        self._interrupt = interrupt  # makes a function of `wait` look whether it should end
        self._waits: set[CodeType] = set()
        self._reason = ""
        self._activity_codes: set[CodeType] = set()
        self._shielded: set[CodeType] = set()
        self._is_open = False
        self._pid = 0
        self.is_asked = False  # by the service, and not by a signal alone
        self.is_requested = False
        self.is_raised = False
        self.on_loop: Callable[[], None] | None = None
        self.watchers: list[Callable[[], None]] = []  # waits of a loop, inside activities

    def install(self) -> None:
        """Take SIGTERM over; main thread only."""
        self._pid = os.getpid()
        _set_handler(signal.SIGTERM, self._handle)

    def reset(self) -> None:
        """Forget an earlier request, for the next session of this process."""
        self._reason = ""
        self._is_open = False
        self.is_asked = False
        self.is_requested = False
        self.is_raised = False
        self.on_loop = None
        self.watchers.clear()

    def open(self) -> None:
        """Raise from now on, until `close`; at once, if a stop was requested before."""
        self._is_open = True
        self.check()

    def close(self) -> None:
        """Raise nothing from now on: the session's own code is over."""
        self._is_open = False

    def note_reason(self, reason: str) -> None:
        """The session is to stop, and why. The signal follows; a system call that it comes just before does not end by it."""
        self._reason = reason
        self.is_asked = self.is_requested = True
        self._tell_watchers()

    def shield(self, *functions: Any) -> None:
        """Never raise while one of these Python functions runs in the main thread."""
        self._shielded.update(function.__code__ for function in functions)

    def is_shielded(self, running: set[CodeType]) -> bool:
        """Whether one of the functions of `shield` is among those that run, or a finalizer: what that raises is dropped."""
        return bool(running & self._shielded) or any(code.co_name == "__del__" for code in running)

    def is_waiting(self, running: set[CodeType]) -> bool:
        """Whether one of the functions of `wait` is among those that run."""
        return bool(running & self._waits)

    def activity(self, *functions: Any) -> None:
        """While one of these runs, an activity does: leave the request to `check`."""
        self._activity_codes.update(function.__code__ for function in functions)

    def wait(self, *functions: Any) -> None:
        """While one of these runs, it looks for `is_requested` itself, and its caller calls `check`."""
        self._waits.update(function.__code__ for function in functions)

    def check(self) -> None:
        """Raise if a stop was requested and not raised yet."""
        if self.is_pending:
            self.raise_now()

    @property
    def is_pending(self) -> bool:
        """Whether a stop was requested and not raised yet."""
        return self.is_requested and not self.is_raised

    def raise_now(self) -> None:
        """End the flow that calls this."""
        self.is_raised = True
        self._read_requests()
        raise SessionStoppedError(self._reason)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a child that the session's code has just forked
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        if self.is_raised:
            return
        self.is_requested = True
        if not self._is_open:
            return
        running, _ = codes_above(None, frame)
        if self.is_waiting(running) and self._interrupt is not None:
            self._interrupt()
            return
        if running & self._activity_codes:
            return
        if self.is_shielded(running):
            send_again(signum)
            return
        self._tell_watchers()
        loop = asyncio._get_running_loop()  # noqa: SLF001 - no public way asks without raising
        if loop is not None and self.on_loop is not None:
            loop.call_soon_threadsafe(self.on_loop)
            return
        self.raise_now()

    def _tell_watchers(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()


def send_again(signum: int) -> None:
    """Send the main thread this signal in a moment: a real one, which also ends a system call that it is in by then."""
    main = threading.main_thread().ident or 0
    retry = threading.Timer(_RETRY_S, signal.pthread_kill, (main, signum))
    retry.daemon = True
    retry.start()


def codes_above(bottom: CodeType | None, frame: FrameType | None) -> tuple[set[CodeType], bool]:
    """What runs in this frame and those below it, down to the function of that code; and whether that was found."""
    running: set[CodeType] = set()
    while frame is not None:
        running.add(frame.f_code)
        if frame.f_code is bottom:
            return running, True
        frame = frame.f_back
    return running, False
