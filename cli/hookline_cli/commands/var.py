"""Variables of projects and connections."""

from __future__ import annotations

import sys

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_json, print_table
from hookline_cli.failures import (
    AnswerError,
    ProjectMistypedError,
    VariableNotFoundHereError,
)
from hookline_cli.json_values import JsonObject, objects_in
from hookline_cli.options import ValueCommand, json_option, project_names, segment, with_service
from hookline_service.model.likeness import nearest

connection_option = click.option(
    "--connection", metavar="NAME", help="Connection that the variable belongs to."
)


@click.group("var")
def command() -> None:
    """Set, show and delete variables of a project or one of its connections."""


@command.command("set", cls=ValueCommand)
@click.argument("project")
@click.argument("name")
@click.argument("value", required=False)
@click.option("--secret/--plain", "secret", default=None, help="Encrypt at rest and mask.")
@click.option("--description", help="What the variable is for.")
@connection_option
@with_service
def set_variable(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    project: str,
    name: str,
    value: str | None,
    secret: bool | None,
    description: str | None,
    connection: str | None,
) -> None:
    """Set a variable. Without VALUE, you are asked for it, or it is read from stdin if that is not a terminal.

    A variable that is secret, by the manifest or by an earlier --secret, stays secret unless you give --plain. If the
    project does not exist yet, it is created, so that its first deploy finds the values it requires.
    """
    before = _find_or_make(service, project, name, connection)
    is_secret = secret if secret is not None else bool(before.get("secret", value is None))
    body: JsonObject = {
        "value": _read_value(name, is_secret=is_secret) if value is None else value,
        "secret": secret,
        "description": description,
    }
    path = f"/projects/{segment(project)}/vars/{segment(name)}"
    kept = service.put(path, body, scope=connection)
    note(f"set {'secret ' if kept.get('secret') else ''}variable {name} of {project}")
    if kept.get("warning"):
        note(f"warning: {kept['warning']}")


@command.command("get")
@click.argument("project")
@click.argument("name")
@connection_option
@click.option("--reveal", is_flag=True, help="Show the value of a secret.")
@json_option
@with_service
def get_variable(
    service: Service,
    *,
    project: str,
    name: str,
    connection: str | None,
    reveal: bool,
    as_json: bool,
) -> None:
    """Write the value of one variable; the value of a secret is masked."""
    found = _find(service, project, name, connection, reveal=reveal)
    if found is None:
        listed = _list(service, project, connection or "", reveal=False)
        near = nearest(name, (str(one.get("name")) for one in listed))
        raise VariableNotFoundHereError(project, name, near)
    if as_json:
        print_json(found)
    else:
        click.echo(str(found.get("value") or ""))


@command.command("list")
@click.argument("project")
@connection_option
@click.option("--reveal", is_flag=True, help="Show the values of secrets.")
@json_option
@with_service
def list_variables(
    service: Service, *, project: str, connection: str | None, reveal: bool, as_json: bool
) -> None:
    """List the variables of a project; values of secrets are masked."""
    found = _list(service, project, connection, reveal=reveal)
    if as_json:
        print_json(found)
    else:
        rows = [{**one, "connection": one.get("scope")} for one in found]
        print_table(
            rows,
            ["name", "connection", "value", "secret", "description"],
            empty="no variables; `hookline var set` makes one",
        )


@command.command("delete")
@click.argument("project")
@click.argument("name")
@connection_option
@with_service
def delete_variable(service: Service, *, project: str, name: str, connection: str | None) -> None:
    """Delete a variable."""
    path = f"/projects/{segment(project)}/vars/{segment(name)}"
    service.delete(path, scope=connection)
    note(f"deleted variable {name} of {project}")


def _list(
    service: Service, project: str, connection: str | None, *, reveal: bool
) -> list[JsonObject]:
    path = f"/projects/{segment(project)}/vars"
    answer = service.get(path, scope=connection, reveal=1 if reveal else None)
    return objects_in(answer, "items")


def _find_or_make(service: Service, project: str, name: str, connection: str | None) -> JsonObject:
    """The variable as it is, empty if it is not there; the project is made unless its name looks mistyped."""
    try:
        return _find(service, project, name, connection, reveal=False) or {}
    except AnswerError as exc:
        if exc.answer_code != "project.not_found":
            raise
        if close := nearest(project, project_names(service)):
            raise ProjectMistypedError(project, close) from exc
    service.post("/projects", {"name": project})
    note(f"made project {project}; nothing is deployed yet")
    return {}


def _find(
    service: Service, project: str, name: str, connection: str | None, *, reveal: bool
) -> JsonObject | None:
    listed = _list(service, project, connection or "", reveal=reveal)
    return next((item for item in listed if item.get("name") == name), None)


def _read_value(name: str, *, is_secret: bool) -> str:
    if sys.stdin.isatty():
        return str(
            click.prompt(name, hide_input=is_secret, default="", show_default=False, err=True)
        )
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")
