"""Start a session by hand."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.commands.session import start_session
from hookline_cli.display import note, print_json
from hookline_cli.follow import Patience, require_completed, wait_final
from hookline_cli.json_values import JsonObject
from hookline_cli.options import json_option, timeout_option, with_service
from hookline_cli.session_log import print_log_live, print_status


@click.command("run")
@click.argument("project")
@click.argument("entry_point", metavar="FILE:FUNC")
@click.option("--event", metavar="JSON|@FILE", help="What the function gets as the event's data.")
@click.option(
    "--durable/--no-durable", default=None, help="With or without a journal.  [default: without]"
)
@click.option("--deployment", help="Run the build of this deployment instead of the active one.")
@click.option(
    "--wait", is_flag=True, help="Follow it to its end; exit code 0 only if it completed."
)
@timeout_option
@json_option
@with_service
def command(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    project: str,
    entry_point: str,
    event: str | None,
    durable: bool | None,
    deployment: str | None,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Start FUNC of a deployed project as a session.

    Writes the session's id; with --wait its log as it comes and its final status.
    """
    request: JsonObject = {"project": project, "entry_point": entry_point}
    if durable is not None:
        request["durable"] = durable
    if deployment:
        request["deployment"] = deployment
    session = start_session(service, request, event)
    if not wait:
        if as_json:
            print_json(session)
        else:
            click.echo(session["id"])
        return
    note(f"session {session['id']}")
    patience = Patience(timeout)
    if as_json:
        final = wait_final(service, str(session["id"]), patience)
        print_json(final)
    else:
        final = print_log_live(service, str(session["id"]), patience)
        print_status(final)
    require_completed(final)
