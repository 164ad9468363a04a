"""Threads that a session's function leaves when it ends: waited for, or told of."""

from __future__ import annotations

import threading
import time
from typing import Final

from hookline_runner.session.in_flight import daemons, find_waited_thread
from hookline_runner.session.output import LogStream

_LOOK_AGAIN_S: Final = 0.05  # whether a worker has finished its job: it lives on
_TELL_AFTER_S: Final = 1.0
_MOST_TOLD: Final = 5
_monotonic: Final = time.monotonic  # kept: user code may replace the function


class Leftovers:
    """Waits as Python does before a program ends: for threads that are no daemons, and jobs of executors."""

    __slots__ = ("_output", "_prefix")

    def __init__(self, output: LogStream, project_dir: str) -> None:
        self._output = output
        self._prefix = project_dir.rstrip("/") + "/"

    def wait(self) -> None:
        """Return when no such thread is left; daemon threads that run the project's own code are told of."""
        if threading.active_count() == 1:
            return
        tell_at = _monotonic() + _TELL_AFTER_S
        is_told = False
        while (thread := find_waited_thread()) is not None:
            if not is_told and _monotonic() >= tell_at:
                is_told = True
                text = f"the function has ended; waiting for the thread {thread.name!r} that it started"
                self._output.emit("warning", text)
            thread.join(_LOOK_AGAIN_S)
        for thread in [each for each in daemons() if self._is_own(each)][:_MOST_TOLD]:
            text = f"the daemon thread {thread.name!r} was running when the session ended, and ends with it"
            self._output.emit("warning", text)

    def _is_own(self, thread: threading.Thread) -> bool:
        """Whether what the thread runs is the project's; those of libraries are meant to be left."""
        target: object = getattr(thread, "_target", None) or type(thread).run
        code = getattr(getattr(target, "__func__", target), "__code__", None)
        return code is not None and code.co_filename.startswith(self._prefix)
