from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hookline_service.engine.ending import (
    MAX_CRASHES,
    MAX_SHARED_CRASHES,
    MAX_START_FAILURES,
    AttemptFacts,
    Done,
    Exit,
    Next,
    Suspension,
    decide_ending,
    describe_exit,
    failure,
    resume_delay_s,
)
from hookline_service.model.sessions import AttemptOutcome, SessionError, SessionState

LATER = datetime(2026, 1, 1, tzinfo=UTC)
RAISED = Done(
    ok=False,
    stopped=False,
    result=None,
    error=SessionError(type="ValueError", message="no"),
)
RETURNED = Done(ok=True, stopped=False, result=b"1", error=None)
FACTS = AttemptFacts(
    is_durable=True,
    done=None,
    suspension=None,
    exit=Exit(reason="exited", status=0),
    stop_reason=None,
    timed_out_after_s=None,
    crashes=0,
)
KILLED = Exit(reason="exited", signal=9)
LOST = Exit(reason="lost")
SWEPT = Exit(reason="exited")


@pytest.mark.parametrize(
    ("facts", "state", "following"),
    [
        (replace(FACTS, done=RETURNED), SessionState.COMPLETED, Next.END),
        (replace(FACTS, done=RAISED), SessionState.ERROR, Next.END),
        (replace(FACTS, suspension=Suspension(wake_at=LATER)), SessionState.WAITING, Next.WAIT),
        (replace(FACTS, done=RETURNED, stop_reason="enough"), SessionState.COMPLETED, Next.END),
        (replace(FACTS, done=RAISED, stop_reason="enough"), SessionState.STOPPED, Next.END),
        (
            replace(FACTS, suspension=Suspension(wake_at=LATER), stop_reason="x"),
            SessionState.STOPPED,
            Next.END,
        ),
        (replace(FACTS, exit=KILLED, stop_reason="x"), SessionState.STOPPED, Next.END),
        (replace(FACTS, exit=KILLED, timed_out_after_s=5.0), SessionState.ERROR, Next.END),
        (replace(FACTS, exit=KILLED), SessionState.RUNNING, Next.RESUME),
        (replace(FACTS, exit=KILLED, crashes=MAX_CRASHES - 1), SessionState.ERROR, Next.END),
        (replace(FACTS, exit=LOST, crashes=100), SessionState.RUNNING, Next.RESUME),
        (replace(FACTS, exit=SWEPT, crashes=MAX_CRASHES), SessionState.RUNNING, Next.RESUME),
        (replace(FACTS, exit=SWEPT, crashes=MAX_SHARED_CRASHES - 1), SessionState.ERROR, Next.END),
        (replace(FACTS, exit=KILLED, is_durable=False), SessionState.ERROR, Next.END),
        (replace(FACTS, exit=LOST, is_durable=False), SessionState.ERROR, Next.END),
    ],
)
def test_the_end_of_an_attempt_decides_where_its_session_goes(
    facts: AttemptFacts, state: SessionState, following: Next
) -> None:
    ending = decide_ending(facts)

    assert (ending.state, ending.next) == (state, following)


def test_a_process_that_its_host_killed_is_named_with_the_reason() -> None:
    how = Exit(reason="killed", signal=9, detail="a second STARTED")

    assert describe_exit(how) == "its host killed the process: a second STARTED"


def test_a_killed_process_is_named_with_its_signal() -> None:
    ending = decide_ending(replace(FACTS, exit=KILLED, is_durable=False))

    assert ending.error is not None
    assert "signal 9" in ending.error.message
    assert ending.outcome is AttemptOutcome.CRASHED


def test_every_ending_in_error_says_why() -> None:
    ending = decide_ending(replace(FACTS, exit=KILLED, timed_out_after_s=5.0))

    assert ending.error is not None
    assert "5 s" in ending.error.message


UNSTARTED = Exit(reason="start_failed", detail="no memory")


@pytest.mark.parametrize("is_durable", [True, False])
def test_a_process_that_could_not_be_started_is_tried_again(is_durable: bool) -> None:
    facts = replace(FACTS, exit=UNSTARTED, is_durable=is_durable, crashes=MAX_CRASHES)

    ending = decide_ending(facts)

    assert ending.next is Next.RESUME


def test_a_process_that_can_never_be_started_ends_the_session() -> None:
    ending = decide_ending(replace(FACTS, exit=UNSTARTED, crashes=MAX_START_FAILURES - 1))

    assert ending.state is SessionState.ERROR
    assert "no memory" in ending.text


def test_each_failed_start_is_waited_for_longer_up_to_a_limit() -> None:
    waits = [resume_delay_s(UNSTARTED, crashes) for crashes in range(MAX_START_FAILURES)]

    assert waits == sorted(waits)
    assert waits[0] < 1
    assert waits[-1] == 15.0


def test_a_process_that_went_down_with_others_is_told_as_that() -> None:
    ending = decide_ending(replace(FACTS, exit=SWEPT))

    assert "together with the others" in ending.text
    assert "None" not in ending.text


def test_a_signal_is_named_and_an_error_without_a_message_ends_in_no_colon() -> None:
    named = [describe_exit(Exit(reason="exited", signal=number)) for number in (9, 11, 63, 999)]
    bare = failure(SessionError(type="MemoryError", message=""), AttemptOutcome.FINISHED)

    assert named == [
        "the process was killed by SIGKILL (signal 9)",
        "the process was killed by SIGSEGV (signal 11)",
        "the process was killed by signal 63",
        "the process was killed by signal 999",
    ]
    assert bare.text == "error: MemoryError"


@pytest.mark.parametrize(("reason", "error"), [("memory", "MemoryError"), ("disk", "OSError")])
@pytest.mark.parametrize("is_durable", [True, False])
def test_a_limit_ends_a_session_as_if_its_code_had_met_it(
    is_durable: bool, reason: str, error: str
) -> None:
    detail = "over the limit of 512 MiB; a setting sets it"
    ending = decide_ending(
        replace(FACTS, exit=Exit(reason=reason, detail=detail), is_durable=is_durable)
    )

    assert ending.next is Next.END
    assert ending.state is SessionState.ERROR
    assert ending.text == f"error: {error}: {detail}"
