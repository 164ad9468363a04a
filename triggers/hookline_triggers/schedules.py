"""What a schedule does when it is late, when fires overlap and when a session fails. Decisions only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice

from hookline_triggers.cron import ScheduleExpression
from hookline_triggers.definitions import DstPolicy, OverlapPolicy, SchedulePolicies

_MICROSECOND = timedelta(microseconds=1)
_MAX_COUNTED = 1000
ON_TIME_S = 10.0  # what is no later than this is on time, whatever the catch-up window


@dataclass(frozen=True, slots=True, kw_only=True)
class DueFires:
    """What to do about the time between two looks at a schedule.

    `fires`: to be started now, oldest first. `missed`: how many lie before the catch-up window and are given up;
    counting stops at 1000. `is_cut`: there are more due fires than the limit allowed; ask again with
    the last of `fires`. `next_fire_at`: the first fire after all that was looked at, None when there is none.
    """

    fires: tuple[datetime, ...]
    missed: int
    is_cut: bool
    next_fire_at: datetime | None


def due_fires(
    expression: ScheduleExpression,
    policies: SchedulePolicies,
    last: datetime,
    now: datetime,
    limit: int = 100,
) -> DueFires:
    """The fires after `last` up to and including `now`, by the catch-up window.

    A fire is made up for while it is at most `catchup_s` old; one that is up to 10 s old is on time and always due.
    After a pass `last` becomes the last of `fires`, or `now` when there was none. A clock that went back (`now`
    before `last`) makes nothing due twice. Jitter plays no part: it delays the start of a fire, not its being due.
    """
    dst = policies.dst
    kept_from = max(
        last, now - timedelta(seconds=max(policies.catchup_s, ON_TIME_S)) - _MICROSECOND
    )
    missed = 0
    if kept_from > last:
        given_up = expression.iter_between(last, min(kept_from, now), dst)
        missed = sum(1 for _ in islice(given_up, _MAX_COUNTED))
    found = tuple(islice(expression.iter_between(kept_from, now, dst), limit + 1))
    is_cut = len(found) > limit
    fires = found[:limit]
    next_fire_at = found[limit] if is_cut else expression.next_after(max(last, now), dst)
    return DueFires(fires=fires, missed=missed, is_cut=is_cut, next_fire_at=next_fire_at)


def backfill_fires(
    expression: ScheduleExpression,
    start: datetime,
    end: datetime,
    limit: int,
    dst: DstPolicy = DstPolicy.ONCE,
) -> tuple[datetime, ...]:
    """The fires from `start` up to `end`, both included, oldest first, at most `limit`."""
    return tuple(islice(expression.iter_between(start - _MICROSECOND, end, dst), limit))


def jitter_for(trigger_id: str, fire: datetime, jitter_s: float) -> timedelta:
    """The delay of one fire: below `jitter_s`, the same whenever it is asked for, spread evenly over triggers."""
    if jitter_s <= 0:
        return timedelta()
    seed = f"{trigger_id} {fire.astimezone(UTC).isoformat()}".encode()
    share = int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest(), "big") / 2**64
    return timedelta(microseconds=int(share * jitter_s * 1_000_000))


class OverlapAction(StrEnum):
    """What becomes of a fire while sessions of earlier fires run."""

    START = "start"
    SKIP = "skip"
    BUFFER = "buffer"
    CANCEL_OTHERS = "cancel_others"
    TERMINATE_OTHERS = "terminate_others"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapDecision:
    """What to do with a fire, which fire to start now if any, and which wait afterwards, oldest first.

    CANCEL_OTHERS and TERMINATE_OTHERS ask that the running sessions be stopped, politely or by force; the
    fire is in `buffered` and starts when the last of them has ended (`on_session_end`).
    """

    action: OverlapAction
    start: datetime | None
    buffered: tuple[datetime, ...]


def decide_overlap(
    policy: OverlapPolicy, running: int, buffered: tuple[datetime, ...], fire: datetime
) -> OverlapDecision:
    """What a due fire does, given how many sessions of the schedule run and which fires wait.

    SKIP drops the fire while anything runs; BUFFER_ONE keeps the first that came and drops later ones;
    BUFFER_ALL keeps every one; CANCEL_OTHER and TERMINATE_OTHER keep only the newest; ALLOW_ALL starts at
    once. A fire that waits already is not kept twice. When nothing runs and fires wait nevertheless (the schedule was
    resumed), the oldest of them starts and the new one waits, if the policy buffers.
    """
    if policy is OverlapPolicy.ALLOW_ALL:
        return OverlapDecision(action=OverlapAction.START, start=fire, buffered=buffered)
    if running <= 0:
        first, *later = _when_idle(policy, buffered, fire)
        return OverlapDecision(action=OverlapAction.START, start=first, buffered=tuple(later))
    action, waiting = _when_busy(policy, buffered, fire)
    return OverlapDecision(action=action, start=None, buffered=waiting)


def _when_idle(
    policy: OverlapPolicy, buffered: tuple[datetime, ...], fire: datetime
) -> list[datetime]:
    """The fire to start, then those to keep."""
    waiting = sorted({*buffered, fire})
    match policy:
        case OverlapPolicy.BUFFER_ALL:
            return waiting
        case OverlapPolicy.BUFFER_ONE:
            return waiting[:2]
        case _:
            return [fire]


def _when_busy(
    policy: OverlapPolicy, buffered: tuple[datetime, ...], fire: datetime
) -> tuple[OverlapAction, tuple[datetime, ...]]:
    if policy is OverlapPolicy.CANCEL_OTHER:
        return OverlapAction.CANCEL_OTHERS, (fire,)
    if policy is OverlapPolicy.TERMINATE_OTHER:
        return OverlapAction.TERMINATE_OTHERS, (fire,)
    has_room = policy is OverlapPolicy.BUFFER_ALL or not buffered
    if policy is OverlapPolicy.SKIP or fire in buffered or not has_room:
        return OverlapAction.SKIP, buffered
    return OverlapAction.BUFFER, tuple(sorted((*buffered, fire)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDecision:
    """What the end of a session means for its schedule.

    `start`: the waiting fire to start now, None if there is none. `buffered`: those that go on
    waiting. `is_paused`: the schedule is to be paused; waiting fires are kept.
    """

    start: datetime | None
    buffered: tuple[datetime, ...]
    is_paused: bool


def on_session_end(
    policy: OverlapPolicy,
    buffered: tuple[datetime, ...],
    *,
    failed: bool,
    pause_on_failure: bool,
    running: int = 0,
) -> EndDecision:
    """What to do when a session of the schedule has ended; `running` counts those that are left.

    `failed` means ended in error, and not that it was stopped on request. A paused schedule starts
    nothing; once resumed, call again with `failed` false.
    """
    if failed and pause_on_failure:
        return EndDecision(start=None, buffered=buffered, is_paused=True)
    must_wait = running > 0 and policy is not OverlapPolicy.ALLOW_ALL
    if must_wait or not buffered:
        return EndDecision(start=None, buffered=buffered, is_paused=False)
    first, *later = sorted(buffered)
    return EndDecision(start=first, buffered=tuple(later), is_paused=False)
