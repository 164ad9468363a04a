"""The log of all sessions."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import click

from hookline_cli.client import Service
from hookline_cli.display import DayMarks, print_json, print_json_line
from hookline_cli.failures import ArgumentInvalidError
from hookline_cli.json_values import JsonObject, objects_in
from hookline_cli.options import json_option, project_option, with_service
from hookline_cli.session_log import format_record
from hookline_service.clock import SystemClock
from hookline_triggers.durations import parse_duration
from hookline_triggers.errors import DurationInvalidError

_PAGE = 1000
_PAUSE_S = 1.0


@click.command("logs")
@project_option
@click.option(
    "--since",
    metavar="TIME",
    help="Only records since this time: an age as in 2h, or a time as in 2026-11-20T08:00Z.",
)
@click.option("--grep", "text", metavar="TEXT", help="Only records that contain this text.")
@click.option(
    "--level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="debug",
    show_default=True,
    help="Lowest level to show; printed lines count as info.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    help="How many, the newest.  [default: 100, with --since all]",
)
@click.option("-f", "--follow", is_flag=True, help="Show new records as they come, until Ctrl-C.")
@json_option
@with_service
def command(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    project: str | None,
    since: str | None,
    text: str | None,
    level: str,
    limit: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Write the log of all sessions, the oldest record first.

    With --json: one array; with --follow and --json: one object per line, as they come.
    """
    which: JsonObject = {
        "project": project,
        "since": None if since is None else _time_of(since),
        "text": text,
        "level": level,
    }
    most = limit if limit is not None else (None if since is not None else 100)
    records, newest = _read_back(service, which, most)
    days = DayMarks(SystemClock().now().astimezone().date())
    if as_json and not follow:
        print_json(records)
        return
    for record in records:
        _write(record, days, as_json=as_json)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for record in _read_on(service, which, newest):
                _write(record, days, as_json=as_json)


def _read_back(
    service: Service, which: JsonObject, most: int | None
) -> tuple[list[JsonObject], int]:
    """The newest records, the oldest of them first, and the position behind which new ones come."""
    found: list[JsonObject] = []
    before: int | None = None
    newest = int(service.get("/logs", limit=1).get("next", 0))
    while most is None or len(found) < most:
        size = _PAGE if most is None else min(_PAGE, most - len(found))
        page = service.get("/logs", before=before, limit=size, **which)
        found += objects_in(page, "items")
        before = int(page["next"])
        if page.get("end"):
            break
    newest = max([newest, *(int(each["position"]) for each in found[:1])])
    return found[::-1], newest


def _read_on(service: Service, which: JsonObject, after: int) -> Iterator[JsonObject]:
    while True:
        page = service.get("/logs", after=after, limit=_PAGE, **which)
        yield from objects_in(page, "items")
        after = max(after, int(page["next"]))
        if page.get("end"):
            time.sleep(_PAUSE_S)  # noqa: TID251 - a person watches; the service has no stream of all logs


def _write(record: JsonObject, days: DayMarks, *, as_json: bool) -> None:
    if as_json:
        print_json_line(record)
        return
    day = days.before(record.get("at"))
    if day is not None:
        click.echo(click.style(day, fg="bright_black"))
    name = click.style(f"{record.get('project')} {str(record.get('session'))[-6:]}", fg="cyan")
    stamp, _, rest = format_record(record).partition("   ")
    click.echo(f"{stamp}   {name}   {rest}")


def _time_of(text: str) -> str:
    try:
        return (SystemClock().now() - timedelta(seconds=parse_duration(text))).isoformat()
    except (DurationInvalidError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        problem = f"{text!r} is neither a duration, as in 2h, nor a time, as in 2026-11-20T08:00Z"
        raise ArgumentInvalidError("--since", problem) from exc
    return (moment if moment.tzinfo else moment.astimezone()).isoformat()
