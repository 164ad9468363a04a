"""Begin a project."""

from __future__ import annotations

from pathlib import Path

import click

from hookline_cli.display import note
from hookline_cli.paths import DirectoryToMake
from hookline_cli.templates import (
    DEFAULT,
    SCHEMA_FILE,
    TEMPLATES,
    check_name,
    new_project,
    project_name_of,
    write_project,
)

_LIST = "\b\n" + "\n".join(f"  {name:<9} {what}" for name, (_, what) in TEMPLATES.items())


@click.command("init", epilog=f"Templates:\n\n{_LIST}")
@click.argument("directory", type=DirectoryToMake(), default=".")
@click.option(
    "--template",
    type=click.Choice(list(TEMPLATES)),
    default=DEFAULT,
    show_default=True,
    help="What to begin with; see below.",
)
@click.option("--name", help="Name of the project.  [default: that of the directory]")
def command(*, directory: Path, template: str, name: str | None) -> None:
    """Create a new project in DIRECTORY (by default, this one). Needs no service.

    Writes a manifest, its code, and the manifest's schema, with which editors complete and check it. Existing
    files are never overwritten.
    """
    from hookline_service.manifest.schema import manifest_schema

    wanted = check_name(name) if name is not None else project_name_of(directory)
    project = new_project(template, wanted, manifest_schema())
    write_project(directory, project)
    for path in project.files:
        if path != SCHEMA_FILE:
            click.echo(str(directory / path))
    place = "" if directory == Path() else f" {directory}"
    note(
        f"made project {wanted}; next: `hookline up` in another terminal, then `hookline deploy{place}`"
    )
