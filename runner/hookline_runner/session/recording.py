"""From a call to its journal entry, and from an entry back to the call's outcome."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, NoReturn

from hookline.errors import NonDeterminismError, ResultTooLargeError
from hookline_runner.codec import encode_exception, encode_value
from hookline_runner.session.branches import Branch
from hookline_runner.session.clock import SessionClock
from hookline_runner.session.decisions import Decision
from hookline_runner.session.display import clean_text, display, display_call, safe_repr
from hookline_runner.session.journal import (
    BRANCH,
    FILE,
    KIND,
    LINE,
    NAME,
    OK,
    RESULT_LIMIT_BYTES,
    Journal,
    Kind,
    Row,
    Step,
)
from hookline_runner.session.output import LogStream

_MAX_WARNED: Final = 100
_BELOW_A_TASK: Final = re.compile("[@!~&]")  # timers, tries, sleeps, and what was entered
ACTIVITIES: Final = frozenset({Kind.ACTIVITY, Kind.RIDING, Kind.CANCELLED})
"""The kinds of entries that a call of the project's code may have."""
_SLEEPS: Final = frozenset({Kind.SLEEP})
HERE: Final = os.path.dirname(__file__)  # noqa: PTH120 - compared with the file names of code objects


def hide_own_frames(exc: BaseException) -> None:
    """Take our frames off the traceback's top, so that the project's frames follow each other."""
    top = exc.__traceback__
    while top is not None and top.tb_frame.f_code.co_filename.startswith(HERE):
        top = top.tb_next
    exc.__traceback__ = top


