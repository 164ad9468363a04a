"""Make room in the service."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import counted, print_json
from hookline_cli.json_values import JsonObject
from hookline_cli.options import FiniteNumber, json_option, with_service
from hookline_cli.questions import confirm

_PRUNED = ("session", "deployment", "build")


@click.command("prune")
@click.option(
    "--older-than",
    "days",
    type=FiniteNumber(min=0),
    default=7.0,
    show_default=True,
    metavar="DAYS",
    help="Delete only what ended at least this many days ago.",
)
@click.option("--dry-run", is_flag=True, help="Only show how much would be deleted.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@with_service
def command(service: Service, *, days: float, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete ended sessions, and deployments and builds that are no longer needed.

    Sessions are deleted with their logs, journals and events. The ten newest deployments of a project are kept, so that you can roll back.
    """
    found = service.post("/prune", {"older_than_days": days, "dry_run": True})
    if dry_run or not any(found[f"{what}s"] for what in _PRUNED):
        _write(found, "would be deleted", as_json=as_json)
        return
    if not yes:
        confirm(f"Delete {_counts(found)}?")
    pruned = service.post("/prune", {"older_than_days": days, "dry_run": False})
    _write(pruned, "deleted", as_json=as_json)


def _write(counts: JsonObject, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(counts)
    elif not any(counts[f"{one}s"] for one in _PRUNED):
        click.echo("nothing to delete")
    else:
        click.echo(f"{_counts(counts)} {what}")


def _counts(counts: JsonObject) -> str:
    return ", ".join(counted(counts[f"{one}s"], one) for one in _PRUNED)
