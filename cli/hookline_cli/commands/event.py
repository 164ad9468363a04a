"""Events: what happened, recorded once."""

from __future__ import annotations

import base64

import click

from hookline_cli.client import Service
from hookline_cli.display import counted, note, print_fields, print_json, print_table
from hookline_cli.json_values import JsonObject, texts_in
from hookline_cli.options import (
    json_option,
    limit_option,
    project_option,
    read_bytes,
    read_json,
    segment,
    with_service,
)
from hookline_cli.questions import confirm

_MOST_SHOWN = 20


@click.group("event")
def command() -> None:
    """List, show, send and redispatch events."""


@command.command("list")
@project_option
@click.option("--trigger", help="Only of this trigger (id).")
@click.option("--type", "event_type", help="Only of this type.")
@limit_option()
@json_option
@with_service
def list_events(
    service: Service,
    *,
    project: str | None,
    trigger: str | None,
    event_type: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List events, the newest first."""
    events = service.list_newest(
        "/events", limit=limit, project=project, trigger=trigger, type=event_type
    )
    if as_json:
        print_json(events)
    else:
        print_table(
            events,
            ["id", "project", "trigger", "type", "created_at"],
            empty="no events; calling a webhook or `hookline event send` makes one",
        )


@command.command("get")
@click.argument("event")
@json_option
@with_service
def get_event(service: Service, *, event: str, as_json: bool) -> None:
    """Show one event with its data."""
    found = service.get(f"/events/{segment(event)}")
    if as_json:
        print_json(found)
    else:
        print_fields(found)


@command.command("send")
@click.argument("project")
@click.argument("source")
@click.option("--type", "event_type", help="Type of the event.")
@click.option("--data", metavar="JSON|@FILE", help="Data of the event; `@-` reads stdin.")
@click.option("--body", metavar="TEXT|@FILE", help="Body, as if sent to a webhook.")
@json_option
@with_service
def send_event(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    project: str,
    source: str,
    event_type: str | None,
    data: str | None,
    body: str | None,
    as_json: bool,
) -> None:
    """Record an event as if SOURCE had sent it, and start what it starts.

    SOURCE is a trigger, or a connection: then all its triggers and all sessions subscribed to it get the event.
    """
    request: JsonObject = {"project": project, "source": source}
    if data is not None:
        request["data"] = read_json("--data", data)
    if event_type:
        request["type"] = event_type
    if body is not None:
        request["body"] = _body_of(read_bytes(body))
    _show(service.post("/events", request), as_json=as_json)


@command.command("redispatch")
@click.argument("event", required=False)
@click.option(
    "-p",
    "--project",
    metavar="PROJECT",
    help="Dispatch events of this project instead of one EVENT.",
)
@click.option("--trigger", help="With --project: only events of this trigger.")
@click.option("--type", "event_type", help="With --project: only events of this type.")
@click.option(
    "--since",
    metavar="TIME",
    help="With --project: only events since this time, as in 2026-11-20T08:00:00Z.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=1000,
    show_default=True,
    help="With --project: at most this many, the newest.",
)
@click.option("--deployment", help="Dispatch to this deployment instead of the active one.")
@click.option("--dry-run", is_flag=True, help="With --project: only say how many there are.")
@click.option("-y", "--yes", is_flag=True, help="With --project: do not ask for confirmation.")
@json_option
@with_service
def redispatch_event(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    event: str | None,
    project: str | None,
    trigger: str | None,
    event_type: str | None,
    since: str | None,
    limit: int,
    deployment: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Dispatch a recorded event once more, as a new event; or with --project many of them, the oldest first.

    Before it dispatches many events, it says how many and asks for confirmation.
    """
    if (event is None) == (project is None):
        raise click.UsageError("name one EVENT, or a --project whose events are meant")
    body: JsonObject = {"deployment": deployment} if deployment else {}
    if event is not None:
        _show(service.post(f"/events/{segment(event)}/redispatch", body), as_json=as_json)
        return
    wanted = {"trigger": trigger, "type": event_type, "since": since}
    body |= {name: value for name, value in wanted.items() if value is not None}
    body |= {"project": project, "limit": limit}
    if dry_run or not yes:
        found = service.post("/events/redispatch", {**body, "dry_run": True})
        if dry_run:
            _show_count(found, as_json=as_json)
            return
        if not found["events"]:
            _show_count(found, as_json=as_json)
            return
        confirm(f"Dispatch {counted(found['events'], 'event')} again?")
    counts = service.post("/events/redispatch", body)
    if as_json:
        print_json(counts)
        return
    click.echo(
        f"{counted(counts['events'], 'event')} dispatched again; "
        f"{counted(counts['sessions'], 'session')} started, "
        f"{counts['woken']} woken"
    )
    if counts["skipped"]:
        note(f"{counted(counts['skipped'], 'event')} left out: the trigger is no longer active")
    if counts["cut"]:
        note("there are more; the older ones were left out (--limit)")


def _show_count(found: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if not found["events"]:
        click.echo("no events to dispatch again")
        return
    click.echo(f"{counted(found['events'], 'event')} would be dispatched again")
    if found["cut"]:
        note("there are more; the older ones would be left out (--limit)")


def _show(answer: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    click.echo(f"event: {answer.get('event')}")
    if answer.get("duplicate"):
        note("the event was recorded before; nothing was started")
    for session in texts_in(answer, "sessions"):
        click.echo(f"session: {session}")
    woken = texts_in(answer, "woken")
    for session in woken[:_MOST_SHOWN]:
        click.echo(f"woken: {session}")
    if len(woken) > _MOST_SHOWN:
        note(f"{len(woken)} sessions were woken in all")
    if answer.get("reason"):
        note(f"no session started: {answer['reason']}")


def _body_of(content: bytes) -> object:
    """The body as text, or in the form in which events show theirs if it is none."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        shown = {"bytes": base64.b64encode(content).decode()}
        return {**shown, "form": None, "json": None, "text": None}
