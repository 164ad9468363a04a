"""Verbs of `session` that take up what a session did: replay it, fork it, make a test of it."""

from __future__ import annotations

import json

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_json
from hookline_cli.failures import ArgumentInvalidError
from hookline_cli.follow import Patience, require_completed
from hookline_cli.json_values import JsonObject
from hookline_cli.options import json_option, session_id_of, timeout_option, with_service
from hookline_cli.session_log import follow_to_end


@click.command("fork")
@click.argument("session")
@click.option(
    "--from",
    "count",
    type=click.IntRange(0),
    required=True,
    metavar="N",
    help="Keep the first N recorded entries, as `session activities` numbers them.",
)
@click.option("--build", help="Go on with this build.  [default: the session's own]")
@click.option("--deployment", help="Go on with the build of this deployment.")
@click.option(
    "--set",
    "edits",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change the event's data, as in data.order.id=7; VALUE is JSON, or else a text. May be repeated.",
)
@click.option(
    "--wait", is_flag=True, help="Follow it to its end; exit code 0 only if it completed."
)
@timeout_option
@json_option
@with_service
def fork_session(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    session: str,
    count: int,
    build: str | None,
    deployment: str | None,
    edits: tuple[str, ...],
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Start a new session that keeps the first N entries of a durable one's journal, and goes on live from there.

    Writes its id. What the kept entries did is not done again; subscriptions begin anew.
    """
    if build is not None and deployment is not None:
        raise click.UsageError("--build and --deployment both name a build; give one of them")
    request: JsonObject = {"entries": count, "build": build, "deployment": deployment}
    request["edits"] = dict(map(_edit_of, edits))
    source = session_id_of(service, session)
    fork = service.post(f"/sessions/{source}/fork", request)
    if wait:
        note(f"session {fork['id']}")
        require_completed(follow_to_end(service, fork, Patience(timeout), as_json=as_json))
    elif as_json:
        print_json(fork)
    else:
        click.echo(fork["id"])


def _edit_of(text: str) -> tuple[str, object]:
    path, equals, value = text.partition("=")
    if not path or not equals:
        raise ArgumentInvalidError("--set", f"{text!r} is not of the form PATH=VALUE")
    try:
        return path, json.loads(value)
    except ValueError:
        return path, value


VERBS = (fork_session,)
