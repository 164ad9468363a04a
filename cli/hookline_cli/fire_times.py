"""When an expression fires, computed here and without a service."""

from __future__ import annotations

from datetime import UTC, datetime

from hookline_cli.failures import ArgumentInvalidError


def list_fire_times(
    expression: str, timezone: str, count: int, start: str | None
) -> tuple[str, list[str]]:
    """What the expression means in words, and its next fires in RFC 3339 with the zone's offset.

    Raises:
        ArgumentInvalidError: `start` is no time.
        ScheduleInvalidError: the expression has no clear meaning.
        TimezoneUnknownError: there is no such zone.
    """
    from hookline_triggers.cron import parse_schedule
    from hookline_triggers.zones import get_zone

    schedule = parse_schedule(expression, timezone)
    zone = get_zone(schedule.timezone)
    moment = _parse_time(start)
    times: list[str] = []
    while len(times) < count:
        fire = schedule.next_after(moment)
        if fire is None:
            break
        times.append(fire.astimezone(zone).isoformat())
        moment = fire
    return schedule.describe(), times


def _parse_time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)  # noqa: TID251 (what a person at the terminal calls now)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        problem = f"{text!r} is no time; write it as 2026-03-29T00:00Z"
        raise ArgumentInvalidError("--from", problem) from exc
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
