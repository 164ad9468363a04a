"""Further tries of an activity that failed: how many there were, and when the next one is, are in the journal.

Each failed try that another follows is an entry of kind `wait` below the activity's own position (`1!4` is the branch of
the tries of entry 4 of branch `1`). So a crash while the next try is waited for neither forgets the tries made nor
lengthens the wait; a try that a crash cuts off is not counted.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Final

from hookline.activities import ActivityPolicy
from hookline.errors import ActivityTimeoutError
from hookline_runner.session.display import display, safe_repr
from hookline_runner.session.journal import WAKE_AT, Kind, Step
from hookline_runner.session.output import LogStream
from hookline_runner.session.recording import Call, Outcome, Recorder
from hookline_runner.session.stopping import StopSwitch

_FAILED_TRIES: Final = frozenset({Kind.WAIT})
_AGAIN_S: Final = 0.01
_UNUSED: Final = (signal.SIG_DFL, signal.SIG_IGN, None)


class Tries:
    """The tries of one call of an activity with a policy. Those recorded earlier are taken from the journal."""

    __slots__ = ("_call", "_failed", "_path", "_recorder", "policy", "wake_at")

    def __init__(
        self, call: Call, policy: ActivityPolicy, position: tuple[str, int], recorder: Recorder
    ) -> None:
        path, index = position
        self._call = call
        self.policy = policy
        self._path = f"{path}!{index}"
        self._recorder = recorder
        self._failed = 0
        self.wake_at: float | None = None  # of the next try; None: at once
        self._take_recorded()

    def fail(self, outcome: Outcome, output: LogStream) -> bool:
        """Note and log what a try gave; true if another one follows, at `wake_at`."""
        error = outcome.value
        if outcome.ok or self.policy.retries == 0 or not isinstance(error, Exception):
            return False
        is_last = self._failed >= self.policy.retries or not self._is_retried(error)
        number = f"try {self._failed + 1} of {self.policy.retries + 1}"
        text = f"{self._call}, {number}, failed: {type(error).__name__}: {_text_of(error)}"
        if is_last:
            output.emit("warning", text)
            return False
        delay_s = self.policy.delay_s(self._failed + 1)
        output.emit("warning", f"{text}; the next one follows in {delay_s:g} s")
        self._record(error, delay_s)
        return True

    def _is_retried(self, error: Exception) -> bool:
        return isinstance(error, (ActivityTimeoutError, *self.policy.retry_on))

    def _take_recorded(self) -> None:
        recorder = self._recorder
        journal = recorder.journal
        while (row := journal.find_if_replaying(self._path, self._failed)) is not None:
            recorder.check(row, self._call, _FAILED_TRIES)
            journal.consume(row)
            self.wake_at = float(row[WAKE_AT])
            self._failed += 1

    def _record(self, error: Exception, delay_s: float) -> None:
        now = self._recorder.now()
        self.wake_at = now + delay_s
        self._recorder.journal.add(
            Step(
                branch=self._path,
                index=self._failed,
                kind=Kind.WAIT,
                name_json=self._call.decision.name_json,
                file=self._call.file,
                line=self._call.line,
                started_at=now,
                ended_at=now,
                ok=False,
                display=display(safe_repr(error)),
                wake_at=self.wake_at,
            )
        )
        self._failed += 1


def tries_of(call: Call, path: str, index: int, recorder: Recorder) -> Tries | None:
    """The tries of an activity at this position; None if it has no policy."""
    policy = call.decision.policy
    return None if policy is None else Tries(call, policy, (path, index), recorder)


class TimeLimit:
    """Ends a try in the main flow with `ActivityTimeoutError` when it takes too long.

    It is raised at the try's next Python instruction, by SIGALRM; what is inside a long call of C code is interrupted only
    where that call is by signals. Not set when the session's code uses that signal for itself.
    """

    __slots__ = ("_break_wait", "_inside", "_output", "_stop")

    def __init__(
        self,
        inside: CodeType,
        stop: StopSwitch,
        break_wait: Callable[[BaseException | None], None],
        output: LogStream,
    ) -> None:
        self._inside = inside  # raised only while this runs
        self._stop = stop
        self._break_wait = break_wait
        self._output = output

    @contextmanager
    def of(self, call: Call, seconds: float | None) -> Generator[None]:
        """The limit for this call, while the context lasts."""
        if seconds is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        former = signal.getsignal(signal.SIGALRM)
        if former not in _UNUSED or signal.getitimer(signal.ITIMER_REAL)[0]:
            self._output.emit(
                "warning",
                f"{call} runs without its time-out: the session's own code uses the signal SIGALRM",
            )
            yield
            return

        def ring(_signum: int, frame: FrameType | None) -> None:
            running: set[CodeType] = set()
            while frame is not None:
                running.add(frame.f_code)
                frame = frame.f_back
            if self._inside not in running:
                return
            error = ActivityTimeoutError(call.decision.name, seconds)
            is_waiting = self._stop.is_waiting(running)
            if is_waiting:
                self._break_wait(error)
            if is_waiting or self._stop.is_shielded(running):
                signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
                return
            self._break_wait(None)
            raise error

        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._break_wait(None)
            signal.signal(signal.SIGALRM, former)


def _text_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the error's own code: nothing is known of what it raises
        return "(its message cannot be had)"
