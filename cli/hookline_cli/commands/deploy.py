"""Validate a project, build it and make it the active deployment."""

from __future__ import annotations

from pathlib import Path

import click

from hookline_cli.client import Service
from hookline_cli.display import print_json
from hookline_cli.json_values import objects_in
from hookline_cli.options import json_option, project_files_options, with_service
from hookline_cli.paths import GivenFile


@click.command("deploy")
@project_files_options
@click.option(
    "--var",
    "given",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set a variable that the manifest declares; CONNECTION/NAME for one of a connection. Without =VALUE, you are asked for the value.",
)
@click.option(
    "--env-file",
    "env_files",
    type=GivenFile(),
    multiple=True,
    help="Set declared variables from this file of NAME=VALUE lines.",
)
@click.option("--dry-run", is_flag=True, help="Validate and show the plan; change nothing.")
@json_option
@with_service
def command(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    directory: Path,
    manifest: str | None,
    project: str | None,
    given: tuple[str, ...],
    env_files: tuple[Path, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Deploy the project in DIRECTORY (by default, this one).

    Validates everything first and reports all findings at once; a deploy that fails leaves the active
    deployment as it was. On a terminal it asks for required variables that have no value yet.
    """
    from hookline_cli.deploy_client import send_project, write_outcome
    from hookline_cli.findings import write_findings
    from hookline_cli.given_values import gather_values, with_values
    from hookline_cli.project_files import pack_project

    packed = pack_project(directory, manifest)
    values = gather_values(
        service, packed, given=given, files=env_files, project=project, asks=not as_json
    )
    packed = with_values(packed, values)
    outcome = send_project(service, packed, project=project, dry_run=dry_run)
    if as_json:
        write_findings(objects_in(outcome, "warnings"))
        print_json(outcome)
    else:
        write_outcome(outcome)
