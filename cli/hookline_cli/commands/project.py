"""Projects: what is deployed under which name."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_fields, print_json, print_table
from hookline_cli.options import json_option, limit_option, segment, with_service
from hookline_cli.questions import confirm


@click.group("project")
def command() -> None:
    """Create, list, show and delete projects."""


@command.command("list")
@limit_option()
@json_option
@with_service
def list_projects(service: Service, *, limit: int, as_json: bool) -> None:
    """List projects, the newest first."""
    projects = service.list_newest("/projects", limit=limit)
    if as_json:
        print_json(projects)
    else:
        print_table(
            projects,
            ["name", "id", "active_deployment", "updated_at"],
            empty="no projects; `hookline deploy DIR` makes one",
        )


@command.command("get")
@click.argument("project")
@json_option
@with_service
def get_project(service: Service, *, project: str, as_json: bool) -> None:
    """Show one project, by name or id."""
    found = service.get(f"/projects/{segment(project)}")
    if as_json:
        print_json(found)
    else:
        print_fields(found)


@command.command("create")
@click.argument("project")
@json_option
@with_service
def create_project(service: Service, *, project: str, as_json: bool) -> None:
    """Create a project, to set its variables before the first deploy."""
    made = service.post("/projects", {"name": project})
    if as_json:
        print_json(made)
    note(f"made project {project}; nothing is deployed yet")


@command.command("delete")
@click.argument("project")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@with_service
def delete_project(service: Service, *, project: str, yes: bool) -> None:
    """Delete a project with its variables, builds, deployments, events and sessions."""
    name = service.get(f"/projects/{segment(project)}")["name"]
    if not yes:
        confirm(f"Delete project {name} and everything that belongs to it?")
    service.delete(f"/projects/{segment(project)}")
    note(f"deleted project {name}")
