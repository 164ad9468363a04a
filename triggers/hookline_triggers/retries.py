"""When a session that ended in error is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hookline_triggers.definitions import RetryPolicy

_MAX_DOUBLINGS = 1000  # past this every factor above 1 has long reached the ceiling


def next_retry_at(policy: RetryPolicy, retry_number: int, ended_at: datetime) -> datetime | None:
    """When retry `retry_number` (1 is the first) begins, in UTC; None if the policy allows no more.

    The attempts of `RetryPolicy.max_attempts` include the first session, so 1 means no retry. Each wait is
    `factor` times the one before, at most `max_s`.
    """
    if not 1 <= retry_number < policy.max_attempts:
        return None
    return ended_at.astimezone(UTC) + timedelta(seconds=_wait_s(policy, retry_number))


def _wait_s(policy: RetryPolicy, retry_number: int) -> float:
    exponent = min(retry_number - 1, _MAX_DOUBLINGS)
    try:
        wait_s = policy.initial_s * policy.factor**exponent
    except OverflowError:
        return policy.max_s
    return max(0.0, min(wait_s, policy.max_s))
