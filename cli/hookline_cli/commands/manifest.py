"""The manifest: checked, planned and described without deploying."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_json
from hookline_cli.failures import ManifestInvalidError
from hookline_cli.json_values import JsonObject, objects_in
from hookline_cli.options import json_option, with_service
from hookline_cli.paths import read_file

directory_argument = click.argument("directory", type=click.Path(path_type=Path), default=".")


@click.group("manifest")
def command() -> None:
    """Check a manifest, show what deploying it would change, or write its schema."""


@command.command("check")
@directory_argument
@json_option
def check_manifest(*, directory: Path, as_json: bool) -> None:
    """Check the manifest in DIRECTORY, or the manifest file given instead. Needs no service.

    Checks only the manifest; `hookline deploy --dry-run` also checks the code and its requirements.
    """
    from hookline_cli.findings import write_findings
    from hookline_cli.project_files import find_manifest
    from hookline_service.manifest.check import check_manifest as check_parsed
    from hookline_service.manifest.parse import parse_manifest
    from hookline_service.manifest.values import has_errors, sort_findings

    path = directory / find_manifest(directory) if directory.is_dir() else directory
    parsed = parse_manifest(read_file(path), path.name)
    deeper = check_parsed(parsed.manifest) if parsed.manifest is not None else ()
    found = sort_findings([*parsed.findings, *deeper])
    is_valid = parsed.is_valid and not has_errors(found)
    findings: list[JsonObject] = [asdict(finding) for finding in found]
    if as_json:
        print_json({"file": str(path), "valid": is_valid, "findings": findings})
    write_findings(findings)
    if not is_valid:
        raise ManifestInvalidError(path.name, sum(one["level"] == "error" for one in findings))
    note(f"{path}: valid")


@command.command("schema")
def write_schema() -> None:
    """Write the JSON Schema of hookline.yaml, for editors."""
    from hookline_service.manifest.schema import manifest_schema

    print_json(manifest_schema())


@command.command("plan")
@directory_argument
@click.option("-p", "--project", metavar="NAME", help="Name to use instead of the manifest's.")
@json_option
@with_service
def plan_manifest(service: Service, *, directory: Path, project: str | None, as_json: bool) -> None:
    """Show what deploying the project in DIRECTORY would create, update and delete."""
    from hookline_cli.deploy_client import send_project, write_outcome
    from hookline_cli.project_files import pack_project

    is_file = directory.is_file()
    packed = pack_project(
        directory.parent if is_file else directory, directory.name if is_file else None
    )
    outcome = send_project(service, packed, project=project, dry_run=True)
    if as_json:
        print_json(objects_in(outcome, "plan"))
    else:
        write_outcome(outcome)