@dataclass(slots=True)
class Call:
    """A call that passes the gate: what, with what, and from where.

    `is_live` says of a result that it is this process's own, and so never recorded; `is_volatile` that it was not.
    """

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    decision: Decision
    file: str
    line: int
    is_live: Callable[[object], bool] | None = None
    is_volatile: bool = False

    def __str__(self) -> str:
        return _at_place(self.decision.name, self.file, self.line)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result, or the exception in its place."""

    ok: bool
    value: Any
    is_cancelled: bool = False  # from outside; `value` is the CancelledError

    def unwrap(self) -> Any:
        """The result; raises the exception."""
        if self.ok:
            return self.value
        try:
            raise self.value
        finally:
            del self  # the frame is in the traceback, which is in the exception


class Recorder:
    """Writes entries and reads them back; knows nothing of threads, tasks or loops."""

    __slots__ = (
        "_clock",
        "_failure",
        "_output",
        "_project_prefix",
        "_relative",
        "_warned",
        "journal",
    )

    def __init__(
        self, journal: Journal, output: LogStream, clock: SessionClock, project_dir: str
    ) -> None:
        self.journal = journal
        self._output = output
        self._clock = clock
        self._project_prefix = project_dir.rstrip("/") + "/"
        self._relative: dict[str, str] = {}
        self._warned: set[str] = set()
        self._failure: NonDeterminismError | None = None

    @property
    def failure(self) -> NonDeterminismError | None:
        """The first mismatch found; it stands even if the session's code swallowed it."""
        return self._failure

    def now(self) -> float:
        """The present, seconds since the epoch."""
        return self._clock.now()

    def operation(self, decision: Decision, shown: dict[str, object], frame: FrameType) -> Call:
        """Describe the operation that the project asked for, somewhere below this frame."""
        caller: FrameType | None = frame
        while caller is not None and not caller.f_code.co_filename.startswith(self._project_prefix):
            caller = caller.f_back
        if caller is None:  # of a task that nobody in the project awaits at the moment
            return Call(None, (), shown, decision, "", 0)
        file = self._relative_path(caller.f_code.co_filename)
        return Call(None, (), shown, decision, file, caller.f_lineno)

    def call(self, decision: Decision, func: Any, args: Any, kwargs: Any, frame: FrameType) -> Call:
        """Describe the call made in this frame."""
        path = frame.f_code.co_filename
        line = frame.f_lineno
        if path.startswith(HERE):  # the session's own function, called by us
            code = getattr(func, "__code__", None) or frame.f_code
            path, line = code.co_filename, code.co_firstlineno
        return Call(func, args, kwargs, decision, self._relative_path(path), line)

    def place(self, frame: FrameType) -> tuple[str, int]:
        """File, as the project calls it, and line of what runs in this frame."""
        return self._relative_path(frame.f_code.co_filename), frame.f_lineno

    def _relative_path(self, path: str) -> str:
        relative = self._relative.get(path)
        if relative is None:
            relative = self._relative[path] = clean_text(path.removeprefix(self._project_prefix))
        return relative

    def take_position(self, branch: Branch) -> int:
        """The next index of the branch. Raises the mismatch found earlier, if there was one."""
        if self._failure is not None:
            raise self._failure
        index = branch.index
        branch.index = index + 1
        return index

    def begin(self, call: Call, branch: Branch, index: int, kind: Kind) -> Step:
        """Start an entry; arguments are shown as they are before the call."""
        return Step(
            branch=branch.path,
            index=index,
            kind=kind,
            name_json=call.decision.name_json,
            file=call.file,
            line=call.line,
            arguments=display_call(call.args, call.kwargs),
            started_at=self._clock.now(),
        )

    def finish(self, step: Step, call: Call, outcome: Outcome, suffix: str = "") -> Outcome:
        """Complete the entry and add it to the journal.

        Returns:
            The outcome as the caller gets it: another one if the result is too large to be recorded.
        """
        step.ended_at = self._clock.now()
        if outcome.ok:
            is_live = call.is_live is not None and call.is_live(outcome.value)
            encoded = None if is_live else encode_value(outcome.value)
            call.is_volatile = encoded is None
            if is_live:
                step.display = display(outcome.value)
            elif encoded is None:
                self._warn_volatile(call)
            elif len(encoded.data) > RESULT_LIMIT_BYTES:
                outcome = self._too_large(call, len(encoded.data))
            else:
                step.display = display(outcome.value)
            if outcome.ok:
                step.carry(encoded, suffix)
                self.journal.add(step)
                return outcome
        step.ok = False
        step.carry(encode_exception(outcome.value), suffix)
        step.display = display(safe_repr(outcome.value))
        self.journal.add(step)
        return outcome

    def cancelled(self, step: Step, suffix: str = "") -> None:
        """Complete the entry of a call that was cancelled."""
        step.ended_at = self._clock.now()
        step.kind = Kind.CANCELLED
        step.ok = False
        step.encoding += suffix
        self.journal.add(step)

    def check(self, row: Row, call: Call, kinds: Container[str] = ACTIVITIES) -> None:
        """Raise `NonDeterminismError` unless the entry was recorded for such a call."""
        if row[NAME] != call.decision.name or row[KIND] not in kinds:
            self.mismatch(row, str(call))

    def check_sleep(self, row: Row, call: Call) -> None:
        """See `check`; the call is a sleep."""
        self.check(row, call, _SLEEPS)

    def mismatch(self, row: Row, actual: str) -> NoReturn:
        """The entry is not for what the code does now."""
        self._failure = NonDeterminismError(
            position=place_of(self.journal.number_of(row), row[BRANCH]),
            recorded=_at_place(row[NAME], row[FILE], row[LINE]),
            actual=actual,
        )
        raise self._failure

    def outcome_of(self, row: Row) -> Outcome:
        """What the entry recorded."""
        try:
            if row[OK]:
                return Outcome(ok=True, value=self.journal.value_of(row))
            return Outcome(ok=False, value=self.journal.exception_of(row))
        except Exception as exc:  # noqa: BLE001 - loading runs the value's own code
            self.mismatch(row, f"its recorded result cannot be loaded: {type(exc).__name__}: {exc}")

    def reply_of(self, row: Row) -> Any:
        """What the service answered to a recorded operation, which it refused if the row is not `OK`."""
        try:
            return self.journal.reply_of(row)
        except ValueError as exc:
            self.mismatch(row, f"its recorded result cannot be read: {exc}")

    def _warn_volatile(self, call: Call) -> None:
        name = call.decision.name
        if name in self._warned or len(self._warned) > _MAX_WARNED:
            return
        self._warned.add(name)
        self._output.emit(
            "warning",
            f"the result of {call} cannot be recorded, so this call will be made again if the session resumes; "
            "to make it and what follows one recorded unit, put both in a function marked @hookline.activity",
        )

    def _too_large(self, call: Call, size: int) -> Outcome:
        error = ResultTooLargeError(
            name=call.decision.name, size_bytes=size, limit_bytes=RESULT_LIMIT_BYTES
        )
        return Outcome(ok=False, value=error)


def place_of(number: int, branch: str) -> str:
    """Where in the journal an entry stands, for people; what hangs below an entry of a task is the task's."""
    task = _BELOW_A_TASK.split(branch, maxsplit=1)[0]
    return f"{number}, in task {task}" if task else f"{number}"


def _at_place(name: str, file: str, line: int) -> str:
    return f"{name} at {file}:{line}" if file else name
