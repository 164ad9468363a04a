from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from hookline_triggers.cron import parse_schedule
from hookline_triggers.definitions import DstPolicy, OverlapPolicy, SchedulePolicies
from hookline_triggers.schedules import (
    OverlapAction,
    backfill_fires,
    decide_overlap,
    due_fires,
    jitter_for,
    on_session_end,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVERY_MINUTE = parse_schedule("* * * * *")
HOURLY = parse_schedule("0 * * * *")


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_a_fire_that_is_due_starts_and_the_next_one_is_told() -> None:
    due = due_fires(HOURLY, SchedulePolicies(), after(-30), NOON)

    assert due.fires == (NOON,)
    assert due.missed == 0
    assert due.next_fire_at == after(60)


def test_before_the_first_fire_nothing_is_due() -> None:
    due = due_fires(HOURLY, SchedulePolicies(), after(1), after(2))

    assert due.fires == ()
    assert due.next_fire_at == after(60)


def test_fires_within_the_catch_up_window_are_made_up_for_and_older_ones_counted() -> None:
    due = due_fires(EVERY_MINUTE, SchedulePolicies(catchup_s=180), after(-10), after(0.5))

    assert due.fires == (after(-2), after(-1), NOON)
    assert due.missed == 7
    assert due.next_fire_at == after(1)


@pytest.mark.parametrize(("late_s", "count"), [(0.0, 1), (0.2, 1), (10.0, 1), (10.001, 0), (59, 0)])
def test_without_catch_up_a_fire_is_due_only_while_it_is_on_time(late_s: float, count: int) -> None:
    policies = SchedulePolicies(catchup_s=0)

    due = due_fires(HOURLY, policies, after(-1), NOON + timedelta(seconds=late_s))

    assert len(due.fires) == count
    assert due.missed == 1 - count


def test_a_fire_at_the_very_edge_of_the_window_is_made_up_for() -> None:
    due = due_fires(HOURLY, SchedulePolicies(catchup_s=600), after(-30), after(10))

    assert due.fires == (NOON,)


def test_looking_twice_makes_nothing_due_twice() -> None:
    first = due_fires(EVERY_MINUTE, SchedulePolicies(catchup_s=600), after(-3), NOON)

    second = due_fires(EVERY_MINUTE, SchedulePolicies(catchup_s=600), first.fires[-1], NOON)

    assert (second.fires, second.missed) == ((), 0)


def test_a_clock_that_went_back_makes_nothing_due_again() -> None:
    due = due_fires(EVERY_MINUTE, SchedulePolicies(catchup_s=600), NOON, after(-30))

    assert due.fires == ()
    assert due.missed == 0
    assert due.next_fire_at == after(1)


def test_more_fires_than_the_limit_come_in_several_passes() -> None:
    policies = SchedulePolicies(catchup_s=3600)
    last, passes = after(-10), list[datetime]()

    for _ in range(4):
        due = due_fires(EVERY_MINUTE, policies, last, NOON, limit=3)
        passes += due.fires
        last = due.fires[-1]

    assert passes == [after(n) for n in range(-9, 1)]
    assert not due.is_cut


def test_the_next_fire_of_a_cut_pass_is_the_first_that_was_left() -> None:
    due = due_fires(EVERY_MINUTE, SchedulePolicies(catchup_s=3600), after(-10), NOON, limit=3)

    assert due.is_cut
    assert due.next_fire_at == after(-6)


@pytest.mark.timeout(5)
def test_a_year_of_lost_seconds_is_not_counted_to_the_end() -> None:
    seconds = parse_schedule("* * * * * * *")

    due = due_fires(seconds, SchedulePolicies(catchup_s=0), NOON - timedelta(days=365), NOON)

    assert due.missed == 1000
    assert len(due.fires) == 11


def test_a_schedule_that_is_over_has_no_next_fire() -> None:
    due = due_fires(parse_schedule("0 0 1 1 * 2020"), SchedulePolicies(), NOON, after(5))

    assert (due.fires, due.next_fire_at) == ((), None)


def test_due_fires_follow_the_policy_for_clock_changes() -> None:
    schedule = parse_schedule("30 2 * * *", "Europe/Prague")
    morning = datetime(2026, 3, 29, tzinfo=UTC)
    policies = SchedulePolicies(catchup_s=86400, dst=DstPolicy.SKIP)

    due = due_fires(schedule, policies, morning, morning + timedelta(hours=6))

    assert due.fires == ()


def test_a_backfill_includes_both_ends_and_stops_at_its_limit() -> None:
    assert backfill_fires(HOURLY, NOON, after(120), 10) == (NOON, after(60), after(120))
    assert backfill_fires(HOURLY, NOON, after(120), 2) == (NOON, after(60))
    assert backfill_fires(HOURLY, after(120), NOON, 10) == ()


@given(
    trigger=st.text(max_size=20),
    jitter_s=st.floats(0, 86400),
    minutes=st.integers(0, 10**6),
)
def test_jitter_is_stable_and_below_its_bound(trigger: str, jitter_s: float, minutes: int) -> None:
    delay = jitter_for(trigger, after(minutes), jitter_s)

    assert timedelta() <= delay <= timedelta(seconds=jitter_s)
    assert delay == jitter_for(trigger, after(minutes), jitter_s)


def test_jitter_spreads_the_triggers_of_one_fire() -> None:
    delays = [jitter_for(f"trg_{n}", NOON, 60).total_seconds() for n in range(600)]

    buckets = [sum(1 for delay in delays if low <= delay < low + 10) for low in range(0, 60, 10)]

    assert min(buckets) > 60


A, B, C = after(1), after(2), after(3)
START, SKIP, BUFFER = OverlapAction.START, OverlapAction.SKIP, OverlapAction.BUFFER
CANCEL, TERMINATE = OverlapAction.CANCEL_OTHERS, OverlapAction.TERMINATE_OTHERS


@pytest.mark.parametrize(
    ("policy", "running", "buffered", "action", "start", "kept"),
    [
        ("skip", 0, (), START, C, ()),
        ("skip", 1, (), SKIP, None, ()),
        ("skip", 3, (), SKIP, None, ()),
        ("skip", 0, (A,), START, C, ()),
        ("buffer_one", 0, (), START, C, ()),
        ("buffer_one", 1, (), BUFFER, None, (C,)),
        ("buffer_one", 1, (A,), SKIP, None, (A,)),
        ("buffer_one", 1, (C,), SKIP, None, (C,)),
        ("buffer_one", 0, (A,), START, A, (C,)),
        ("buffer_one", 0, (A, B), START, A, (B,)),
        ("buffer_all", 0, (), START, C, ()),
        ("buffer_all", 1, (), BUFFER, None, (C,)),
        ("buffer_all", 2, (A, B), BUFFER, None, (A, B, C)),
        ("buffer_all", 1, (A, C), SKIP, None, (A, C)),
        ("buffer_all", 0, (A, B), START, A, (B, C)),
        ("buffer_all", 0, (C,), START, C, ()),
        ("cancel_other", 0, (), START, C, ()),
        ("cancel_other", 1, (), CANCEL, None, (C,)),
        ("cancel_other", 1, (A,), CANCEL, None, (C,)),
        ("cancel_other", 0, (A,), START, C, ()),
        ("terminate_other", 0, (), START, C, ()),
        ("terminate_other", 2, (), TERMINATE, None, (C,)),
        ("terminate_other", 1, (B,), TERMINATE, None, (C,)),
        ("terminate_other", 0, (B,), START, C, ()),
        ("allow_all", 0, (), START, C, ()),
        ("allow_all", 9, (), START, C, ()),
        ("allow_all", 9, (A,), START, C, (A,)),
    ],
)
def test_a_fire_does_what_its_overlap_policy_says(
    policy: str,
    running: int,
    buffered: tuple[datetime, ...],
    action: OverlapAction,
    start: datetime | None,
    kept: tuple[datetime, ...],
) -> None:
    decision = decide_overlap(OverlapPolicy(policy), running, buffered, C)

    assert (decision.action, decision.start, decision.buffered) == (action, start, kept)


@pytest.mark.parametrize(
    ("policy", "buffered", "running", "start", "kept"),
    [
        ("skip", (), 0, None, ()),
        ("buffer_one", (A,), 0, A, ()),
        ("buffer_one", (A,), 1, None, (A,)),
        ("buffer_all", (A, B, C), 0, A, (B, C)),
        ("buffer_all", (B, A), 0, A, (B,)),
        ("buffer_all", (A,), 2, None, (A,)),
        ("cancel_other", (C,), 0, C, ()),
        ("cancel_other", (C,), 1, None, (C,)),
        ("terminate_other", (C,), 0, C, ()),
        ("terminate_other", (C,), 1, None, (C,)),
        ("allow_all", (), 0, None, ()),
        ("allow_all", (A,), 4, A, ()),
    ],
)
@pytest.mark.parametrize("failed", [True, False])
def test_the_end_of_a_session_starts_the_fire_that_waited_longest(
    policy: str,
    buffered: tuple[datetime, ...],
    running: int,
    start: datetime | None,
    kept: tuple[datetime, ...],
    failed: bool,
) -> None:
    decision = on_session_end(
        OverlapPolicy(policy), buffered, failed=failed, pause_on_failure=False, running=running
    )

    assert (decision.start, decision.buffered, decision.is_paused) == (start, kept, False)


@pytest.mark.parametrize("policy", list(OverlapPolicy))
def test_a_failure_pauses_a_schedule_that_asks_for_it_and_keeps_what_waits(
    policy: OverlapPolicy,
) -> None:
    failed = on_session_end(policy, (A, B), failed=True, pause_on_failure=True)
    succeeded = on_session_end(policy, (A, B), failed=False, pause_on_failure=True)

    assert (failed.start, failed.buffered, failed.is_paused) == (None, (A, B), True)
    assert not succeeded.is_paused
