"""Builds: immutable, content-addressed snapshots of a project."""

from __future__ import annotations

from pathlib import Path

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_fields, print_json, print_table
from hookline_cli.options import (
    json_option,
    limit_option,
    project_option,
    segment,
    with_service,
)
from hookline_cli.saving import save_download


@click.group("build")
def command() -> None:
    """List, show, download and delete builds."""


@command.command("list")
@project_option
@limit_option()
@json_option
@with_service
def list_builds(service: Service, *, project: str | None, limit: int, as_json: bool) -> None:
    """List builds, the newest first."""
    builds = service.list_newest("/builds", limit=limit, project=project)
    if as_json:
        print_json(builds)
    else:
        print_table(
            builds,
            ["id", "project", "files", "size_bytes", "created_at"],
            empty="no builds; `hookline deploy DIR` makes one",
        )


@command.command("get")
@click.argument("build")
@json_option
@with_service
def get_build(service: Service, *, build: str, as_json: bool) -> None:
    """Show one build."""
    found = service.get(f"/builds/{segment(build)}")
    if as_json:
        print_json(found)
    else:
        print_fields(found, skip=["manifest"])


@command.command("download")
@click.argument("build")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write.  [default: BUILD.tar]",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@with_service
def download_build(service: Service, *, build: str, output: Path | None, force: bool) -> None:
    """Write a build's files into a tar archive."""
    path = output or Path(f"{build}.tar")
    size = save_download(service, f"/builds/{segment(build)}/archive", path, force=force)
    note(f"wrote {path} ({size:,} bytes)")


@command.command("delete")
@click.argument("build")
@with_service
def delete_build(service: Service, *, build: str) -> None:
    """Delete a build that no deployment and no session uses."""
    service.delete(f"/builds/{segment(build)}")
    note(f"deleted build {build}")
