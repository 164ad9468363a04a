"""The marks of activities and their policies."""

from __future__ import annotations

import pickle  # noqa: TID251 - the runner's codec does
from collections.abc import Callable
from datetime import timedelta

import pytest

from hookline import activity
from hookline.activities import ACTIVITY_MARK, POLICY_MARK, ActivityPolicy
from hookline.errors import ActivityTimeoutError, CallRefusedError, HooklineError


def work() -> int:
    return 5


def test_a_bare_mark_has_no_policy():
    def function() -> int:
        return 5

    assert activity(function) is function
    assert getattr(function, ACTIVITY_MARK) is True
    assert not hasattr(function, POLICY_MARK)


def test_options_leave_a_policy_on_the_same_function():
    @activity(
        retries=3, backoff="1m30s", timeout=timedelta(seconds=10), retry_on=(KeyError, OSError)
    )
    def function() -> int:
        return 5

    assert function() == 5
    assert getattr(function, ACTIVITY_MARK) is True
    assert getattr(function, POLICY_MARK) == ActivityPolicy(
        retries=3, backoff_s=90.0, timeout_s=10.0, retry_on=(KeyError, OSError)
    )


def test_a_mark_with_empty_brackets_has_the_policy_of_one_try():
    @activity()
    def function() -> int:
        return 5

    assert getattr(function, POLICY_MARK) == ActivityPolicy()
    assert getattr(function, POLICY_MARK).retry_on == (Exception,)


@pytest.mark.parametrize(
    ("backoff", "seconds"),
    [("500ms", 0.5), ("1h2m3.5s", 3723.5), ("1d", 86400.0), (0, 0.0), (2, 2.0), (0.05, 0.05)],
)
def test_a_backoff_is_seconds_or_a_text(backoff: float | str, seconds: float):
    marked = activity(backoff=backoff)(work)

    assert getattr(marked, POLICY_MARK).backoff_s == pytest.approx(seconds)


def test_one_exception_may_stand_alone():
    marked = activity(retry_on=ConnectionError)(work)

    assert getattr(marked, POLICY_MARK).retry_on == (ConnectionError,)


def test_the_delay_doubles_up_to_an_hour():
    policy = ActivityPolicy(retries=5_000, backoff_s=1_000)

    delays = [policy.delay_s(retry) for retry in (1, 2, 3, 4, 5_000)]

    assert delays == [1000.0, 2000.0, 3600.0, 3600.0, 3600.0]
    assert ActivityPolicy(backoff_s=7_200).delay_s(3) == 7_200.0
    assert ActivityPolicy(backoff_s=0).delay_s(9) == 0.0


@pytest.mark.parametrize(
    ("mark", "error", "text"),
    [
        (lambda: activity(retries=-1), ValueError, "retries must not be negative"),
        (lambda: activity(retries="3"), TypeError, "retries must be an int, not str"),  # pyright: ignore[reportArgumentType] - wrong on purpose, here and below
        (lambda: activity(retries=True), TypeError, "not bool"),
        (lambda: activity(backoff=-1), ValueError, "backoff must not be negative"),
        (lambda: activity(backoff="soon"), ValueError, "'soon' is not a duration; write 500ms"),
        (lambda: activity(backoff="1s "), ValueError, "is not a duration"),
        (lambda: activity(backoff=""), ValueError, "is not a duration"),
        (lambda: activity(timeout=0), ValueError, "timeout must be more than 0"),
        (lambda: activity(timeout=[]), TypeError, "timeout must be seconds"),  # pyright: ignore[reportArgumentType]
        (lambda: activity(retry_on=("x",)), TypeError, "subclasses of Exception, not 'x'"),  # pyright: ignore[reportArgumentType]
        (lambda: activity(retry_on=KeyboardInterrupt), TypeError, "subclasses of Exception"),  # pyright: ignore[reportArgumentType]
        (lambda: activity(3), TypeError, "marks a function, not 3; options are given by name"),  # pyright: ignore[reportArgumentType, reportUnknownLambdaType]
    ],
)  # fmt: skip
def test_an_option_that_is_none_is_refused(
    mark: Callable[[], object], error: type[Exception], text: str
):
    with pytest.raises(error, match=text):
        mark()


def test_refusals_and_time_outs_survive_a_recording():
    refused = pickle.loads(pickle.dumps(CallRefusedError("session.final", "it has ended")))  # noqa: S301 - our own bytes
    late = pickle.loads(pickle.dumps(ActivityTimeoutError("fetch", 2.5)))  # noqa: S301 - our own bytes

    assert isinstance(refused, HooklineError)
    assert (type(refused), refused.code, str(refused)) == (
        CallRefusedError,
        "session.final",
        "it has ended",
    )
    assert issubclass(ActivityTimeoutError, TimeoutError)
    assert (str(late), late.timeout_s) == ("fetch took longer than 2.5 seconds", 2.5)
    assert CallRefusedError.code == "session.call_refused"
