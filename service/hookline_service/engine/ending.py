"""What an attempt's end means for its session: one pure decision."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hookline_service.model.sessions import AttemptOutcome, SessionError, SessionState

MAX_CRASHES = 3
MAX_SHARED_CRASHES = 20
MAX_START_FAILURES = 20
_CRASH_DELAY_S = 0.25
_STORE_DELAY_S = 1.0
_LONGEST_DELAY_S = 15.0


class Next(StrEnum):
    """What the engine does with the session now."""

    END = "end"
    WAIT = "wait"
    RESUME = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The function returned (`ok`) or raised; `stopped` says it ended because it was asked to.

    `result` is for people, `answer` the value itself as JSON text of `hookline.values`, if it was asked for.
    """

    ok: bool
    stopped: bool
    result: bytes | None
    error: SessionError | None
    answer: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """The session has nothing to do before `wake_at` (None: no time), or before something comes for a topic."""

    wake_at: datetime | None
    topics: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What it waits for, for people."""
        times = [f"until {self.wake_at.isoformat(timespec='milliseconds')}"] if self.wake_at else []
        names = [topic.removeprefix("sig:") for topic in self.topics if topic.startswith("sig:")]
        signals = [f"for the signal {' or '.join(repr(name)[:200] for name in names[:5])}"]
        is_for_events = any(topic.startswith("sub:") for topic in self.topics)
        parts = [*times, *(signals if names else []), *(["for an event"] if is_for_events else [])]
        return "waiting " + ", or ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How the process went: `reason` is `exited`, `killed`, `memory`, `start_failed`, or a verdict of the service.

    Verdicts are `lost` (its host is gone), `store` (what it did could not be written) and `protocol` (it said what it
    may not).
    """

    reason: str
    status: int | None = None
    signal: int | None = None
    detail: str = ""


class CrashCause(StrEnum):
    """What a process that is gone died of; each is counted by itself."""

    ITSELF = "itself"
    OTHERS = "others"
    START = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """Everything the decision needs.

    `crashes` counts the attempts before it that died for the same `CrashCause`, with nothing recorded since.
    """

    is_durable: bool
    done: Done | None
    suspension: Suspension | None
    exit: Exit
    stop_reason: str | None
    timed_out_after_s: float | None
    crashes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The decision. `text` is for the session's log."""

    next: Next
    state: SessionState
    outcome: AttemptOutcome
    text: str
    error: SessionError | None = None
    stop_reason: str = ""
    result: bytes | None = None
    wake_at: datetime | None = None
    topics: tuple[str, ...] = ()
    answer: bytes | None = None


_SENTENCES = {
    "lost": "the runner host was lost",
    "store": "the database could not be written",
    "protocol": "the process broke the protocol: {detail}",
    "internal": "the service could not act on what the process said: {detail}",
    "start_failed": "the process could not be started: {detail}",
    "memory": "its processes used too much memory: {detail}",
    "disk": "its files took too much room: {detail}",
}

_ERROR_OF_LIMIT = {"memory": "MemoryError", "disk": "OSError"}


def describe_exit(how: Exit) -> str:
    """How the process went, for people."""
    sentence = _SENTENCES.get(how.reason)
    if sentence is not None:
        return sentence.replace("{detail}", how.detail)
    if how.reason == "killed" and how.detail:
        return f"its host killed the process: {how.detail}"
    if how.signal is not None:
        return f"the process was killed by {_name_of_signal(how.signal)}"
    if how.status is None:
        return "the process was ended together with the others of its build"
    return f"the process exited with status {how.status} before the function returned"


def _name_of_signal(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} (signal {number})"
    except ValueError:
        return f"signal {number}"


def crash_cause_of(how: Exit) -> CrashCause:
    """Whether the session's own code seems to have ended its process."""
    if how.reason == "start_failed":
        return CrashCause.START
    if how.reason not in _SENTENCES and how.signal is None and how.status is None:
        return CrashCause.OTHERS
    return CrashCause.ITSELF


