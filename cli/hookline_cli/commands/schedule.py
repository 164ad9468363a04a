"""Schedules: triggers that fire by the clock."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import local_time, note, print_fields, print_json, print_table, printable
from hookline_cli.fire_times import list_fire_times
from hookline_cli.json_values import JsonObject
from hookline_cli.options import json_option, limit_option, project_option, segment, with_service

_SCHEDULE_HELP = "A schedule is named by its trigger's id or as PROJECT/NAME."


@click.group("schedule", epilog=_SCHEDULE_HELP)
def command() -> None:
    """List, pause, fire and backfill schedules; show when an expression fires."""


@command.command("list")
@project_option
@limit_option()
@json_option
@with_service
def list_schedules(service: Service, *, project: str | None, limit: int, as_json: bool) -> None:
    """List active schedules with their next fire."""
    schedules = service.list_newest("/schedules", limit=limit, project=project)
    if as_json:
        print_json(schedules)
    else:
        columns = [
            "name",
            "project",
            "expression",
            "description",
            "next_fire_at",
            "last_fire_at",
            "paused",
        ]
        print_table(
            schedules,
            columns,
            empty="no schedules are active; a trigger with `schedule:` makes one",
        )


@command.command("get")
@click.argument("schedule")
@json_option
@with_service
def get_schedule(service: Service, *, schedule: str, as_json: bool) -> None:
    """Show one schedule."""
    _show(service.get(_path(schedule)), as_json=as_json)


@command.command("next")
@click.argument("expression")
@click.option("--timezone", default="UTC", show_default=True, help="IANA name of the zone.")
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=5, show_default=True, help="How many."
)
@click.option(
    "--from", "start", metavar="TIME", help="Only after this time, as in 2026-03-29T00:00Z."
)
@json_option
def next_fires(
    *, expression: str, timezone: str, count: int, start: str | None, as_json: bool
) -> None:
    """Show the next times of an expression. Needs no service.

    EXPRESSION is a cron expression of 5, 6 or 7 fields, a macro such as @daily, or @every 15m. Its description in
    words, the effects of the coming year's clock changes, and warnings go to stderr.
    """
    found = list_fire_times(expression, timezone, count, start)
    for doubt in found.doubts:
        note(f"{click.style('warning', fg='yellow')}: {doubt}")
    if as_json:
        print_json(list(found.times))
        return
    note(found.description)
    for remark in found.remarks:
        note(remark)
    for moment in found.times:
        click.echo(moment)


@command.command("pause")
@click.argument("schedule")
@click.option("--reason", default="", help="The reason; shown with the schedule.")
@json_option
@with_service
def pause_schedule(service: Service, *, schedule: str, reason: str, as_json: bool) -> None:
    """Stop firing until the schedule is resumed."""
    _tell(service.post(_path(schedule, "pause"), {"reason": reason}), as_json=as_json)


@command.command("resume")
@click.argument("schedule")
@json_option
@with_service
def resume_schedule(service: Service, *, schedule: str, as_json: bool) -> None:
    """Resume firing from now on; missed fires stay missed (see `backfill`)."""
    _tell(service.post(_path(schedule, "resume")), as_json=as_json)


@command.command("fire")
@click.argument("schedule")
@json_option
@with_service
def fire_schedule(service: Service, *, schedule: str, as_json: bool) -> None:
    """Fire once now, in addition to the schedule."""
    _show(service.post(_path(schedule, "fire")), as_json=as_json)


@command.command("backfill")
@click.argument("schedule")
@click.option("--start", required=True, metavar="TIME", help="First time, as in 2026-03-01T00:00Z.")
@click.option("--end", required=True, metavar="TIME", help="Last time.")
@json_option
@with_service
def backfill_schedule(
    service: Service, *, schedule: str, start: str, end: str, as_json: bool
) -> None:
    """Fire once for every due time between two times in the past."""
    body = {"start": start, "end": end}
    _show(service.post(_path(schedule, "backfill"), body), as_json=as_json)


def _path(schedule: str, verb: str = "") -> str:
    name = "/".join(segment(part) for part in schedule.split("/"))
    return f"/schedules/{name}/{verb}" if verb else f"/schedules/{name}"


def _tell(schedule: JsonObject, *, as_json: bool) -> None:
    """What became of the schedule, on one line."""
    if as_json:
        print_json(schedule)
        return
    name = f"{schedule.get('project')}/{schedule.get('name')}"
    if schedule.get("paused"):
        reason = schedule.get("pause_reason")
        click.echo(f"{name}: paused{f' ({printable(str(reason))})' if reason else ''}")
    else:
        click.echo(f"{name}: fires next at {local_time(schedule.get('next_fire_at'))}")


def _show(answer: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print_fields(answer)
