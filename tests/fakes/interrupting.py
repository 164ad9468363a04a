"""Signals at any moment at which Python looks for them: entering a function, and coming back from one written in C."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

MOMENTS = frozenset({"call", "c_return"})


class Moments:
    """Raises a signal at the `number`-th moment from `begin` on; `has_come` says whether there were so many.

    Counted are moments of the thread that begins, while a function handles that signal and, for an alarm, one is set.
    """

    def __init__(self, signum: int) -> None:
        self._signum = signum
        self._left = 0
        self.has_come = False

    def begin(self, number: int) -> None:
        self._left = number
        self.has_come = False
        sys.setprofile(self._look)

    def end(self) -> None:
        sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event not in MOMENTS or frame.f_code.co_filename == __file__:
            return
        if not callable(signal.getsignal(self._signum)) or not self._is_set():
            return
        self._left -= 1
        if self._left < 0:
            sys.setprofile(None)
            self.has_come = True
            signal.raise_signal(self._signum)

    def _is_set(self) -> bool:
        return self._signum != signal.SIGALRM or signal.getitimer(signal.ITIMER_REAL)[0] > 0
