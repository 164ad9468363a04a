"""Events: what happened, recorded once."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_fields, print_json, print_table
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
@click.argument("trigger")
@click.option("--type", "event_type", help="Type of the event.")
@click.option("--data", metavar="JSON|@FILE", help="Data of the event; `@-` reads stdin.")
@click.option("--body", metavar="TEXT|@FILE", help="Body, as if sent to a webhook.")
@json_option
@with_service
def send_event(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    project: str,
    trigger: str,
    event_type: str | None,
    data: str | None,
    body: str | None,
    as_json: bool,
) -> None:
    """Record an event as if TRIGGER's source had sent it, and start what it starts."""
    request: JsonObject = {"project": project, "trigger": trigger}
    if data is not None:
        request["data"] = read_json("--data", data)
    if event_type:
        request["type"] = event_type
    if body is not None:
        request["body"] = read_bytes(body).decode("utf-8", errors="replace")
    _show(service.post("/events", request), as_json=as_json)


@command.command("redispatch")
@click.argument("event")
@click.option("--deployment", help="Dispatch to this deployment instead of the active one.")
@json_option
@with_service
def redispatch_event(
    service: Service, *, event: str, deployment: str | None, as_json: bool
) -> None:
    """Dispatch a recorded event once more, as a new event."""
    body = {"deployment": deployment} if deployment else {}
    _show(service.post(f"/events/{segment(event)}/redispatch", body), as_json=as_json)


def _show(answer: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    click.echo(f"event: {answer.get('event')}")
    if answer.get("duplicate"):
        note("the event was recorded before; nothing was started")
    for session in texts_in(answer, "sessions"):
        click.echo(f"session: {session}")
