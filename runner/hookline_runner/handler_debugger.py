"""The debugger of a replay: stops at the first line of the function that the session runs.

Standard library only.
"""

from __future__ import annotations

import os
import pdb  # noqa: T100 - it is what this module is for
import sys
from types import FrameType
from typing import Any, Final

_OURS: Final = ("hookline", "hookline.*", "hookline_runner", "hookline_runner.*")


class HandlerDebugger(pdb.Pdb):
    """A debugger at the process's terminal, whatever the session does with its streams. Steps over our own code."""

    def __init__(self, project_dir: str, entry_point: str) -> None:
        super().__init__(stdin=sys.__stdin__, stdout=sys.__stdout__, skip=_OURS)
        path, _, self._name = entry_point.rpartition(":")
        self._file = os.path.join(os.path.realpath(project_dir), path)  # noqa: PTH118 - compared with a code's file name
        self._is_waiting = True
        # Line editing and history, which pdb gives up when it is told its streams.
        self.use_rawinput = sys.__stdin__ is not None and sys.__stdin__.isatty()

    def wait_for_handler(self) -> None:
        """From now on, in this thread, the first call of the function stops."""
        self.reset()
        sys.settrace(self.trace_dispatch)

    def dispatch_call(self, frame: FrameType, arg: Any) -> Any:
        """See `bdb.Bdb.dispatch_call`; until the function is called, nothing is traced."""
        if self._is_waiting:
            code = frame.f_code
            if code.co_name != self._name or code.co_filename != self._file:
                return None
            self._is_waiting = False
        return super().dispatch_call(frame, arg)

    def interaction(self, frame: FrameType | None, traceback: Any) -> None:
        """See `pdb.Pdb.interaction`; meanwhile the process's own streams are in place."""
        streams = sys.stdin, sys.stdout
        sys.stdin, sys.stdout = sys.__stdin__, sys.__stdout__
        try:
            super().interaction(frame, traceback)
        finally:
            sys.stdin, sys.stdout = streams
