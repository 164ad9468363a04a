"""Further tries of an activity that failed: how many there were, and when the next one is, are in the journal.

Each failed try that another follows is an entry of kind `wait` below the activity's own position (`1!4` is the branch of
the tries of entry 4 of branch `1`). So a crash while the next try is waited for neither forgets the tries made nor
lengthens the wait; a try that a crash cuts off is not counted.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, FunctionType
from typing import Final, cast

from hookline.activities import ActivityPolicy
from hookline.errors import ActivityTimeoutError
from hookline_runner.session.display import display, safe_repr
from hookline_runner.session.journal import WAKE_AT, Kind, Step
from hookline_runner.session.output import LogStream
from hookline_runner.session.recording import Call, Outcome, Recorder
from hookline_runner.session.stopping import StopSwitch, codes_above

_FAILED_TRIES: Final = frozenset({Kind.WAIT})
_set_handler: Final = signal.signal  # kept: the session's own code gets another one
_AGAIN_S: Final = 0.01
_SHORTEST_PATIENCE_S: Final = 5.0  # with code that caught the error and goes on, be it to clean up
_UNUSED: Final = (signal.SIG_DFL, signal.SIG_IGN, None)


class Tries:
    """The tries of one call of an activity with a policy. Those recorded earlier are taken from the journal."""

    __slots__ = ("_call", "_failed", "_path", "_recorder", "policy", "started_at", "wake_at")

    def __init__(
        self, call: Call, policy: ActivityPolicy, position: tuple[str, int], recorder: Recorder
    ) -> None:
        path, index = position
        self._call = call
        self.policy = policy
        self._path = f"{path}!{index}"
        self._recorder = recorder
        self._failed = 0
        self.started_at = recorder.now()  # of the try under way
        self.wake_at: float | None = None  # of the next try; None: at once
        self._take_recorded()

    def begin(self) -> None:
        """Note that a try begins now."""
        self.started_at = self._recorder.now()

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
                started_at=self.started_at,
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

    Raised in what the try calls, and nowhere else. Where something would be torn, or where Python drops what is raised
    (see `StopSwitch.is_shielded`), it comes a moment later. Code that catches it and goes on gets it again.
    """

    __slots__ = ("_attempt", "_break_wait", "_output", "_stop")

    def __init__(
        self,
        attempt: Callable[[Call], Outcome],
        stop: StopSwitch,
        break_wait: Callable[[BaseException | None], bool],
        output: LogStream,
    ) -> None:
        self._attempt = attempt
        self._stop = stop
        self._break_wait = break_wait
        self._output = output

    def run(self, call: Call, seconds: float | None) -> Outcome:
        """Make the call within that time; whatever it raises is its outcome."""
        if seconds is None or threading.current_thread() is not threading.main_thread():
            return self._attempt(call)
        former = signal.getsignal(signal.SIGALRM)
        if former not in _UNUSED or signal.getitimer(signal.ITIMER_REAL)[0]:
            self._output.emit(
                "warning",
                f"{call} runs without its timeout: the session's own code uses the signal SIGALRM",
            )
            return self._attempt(call)
        alarm = _Alarm(call.decision.name, seconds, self._attempt, self._stop, self._break_wait)
        _set_handler(signal.SIGALRM, alarm.ring)
        try:
            alarm.set(seconds)
            return self._attempt(call)
        except ActivityTimeoutError as exc:
            if exc is not alarm.error:
                raise
            return Outcome(ok=False, value=exc)  # it came while the call began or ended
        finally:
            alarm.end()
            _set_handler(signal.SIGALRM, former)


class _Alarm:
    """Rings until the error was raised in the try that it is set for."""

    __slots__ = (
        "_break_wait",
        "_inside",
        "_is_offered",
        "_is_over",
        "_name",
        "_seconds",
        "_stop",
        "error",
    )

    def __init__(
        self,
        name: str,
        seconds: float,
        attempt: Callable[[Call], Outcome],
        stop: StopSwitch,
        break_wait: Callable[[BaseException | None], bool],
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._inside = cast("FunctionType", attempt).__code__
        self._stop = stop
        self._break_wait = break_wait
        self._is_offered = False  # to a wait, which raises it
        self._is_over = False
        self.error: ActivityTimeoutError | None = None  # raised last, if it was not by a wait

    def set(self, seconds: float) -> None:
        """Ring then, and again soon: a system call that a signal comes just before does not end by it."""
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)

    def end(self) -> None:
        """The try is over."""
        self._is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._break_wait(None)

    def ring(self, _signum: int, frame: FrameType | None) -> None:
        """Raise the error, if this is a place for it; if not, ring again soon."""
        if self._is_over:
            return
        was_raised = self._is_offered and not self._break_wait(None)
        self._is_offered = False
        if was_raised:
            self.set(max(self._seconds, _SHORTEST_PATIENCE_S))
            return
        running, is_inside = codes_above(self._inside, frame)
        if not is_inside or self._stop.is_shielded(running):
            self.set(_AGAIN_S)
            return
        error = ActivityTimeoutError(self._name, self._seconds)
        if self._stop.is_waiting(running):
            self._is_offered = True
            self._break_wait(error)
            self.set(_AGAIN_S)
            return
        self.error = error
        self.set(max(self._seconds, _SHORTEST_PATIENCE_S))
        raise error


def _text_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the error's own code: nothing is known of what it raises
        return "(its message is not available)"
