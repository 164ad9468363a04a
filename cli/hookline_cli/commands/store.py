"""The store of a project: the values that its sessions share."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_json
from hookline_cli.failures import ValueNotFoundHereError
from hookline_cli.json_values import JsonObject, texts_in
from hookline_cli.options import (
    FiniteNumber,
    ValueCommand,
    json_option,
    read_json,
    segment,
    with_service,
)
from hookline_service.model.likeness import nearest


@click.group("store")
def command() -> None:
    """List, read, set and delete values of a project's store."""


@command.command("list")
@click.argument("project")
@json_option
@with_service
def list_keys(service: Service, *, project: str, as_json: bool) -> None:
    """List the keys of a project's store, in order."""
    keys = texts_in(service.get(f"/projects/{segment(project)}/store"), "items")
    if as_json:
        print_json(keys)
        return
    for key in keys:
        click.echo(key)
    if not keys:
        note("the store is empty; `hookline.store[key] = value` in a session fills it")


@command.command("get")
@click.argument("project")
@click.argument("key")
@json_option
@with_service
def get_value(service: Service, *, project: str, key: str, as_json: bool) -> None:
    """Write one value as JSON; with --json, together with its key."""
    found = service.get(_path(project), key=key)
    if found.get("value") is None:
        keys = texts_in(service.get(f"/projects/{segment(project)}/store"), "items")

        raise ValueNotFoundHereError(project, key, nearest(key, keys))
    if as_json:
        print_json(found)
        return
    print_json(found["value"])


@command.command("set", cls=ValueCommand)
@click.argument("project")
@click.argument("key")
@click.argument("value", metavar="JSON|@FILE")
@click.option(
    "--ttl",
    type=FiniteNumber(min=0, min_open=True),
    metavar="SECONDS",
    help="Delete it after this time.",
)
@with_service
def set_value(service: Service, *, project: str, key: str, value: str, ttl: float | None) -> None:
    """Set a value, given as JSON: a text needs its own quotes."""
    body: JsonObject = {"value": read_json("the value", value)}
    if ttl is not None:
        body["ttl_s"] = ttl
    service.put(_path(project), body, key=key)
    note(f"set {key} of {project}")


@command.command("delete")
@click.argument("project")
@click.argument("key")
@with_service
def delete_value(service: Service, *, project: str, key: str) -> None:
    """Delete a value; does nothing if there is none."""
    service.delete(_path(project), key=key)
    note(f"deleted {key} of {project}")


def _path(project: str) -> str:
    return f"/projects/{segment(project)}/store/value"
