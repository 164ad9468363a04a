"""When an expression fires, computed here and without a service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from hookline_cli.failures import ArgumentInvalidError

_FIRST_YEAR = 1900
_LAST_YEAR = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class FireTimes:
    """What an expression means in words, its next fires in RFC 3339 with the zone's offset, and what to be told of.

    `remarks` are what clock changes do to it. `doubts` say what it would mean elsewhere, each with what to write.
    """

    description: str
    times: tuple[str, ...]
    remarks: tuple[str, ...]
    doubts: tuple[str, ...]


def list_fire_times(expression: str, timezone: str, count: int, start: str | None) -> FireTimes:
    """The fires of an expression after a time, and its meaning.

    Raises:
        ArgumentInvalidError: `start` is no time.
        ScheduleInvalidError: the expression has no clear meaning.
        TimezoneUnknownError: there is no such zone.
    """
    from hookline_triggers.cron import parse_schedule
    from hookline_triggers.zones import get_zone

    schedule = parse_schedule(expression, timezone)
    zone = get_zone(schedule.timezone)
    begin = moment = _parse_time(start)
    times: list[str] = []
    while len(times) < count:
        fire = schedule.next_after(moment)
        if fire is None:
            break
        times.append(fire.astimezone(zone).isoformat())
        moment = fire
    return FireTimes(
        description=schedule.describe(),
        times=tuple(times),
        remarks=schedule.describe_clock_changes(begin),
        doubts=tuple(f"{one.problem}; {one.hint}" for one in schedule.doubts),
    )


def _parse_time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)  # noqa: TID251 (what a person at the terminal calls now)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        problem = f"{text!r} is not a time; write it as 2026-03-29T00:00Z"
        raise ArgumentInvalidError("--from", problem) from exc
    if not _FIRST_YEAR < moment.year < _LAST_YEAR:
        raise ArgumentInvalidError("--from", f"{text!r} is too far away")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
