"""Waiting for a time, or for what others send: in the process while that is near, without one when it is far."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from hookline_runner.frames import FrameType
from hookline_runner.session.clock import SessionClock
from hookline_runner.session.in_flight import InFlight
from hookline_runner.session.journal import Journal
from hookline_runner.session.link import Link
from hookline_runner.session.output import LogStream

FAR_FUTURE: Final = 250_000_000_000.0  # in the year 9892: later than that no calendar goes
_LOOK_AGAIN_S: Final = 1.0  # whether something is still in flight
_TELL_AFTER_S: Final = 10.0
_SLICE_S: Final = 0.5  # a stop request that comes just before the system call is seen after it
_time_sleep: Final = time.sleep  # kept: user code may replace the function


class Waiting:
    """How this session waits. Suspension ends the process without unwinding: `finally` blocks belong to the end."""

    __slots__ = (
        "_before_leaving",
        "_clock",
        "_hot_window_s",
        "_is_told",
        "_journal",
        "_kept_since",
        "_last_look",
        "_link",
        "_output",
        "in_flight",
    )

    def __init__(
        self,
        link: Link,
        journal: Journal,
        output: LogStream,
        clock: SessionClock,
        hot_window_s: float,
        *,
        before_leaving: Callable[[], None],
    ) -> None:
        self._before_leaving = before_leaving
        self._link = link
        self._journal = journal
        self._output = output
        self._clock = clock
        self._hot_window_s = hot_window_s
        self._kept_since = 0.0
        self._last_look = 0.0
        self._is_told = False
        self.in_flight = InFlight()

    @property
    def hot_window_s(self) -> float:
        """How long a waiting session keeps its process."""
        return self._hot_window_s

    def is_far(self, wake_at: float) -> bool:
        """Whether that time is past the hot window, so that holding a process for it is not worth it."""
        return wake_at - self._clock.now() > self._hot_window_s

    def may_leave(self) -> bool:
        """Whether the process may be given up: nothing is in flight. Asked again and again while it waits."""
        reason = self.in_flight.find()
        if reason is None:
            return True
        now = self._clock.now()
        if now - self._last_look > 3 * _LOOK_AGAIN_S:  # of another wait
            self._kept_since = now
        self._last_look = now
        if not self._is_told and now - self._kept_since > max(_TELL_AFTER_S, self._hot_window_s):
            self._is_told = True
            self._output.emit("warning", f"the session waits and keeps its process: {reason}")
        return False

    def wait_until(self, wake_at: float, *, may_suspend: bool) -> None:
        """Return at that time; or suspend the session, and never return."""
        while (left := wake_at - self._clock.now()) > 0:
            if may_suspend and left > self._hot_window_s and self.may_leave():
                self.suspend(wake_at)
            _time_sleep(min(left, _SLICE_S))

    def break_wait(self, error: BaseException | None) -> bool:
        """See `Link.break_wait`."""
        return self._link.break_wait(error)

    def pause(self, wake_at: float, is_over: Callable[[], bool], *, may_suspend: bool) -> None:
        """Return at that time, or when `is_over`; or suspend the session, and never return."""
        while (left := wake_at - self._clock.now()) > 0 and not is_over():
            if may_suspend and left > self._hot_window_s:
                if self.may_leave():
                    self.suspend(wake_at)
                left = min(left, _LOOK_AGAIN_S)
            self._link.wait_wake(self._link.news.count, left, is_over)

    def wait_woken(
        self,
        has_news: Callable[[], bool],
        wake_at: float | None,
        topics: Sequence[str],
        is_over: Callable[[], bool],
    ) -> None:
        """Return when it has news, at that time, or when `is_over`.

        With topics, the session is suspended after the hot window; without, the process is kept.
        """
        now = self._clock.now()
        may_leave = bool(topics) and (wake_at is None or wake_at - now > self._hot_window_s)
        until = now + self._hot_window_s if may_leave else wake_at
        while not is_over():
            seen = self._link.news.count  # before the look, so that nothing comes in between
            if has_news():
                return
            left = None if until is None else until - self._clock.now()
            if left is not None and left <= 0:
                last_s = _LOOK_AGAIN_S if wake_at is None else wake_at - self._clock.now()
                if not may_leave or last_s <= 0:
                    break
                if self.may_leave():
                    self.suspend(wake_at, topics)
                left = min(_LOOK_AGAIN_S, last_s)
            self._link.wait_wake(seen, left, is_over)

    def suspend(self, wake_at: float | None, topics: Sequence[str] = ()) -> NoReturn:
        """Put everything on disk, say what this waits for, a time or one of the topics, and end the process."""
        self._before_leaving()
        self._output.flush()
        self._journal.commit()
        self._link.send(
            FrameType.SUSPEND, json.dumps({"wake_at": wake_at, "topics": sorted(set(topics))})
        )
        os._exit(0)
