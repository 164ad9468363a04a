"""A consistent copy of the database while the service runs."""

from __future__ import annotations

from pathlib import Path

import click

from hookline_cli.client import Service
from hookline_cli.display import note
from hookline_cli.options import with_service
from hookline_cli.saving import save_download


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@with_service
def command(service: Service, *, file: Path, force: bool) -> None:
    """Write a consistent copy of the database to FILE while the service runs.

    Secrets in it stay encrypted: back up the home's `secret.key` too, in another place.
    """
    size = save_download(service, "/backup", file, force=force)
    note(f"wrote {file} ({size:,} bytes); keep the home's secret.key too, apart from it")
