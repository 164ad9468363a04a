"""Deployments: a build in a life-cycle state; at most one of a project is active."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_fields, print_json, print_table
from hookline_cli.options import json_option, limit_option, project_option, segment, with_service


@click.group("deployment")
def command() -> None:
    """List, show and switch deployments; activating an older one rolls back."""


@command.command("list")
@project_option
@limit_option()
@json_option
@with_service
def list_deployments(service: Service, *, project: str | None, limit: int, as_json: bool) -> None:
    """List deployments, the newest first."""
    deployments = service.list_newest("/deployments", limit=limit, project=project)
    if as_json:
        print_json(deployments)
    else:
        print_table(
            deployments,
            ["id", "project", "state", "build", "created_at"],
            empty="no deployments; `hookline deploy DIR` makes one",
        )


@command.command("get")
@click.argument("deployment")
@json_option
@with_service
def get_deployment(service: Service, *, deployment: str, as_json: bool) -> None:
    """Show one deployment."""
    _show(service.get(f"/deployments/{segment(deployment)}"), as_json=as_json)


@command.command("activate")
@click.argument("deployment")
@json_option
@with_service
def activate_deployment(service: Service, *, deployment: str, as_json: bool) -> None:
    """Make this the active deployment of its project; its triggers become active."""
    _tell(service.post(f"/deployments/{segment(deployment)}/activate"), as_json=as_json)


@command.command("deactivate")
@click.argument("deployment")
@json_option
@with_service
def deactivate_deployment(service: Service, *, deployment: str, as_json: bool) -> None:
    """Deactivate a deployment; running sessions continue to their end."""
    _tell(service.post(f"/deployments/{segment(deployment)}/deactivate"), as_json=as_json)


@command.command("test")
@click.argument("deployment")
@json_option
@with_service
def test_deployment(service: Service, *, deployment: str, as_json: bool) -> None:
    """Put a deployment in state `testing`: it can be run by hand, its triggers are not active."""
    _tell(service.post(f"/deployments/{segment(deployment)}/test"), as_json=as_json)


@command.command("delete")
@click.argument("deployment")
@with_service
def delete_deployment(service: Service, *, deployment: str) -> None:
    """Delete an inactive deployment and its sessions."""
    service.delete(f"/deployments/{segment(deployment)}")
    note(f"deleted deployment {deployment}")


def _tell(deployment: dict[str, object], *, as_json: bool) -> None:
    """What became of the deployment, on one line."""
    if as_json:
        print_json(deployment)
    else:
        click.echo(
            f"{deployment.get('id')} of {deployment.get('project')}: {deployment.get('state')}"
        )


def _show(deployment: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(deployment)
    else:
        print_fields(deployment)
