"""Holds a session process back while it says more than its share; what it says waits in its own socket and pipes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import IntFlag
from typing import Final, Protocol

from hookline_runner.budget import Budget
from hookline_runner.large_frames import Claim, LargeFrames

_MOST_OPEN_CALLS: Final = 64
_FEW_OPEN_CALLS: Final = 32
_FRAME_WAIT_S: Final = 10.0
_SLOWEST_BYTES_PER_S: Final = 2 * 1024 * 1024


class Hold(IntFlag):
    """Why nothing is read from a process for now."""

    LINK = 1  # the service has not taken what it said before
    BUDGET = 2  # it said much in short time
    ROOM = 4  # it announced a large frame, and others are on their way
    CALLS = 8  # it asked much that was not answered yet


class Held(Protocol):
    """A process, as far as it is held back."""

    @property
    def holds(self) -> Hold:
        """Why nothing is read from it."""
        ...

    def hold(self, reason: Hold) -> None:
        """Read nothing more for this reason."""
        ...

    def let_go(self, reason: Hold) -> None:
        """The reason is gone; read again if there is no other."""
        ...


class Flow:
    """Of one attempt. `on_late_frame` is told the size of a large frame that is not whole in time, and the time."""

    __slots__ = (
        "_budget",
        "_claim",
        "_deadline",
        "_large",
        "_loop",
        "_on_late_frame",
        "_open_calls",
        "_process",
        "_project",
        "_refill",
    )

    def __init__(
        self, project: str, large: LargeFrames, on_late_frame: Callable[[int, float], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._project = project
        self._large = large
        self._on_late_frame = on_late_frame
        self._budget = Budget(self._loop.time())
        self._process: Held | None = None
        self._open_calls = 0
        self._refill: asyncio.TimerHandle | None = None
        self._claim: Claim | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def attach(self, process: Held) -> None:
        """This process speaks for the attempt."""
        self._process = process

    def spend(self, cost: float, frames: int = 1) -> None:
        """The process said something of this cost, see `budget`."""
        if self._budget.spend(cost, frames) or self._process is None or self._refill is not None:
            return
        wait_s = self._budget.fill(self._loop.time())
        if wait_s > 0:
            self._process.hold(Hold.BUDGET)
            self._refill = self._loop.call_later(wait_s, self._refilled)

    def note_call(self) -> None:
        """The process asked something."""
        self._open_calls += 1
        if self._open_calls >= _MOST_OPEN_CALLS and self._process is not None:
            self._process.hold(Hold.CALLS)

    def note_reply(self) -> None:
        """It was answered."""
        self._open_calls -= 1
        if self._open_calls <= _FEW_OPEN_CALLS and self._process is not None:
            self._process.let_go(Hold.CALLS)

    def announce(self, size_bytes: int) -> None:
        """A large frame begins: read it when there is room for it."""
        if self._process is not None:
            self._process.hold(Hold.ROOM)
            self._claim = self._large.ask(self._project, size_bytes, self._has_room)
            if self._claim.is_granted:
                self._await_frame(size_bytes)

    def note_whole(self) -> None:
        """The large frame is there."""
        self._stop_waiting()

    @property
    def awaits_frame(self) -> bool:
        """Whether a large frame has begun that is not whole."""
        return self._claim is not None

    def hold_for_link(self) -> None:
        """The service does not keep up with this attempt."""
        if self._process is not None:
            self._process.hold(Hold.LINK)

    def ease_link(self) -> None:
        """It has caught up."""
        if self._process is not None:
            self._process.let_go(Hold.LINK)

    def close(self) -> None:
        """The attempt is over: nothing holds its process any longer."""
        self._stop_waiting()
        if self._refill is not None:
            self._refill.cancel()
            self._refill = None
        process, self._process = self._process, None
        if process is not None and process.holds:
            for reason in Hold:
                process.let_go(reason)

    def _refilled(self) -> None:
        self._refill = None
        wait_s = self._budget.fill(self._loop.time())
        if wait_s > 0:
            self._refill = self._loop.call_later(wait_s, self._refilled)
        elif self._process is not None:
            self._process.let_go(Hold.BUDGET)

    def _has_room(self) -> None:
        if self._claim is not None:  # else it was given at once
            self._await_frame(self._claim.size_bytes)
        if self._process is not None:
            self._process.let_go(Hold.ROOM)

    def _await_frame(self, size_bytes: int) -> None:
        wait_s = _FRAME_WAIT_S + size_bytes / _SLOWEST_BYTES_PER_S
        self._deadline = self._loop.call_later(wait_s, self._is_late, size_bytes, wait_s)

    def _is_late(self, size_bytes: int, wait_s: float) -> None:
        if self._process is not None and self._process.holds:  # it is we who do not read
            self._await_frame(size_bytes)
        else:
            self._on_late_frame(size_bytes, wait_s)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        claim, self._claim = self._claim, None
        if claim is not None:
            self._large.release(claim)
