"""Triggers in force: what starts sessions."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import print_fields, print_json, print_table
from hookline_cli.options import (
    find_trigger,
    json_option,
    limit_option,
    project_option,
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
            empty="no triggers are in force; `hookline deploy DIR` puts some in force",
        )


@command.command("get")
@click.argument("trigger")
@json_option
@with_service
def get_trigger(service: Service, *, trigger: str, as_json: bool) -> None:
    """Show one trigger, by id or as PROJECT/NAME."""
    found = find_trigger(service, trigger)
    if as_json:
        print_json(found)
    else:
        print_fields(found)
