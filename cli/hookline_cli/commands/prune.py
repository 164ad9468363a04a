"""Make room in the service."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import print_json
from hookline_cli.json_values import JsonObject
from hookline_cli.options import FiniteNumber, json_option, with_service


@click.command("prune")
@click.option(
    "--older-than",
    "days",
    type=FiniteNumber(min=0),
    default=7.0,
    show_default=True,
    metavar="DAYS",
    help="What has been over for so many days.",
)
@click.option("--dry-run", is_flag=True, help="Only say how much there is.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@with_service
def command(service: Service, *, days: float, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete ended sessions, and deployments and builds that nothing needs.

    Sessions go with their logs, journals and events. The ten newest deployments of a project stay, to roll back to.
    """
    found = service.post("/prune", {"older_than_days": days, "dry_run": True})
    if dry_run:
        _write(found, "would go", as_json=as_json)
        return
    if not yes:
        click.confirm(f"Delete {_counts(found)}?", abort=True, err=True)
    pruned = service.post("/prune", {"older_than_days": days, "dry_run": False})
    _write(pruned, "deleted", as_json=as_json)


def _write(counts: JsonObject, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(counts)
    else:
        click.echo(f"{_counts(counts)} {what}")


def _counts(counts: JsonObject) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in ("sessions", "deployments", "builds"))
