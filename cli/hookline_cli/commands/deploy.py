"""Validate a project, build it and make it the active deployment."""

from __future__ import annotations

from pathlib import Path

import click

from hookline_cli.client import Service
from hookline_cli.display import print_json
from hookline_cli.json_values import objects_in
from hookline_cli.options import json_option, project_files_options, with_service


@click.command("deploy")
@project_files_options
@click.option("--dry-run", is_flag=True, help="Validate and show the plan; change nothing.")
@json_option
@with_service
def command(
    service: Service,
    *,
    directory: Path,
    manifest: str | None,
    project: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Deploy the project in DIRECTORY (by default, this one).

    Validates everything first and reports all findings at once; a deploy that fails leaves the active
    deployment as it was.
    """
    from hookline_cli.deploying import send_project, write_outcome
    from hookline_cli.findings import write_findings
    from hookline_cli.project_files import pack_project

    packed = pack_project(directory, manifest)
    outcome = send_project(service, packed, project=project, dry_run=dry_run)
    if as_json:
        write_findings(objects_in(outcome, "warnings"))
        print_json(outcome)
    else:
        write_outcome(outcome)
