"""Triggers in force: what starts sessions."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_fields, print_json, print_table, printable
from hookline_cli.failures import AnswerError
from hookline_cli.json_values import JsonObject
from hookline_cli.options import (
    find_trigger,
    json_option,
    limit_option,
    project_option,
    segment,
    with_service,
)


@click.group("trigger")
def command() -> None:
    """List and show active triggers."""


@command.command("list")
@project_option
@limit_option()
@json_option
@with_service
def list_triggers(service: Service, *, project: str | None, limit: int, as_json: bool) -> None:
    """List active triggers."""
    triggers = service.list_newest("/triggers", limit=limit, project=project)
    if as_json:
        print_json(triggers)
    else:
        print_table(
            triggers,
            ["name", "project", "kind", "call", "url"],
            empty="no triggers are active; deploy a project with `hookline deploy DIR`",
        )


@command.command("get")
@click.argument("trigger")
@json_option
@with_service
def get_trigger(service: Service, *, trigger: str, as_json: bool) -> None:
    """Show one trigger, by id or as PROJECT/NAME, and how it judges the events of the last day."""
    found = find_trigger(service, trigger)
    matches = _find_matches(service, found)
    if as_json:
        print_json({**found, "last_day": matches})
        return
    print_fields(found)
    if matches is not None:
        click.echo()
        for line in matches["summary"]:
            click.echo(printable(str(line)))


def _find_matches(service: Service, trigger: JsonObject) -> JsonObject | None:
    """What the service says of the last day; None, with a note, when it cannot now."""
    try:
        return service.get(f"/triggers/{segment(str(trigger['id']))}/matches")
    except AnswerError as exc:
        note(f"what it makes of the events of the last day is not known: {exc}")
        return None
