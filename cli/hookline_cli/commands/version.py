"""Versions of the program and of the service."""

from __future__ import annotations

import click

from hookline.errors import HooklineError
from hookline_cli.display import print_fields, print_json
from hookline_cli.json_values import JsonObject
from hookline_cli.options import json_option


@click.command("version")
@click.option("--home", envvar="HOOKLINE_HOME", metavar="DIR", help="Home of the service.")
@click.option("--url", envvar="HOOKLINE_URL", help="URL of the service.")
@click.option("--token", envvar="HOOKLINE_TOKEN", help="Token of the service.")
@json_option
def command(*, home: str | None, url: str | None, token: str | None, as_json: bool) -> None:
    """Show the version of this program, and of the service if it can be reached."""
    import platform
    from importlib.metadata import version

    versions: JsonObject = {
        "hookline": version("hookline"),
        "python": platform.python_version(),
        "service": _service_version(home, url, token),
    }
    if as_json:
        print_json(versions)
    else:
        print_fields(versions)


def _service_version(home: str | None, url: str | None, token: str | None) -> str | None:
    from hookline_cli.client import Service
    from hookline_cli.target import find_target

    try:
        transport = click.get_current_context().obj
        with Service(find_target(home=home, url=url, token=token), transport) as service:
            answer = service.get("/version")
    except HooklineError:
        return None
    found = answer.get("version") or answer.get("hookline")
    return str(found) if found else None
