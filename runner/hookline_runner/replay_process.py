"""The process in which a recorded session is replayed for a test: it answers from the journal, and records nothing.

Run as ``python -m hookline_runner.replay_process DESCRIPTOR PROJECT CODE``.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from hookline.errors import NonDeterminismError
from hookline_runner.session import attempt, main as session_main
from hookline_runner.session.branches import Branch
from hookline_runner.session.clock import SessionClock
from hookline_runner.session.journal import Kind
from hookline_runner.session.link import Link
from hookline_runner.session.output import LogLimits, LogStream, Waker
from hookline_runner.session.recording import Call, Recorder


class RecordingEndError(NonDeterminismError):
    """The code makes a call that was not recorded; in a test it is not made."""

    def __init__(self, position: str, call: str) -> None:
        super().__init__(
            position=position, recorded="nothing; the recording ends here", actual=call
        )


class ReplayRecorder(Recorder):
    """Refuses whatever would have to be made and recorded."""

    __slots__ = ()

    def begin(self, call: Call, branch: Branch, index: int, kind: Kind) -> NoReturn:
        """Every new entry begins here: there is none in a replay."""
        del kind
        place = f"{index}" + (f" of task {branch.path}" if branch.path else "")
        self._failure = RecordingEndError(place, str(call))
        raise self._failure


class ReplayLog(LogStream):
    """Sends what is printed before the end of the journal too."""

    __slots__ = ()

    def __init__(
        self,
        link: Link,
        clock: SessionClock,
        limits: LogLimits,
        waker: Waker,
        is_muted: Callable[[], bool],
    ) -> None:
        del is_muted
        super().__init__(link, clock, limits, waker, lambda: False)


def main(arguments: Sequence[str]) -> int:
    """Serve one attempt over the socket."""
    descriptor, project_dir, code_dir = arguments
    for name, part in (("Recorder", ReplayRecorder), ("LogStream", ReplayLog)):
        setattr(attempt, name, part)  # this process is for nothing else
    sock = socket.socket(fileno=int(descriptor))
    session_main.serve(sock, project_dir=project_dir, code_dir=code_dir, reuse=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