def decide_ending(facts: AttemptFacts) -> Ending:
    """Where the session goes from here."""
    if facts.done is not None and facts.done.ok:
        return Ending(
            next=Next.END,
            state=SessionState.COMPLETED,
            outcome=AttemptOutcome.FINISHED,
            text="completed",
            result=facts.done.result,
            answer=facts.done.answer,
        )
    if facts.timed_out_after_s is not None:
        message = f"the session did not end within its timeout of {facts.timed_out_after_s:g} s"
        return failure(SessionError(type="TimeoutError", message=message), AttemptOutcome.STOPPED)
    if facts.stop_reason is not None:
        return Ending(
            next=Next.END,
            state=SessionState.STOPPED,
            outcome=AttemptOutcome.STOPPED,
            text=f"stopped: {facts.stop_reason}",
            stop_reason=facts.stop_reason,
        )
    if facts.done is not None:
        error = facts.done.error or SessionError(type="Error", message="the function failed")
        return failure(error, AttemptOutcome.FINISHED)
    if facts.suspension is not None:
        return Ending(
            next=Next.WAIT,
            state=SessionState.WAITING,
            outcome=AttemptOutcome.SUSPENDED,
            text=facts.suspension.text,
            wake_at=facts.suspension.wake_at,
            topics=facts.suspension.topics,
        )
    return _decide_crash(facts)


def _decide_crash(facts: AttemptFacts) -> Ending:
    what = describe_exit(facts.exit)
    if facts.exit.reason == "start_failed":
        return _decide_start_failure(facts, what)
    error_type = _ERROR_OF_LIMIT.get(facts.exit.reason)
    if error_type is not None:  # as if its code had met the limit itself
        error = SessionError(type=error_type, message=facts.exit.detail)
        return failure(error, AttemptOutcome.CRASHED)
    is_lost = facts.exit.reason in ("lost", "store")
    outcome = AttemptOutcome.LOST if is_lost else AttemptOutcome.CRASHED
    if not facts.is_durable:
        message = f"{what}; a session that is not durable cannot be resumed"
        return failure(SessionError(type="SessionLostError", message=message), outcome)
    is_shared = crash_cause_of(facts.exit) is CrashCause.OTHERS
    limit = MAX_SHARED_CRASHES if is_shared else MAX_CRASHES
    if not is_lost and facts.crashes + 1 >= limit:
        message = f"{what}, {facts.crashes + 1} times in a row at the same place"
        return failure(SessionError(type="ProcessCrashError", message=message), outcome)
    return Ending(
        next=Next.RESUME,
        state=SessionState.RUNNING,
        outcome=outcome,
        text=f"{what}; resuming from the journal. An activity that was cut off runs again",
    )


def _decide_start_failure(facts: AttemptFacts, what: str) -> Ending:
    """No line of user code ran: try again, more and more slowly, for it is hardly the session's fault."""
    if facts.crashes + 1 >= MAX_START_FAILURES:
        message = f"{what}, {facts.crashes + 1} times in a row"
        error = SessionError(type="ProcessStartError", message=message)
        return failure(error, AttemptOutcome.CRASHED)
    return Ending(
        next=Next.RESUME,
        state=SessionState.RUNNING,
        outcome=AttemptOutcome.CRASHED,
        text=f"{what}; trying again in {resume_delay_s(facts.exit, facts.crashes):g} s",
    )


def resume_delay_s(how: Exit, crashes: int) -> float:
    """How long to wait before the next attempt; `crashes` counts those in a row before this one."""
    match how.reason:
        case "lost":
            return 0.0
        case "store":
            return _STORE_DELAY_S
        case "start_failed":
            return min(_CRASH_DELAY_S * 2**crashes, _LONGEST_DELAY_S)
        case _:
            return _CRASH_DELAY_S


def failure(error: SessionError, outcome: AttemptOutcome) -> Ending:
    """The session ends with this error."""
    return Ending(
        next=Next.END,
        state=SessionState.ERROR,
        outcome=outcome,
        text=": ".join(part for part in ("error", error.type, error.message) if part),
        error=error,
    )
