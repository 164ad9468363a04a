"""The process in which a recorded session is replayed: it answers from the journal, and records nothing.

Run as ``python -m hookline_runner.replay_process DESCRIPTOR PROJECT CODE [OPTION]…``, or as the role ``replay`` of
`bootstrap`. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Callable, Container, Sequence
from typing import Final, NoReturn

from hookline import json_text
from hookline.errors import NonDeterminismError, SessionInterrupt
from hookline_runner.containment import contain
from hookline_runner.session import main as session_main
from hookline_runner.session.attempt import Makers
from hookline_runner.session.branches import Branch
from hookline_runner.session.clock import SessionClock
from hookline_runner.session.display import display_call
from hookline_runner.session.journal import FILE, KIND, LINE, NAME, VOLATILE, Kind, Row
from hookline_runner.session.link import Link
from hookline_runner.session.output import LogLimits, LogStream, Waker
from hookline_runner.session.recording import ACTIVITIES, Call, Recorder, place_of

CONTAINED: Final = "--contained"
DEBUG: Final = "--debug"
RECORDING_END: Final = "recording_end"  # kind of the log record that names the call at the end
CALL_MADE: Final = "call_made"  # of one that says what a recorded call got now
_OURS: Final = frozenset({RECORDING_END, CALL_MADE})


class RecordingEndError(NonDeterminismError):
    """The code makes a call that was not recorded; in a replay it is not made."""

    def __init__(self, position: str, call: str) -> None:
        super().__init__(
            position=position, recorded="nothing; the recording ends here", actual=call
        )


class UnrecordedResultError(SessionInterrupt):
    """The result of a recorded call could not be serialized, and a replay does not repeat the call."""

    code = "replay.unrecorded_result"

    def __init__(self, name: str, place: str) -> None:
        super().__init__(
            f"the result of {name} at {place} could not be recorded, so the call would have to be made again; "
            "--unrecorded makes it"
        )


class ReplayRecorder(Recorder):
    """Refuses whatever would have to be made and recorded."""

    __slots__ = ()

    def begin(self, call: Call, branch: Branch, index: int, kind: Kind) -> NoReturn:
        """Every new entry begins here: there is none in a replay."""
        del index, kind
        place = place_of(self.journal.next_number, branch.path)
        self._output.emit(RECORDING_END, str(call))
        self._failure = RecordingEndError(place, str(call))
        raise self._failure

    def check(self, row: Row, call: Call, kinds: Container[str] = ACTIVITIES) -> None:
        """See `Recorder.check`; tells what the call got."""
        super().check(row, call, kinds)
        if row[KIND] == Kind.WAIT:  # it was recorded for what waits, which has an entry of its own
            return
        arguments = display_call(call.args, call.kwargs)
        facts = [self.journal.number_of(row), str(call), arguments]
        self._output.emit(CALL_MADE, json_text.write(facts))


class StrictRecorder(ReplayRecorder):
    """Refuses calls whose result was not recorded, too."""

    __slots__ = ()

    def check(self, row: Row, call: Call, kinds: Container[str] | None = None) -> None:
        """See `Recorder.check`."""
        if kinds is None:
            super().check(row, call)
        else:
            super().check(row, call, kinds)
        if row[VOLATILE]:
            raise UnrecordedResultError(row[NAME], f"{row[FILE]}:{row[LINE]}")


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


class TerminalLog(ReplayLog):
    """Writes to the terminal at once: a person at a debugger sees what the line just passed has printed."""

    __slots__ = ()

    def emit(self, kind: str, text: str, level: str = "") -> None:
        """See `LogStream.emit`."""
        super().emit(kind, text, level)
        self.flush()
        if kind not in _OURS and sys.__stdout__ is not None:
            sys.__stdout__.write(f"{text}\n")
            sys.__stdout__.flush()


def main(arguments: Sequence[str]) -> int:
    """Serve one attempt over the socket."""
    options = _read(arguments)
    recorder = StrictRecorder if options.contained else ReplayRecorder
    log = TerminalLog if options.debug else ReplayLog
    if options.debug:
        from hookline_runner.handler_debugger import HandlerDebugger  # noqa: PLC0415 - slow to import

        HandlerDebugger(options.project, options.debug).wait_for_handler()
    if options.contained:
        contain([options.project, options.code])
    sock = socket.socket(fileno=options.descriptor)
    project_dir = os.path.realpath(options.project)
    makers = Makers(recorder=recorder, log=log)
    session_main.serve(
        sock, project_dir=project_dir, code_dir=options.code, reuse=False, makers=makers
    )
    return 0


class _Options(argparse.Namespace):
    descriptor: int
    project: str
    code: str
    contained: bool
    debug: str


def _read(arguments: Sequence[str]) -> _Options:
    parser = argparse.ArgumentParser(prog="hookline_runner.replay_process")
    parser.add_argument("descriptor", type=int)
    parser.add_argument("project")
    parser.add_argument("code")
    parser.add_argument(CONTAINED, action="store_true")
    parser.add_argument(DEBUG, metavar="FILE:FUNC", default="")
    return parser.parse_args(arguments, _Options())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
