"""The state of the service at a glance."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import local_time, print_json
from hookline_cli.json_values import JsonObject, object_of, texts_in
from hookline_cli.options import json_option, with_service

_GIB = 1024**3


@click.command("status")
@json_option
@with_service
def command(service: Service, *, as_json: bool) -> None:
    """Show the state of the service; exit code 4 if sessions cannot run."""
    found = service.get("/status")
    if as_json:
        print_json(found)
    else:
        _write(found)
    if not found.get("ready"):
        click.get_current_context().exit(4)


def _write(found: JsonObject) -> None:
    ready = bool(found.get("ready"))
    state = click.style("ready", fg="green") if ready else click.style("not ready", fg="red")
    why = "" if ready else f": {found.get('reason')}"
    rows = {
        "service": f"{found.get('url')}, version {found.get('version')}, {state}{why}",
        "up since": local_time(found.get("started_at")),
        "projects": str(found.get("projects")),
        "sessions": _counts(object_of(found.get("sessions"))),
        "ended": f"{_counts(object_of(found.get('ended')))} (since the start)",
        "runners": f"{found.get('runners')}, {found.get('busy')} of {found.get('capacity')} sessions",
        "sandbox": ", ".join(texts_in(found, "sandbox")) or "-",
        "disk": f"{int(found.get('disk_free_bytes') or 0) / _GIB:.1f} GiB free",
    }
    for name, text in rows.items():
        click.echo(f"{name + ':':<10} {text}")


def _counts(counts: JsonObject | None) -> str:
    return ", ".join(f"{count} {state}" for state, count in (counts or {}).items())
