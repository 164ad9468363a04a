from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from hookline_triggers.definitions import RetryPolicy
from hookline_triggers.retries import next_retry_at

ENDED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("number", "wait_s"), [(1, 1), (2, 2), (3, 4), (4, 5), (9, 5)])
def test_each_wait_grows_by_the_factor_up_to_the_ceiling(number: int, wait_s: float) -> None:
    policy = RetryPolicy(max_attempts=10, initial_s=1, factor=2, max_s=5)

    assert next_retry_at(policy, number, ENDED) == ENDED + timedelta(seconds=wait_s)


@pytest.mark.parametrize(("max_attempts", "number"), [(1, 1), (0, 1), (3, 3), (3, 0), (3, -1)])
def test_past_the_allowed_attempts_there_is_no_retry(max_attempts: int, number: int) -> None:
    assert next_retry_at(RetryPolicy(max_attempts=max_attempts), number, ENDED) is None


@pytest.mark.parametrize("number", [2000, 10**9])
def test_very_many_retries_wait_for_the_ceiling(number: int) -> None:
    policy = RetryPolicy(max_attempts=10**10, initial_s=1, factor=1e300, max_s=60)

    assert next_retry_at(policy, number, ENDED) == ENDED + timedelta(seconds=60)


def test_the_answer_is_in_utc() -> None:
    ended = ENDED.astimezone(timezone(timedelta(hours=5)))

    retry_at = next_retry_at(RetryPolicy(max_attempts=2), 1, ended)

    assert retry_at is not None
    assert retry_at.tzinfo is UTC
