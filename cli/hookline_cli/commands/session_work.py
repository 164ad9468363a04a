"""Verbs of `session` that take up what a session did: replay it, fork it, make a test of it."""

from __future__ import annotations

from pathlib import Path

import click

from hookline import json_text
from hookline_cli.client import Service
from hookline_cli.display import note, print_json
from hookline_cli.failures import ArgumentInvalidError
from hookline_cli.follow import RetryDeadline, require_completed, session_goes_on
from hookline_cli.json_values import JsonObject
from hookline_cli.options import (
    TargetOptions,
    json_option,
    read_json,
    session_id_of,
    timeout_option,
    with_service,
    with_target,
)
from hookline_cli.paths import DirectoryToMake, GivenDirectory
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
@click.option("--build", help="Continue with this build.  [default: the session's own]")
@click.option("--deployment", help="Continue with the build of this deployment.")
@click.option(
    "--set",
    "edits",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change the event's data, as in data.order.id=7; VALUE is JSON, or otherwise text. May be repeated.",
)
@click.option(
    "--wait", is_flag=True, help="Follow the session to its end; exit code 0 only if it completed."
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
    """Start a new session that keeps the first N entries of a durable one's journal, and continues live from there.

    Writes its id. The effects of the kept entries are not repeated; subscriptions start afresh.
    """
    if build is not None and deployment is not None:
        raise click.UsageError("--build and --deployment both name a build; give one of them")
    request: JsonObject = {"entries": count, "build": build, "deployment": deployment}
    request["edits"] = dict(map(_edit_of, edits))
    source = session_id_of(service, session)
    fork = service.post(f"/sessions/{source}/fork", request)
    if wait:
        note(f"session {fork['id']}")
        with session_goes_on(str(fork["id"])):
            final = follow_to_end(service, fork, RetryDeadline(timeout), as_json=as_json)
        require_completed(final)
    elif as_json:
        print_json(fork)
    else:
        click.echo(fork["id"])


@click.command("replay")
@click.argument("session")
@click.option(
    "--to",
    "count",
    type=click.IntRange(0),
    metavar="N",
    help="Stop after the first N recorded entries, as `session activities` numbers them.",
)
@click.option(
    "--dir",
    "directory",
    type=GivenDirectory(),
    help="Replay the project in this directory.  [default: the build of the session]",
)
@click.option(
    "--pdb",
    "debugs",
    is_flag=True,
    help="Run it in the debugger, from the function's first line on.",
)
@click.option(
    "--unrecorded",
    is_flag=True,
    help="Allow actions that were not recorded: calls whose results could not be, opening files, threads.",
)
@with_target
def replay_session(
    options: TargetOptions,
    *,
    session: str,
    count: int | None,
    directory: Path | None,
    debugs: bool,
    unrecorded: bool,
) -> None:
    """Run a durable session's function again on this machine, with every call answered from the journal.

    Nothing outside is touched, and nothing is recorded. It ends where the recording ends; exit code 0 if the code did as
    recorded. Recorded secrets come over the API and stay in memory.
    """
    from hookline_cli.replaying import ReplayOptions, replay_session as replay, write_end

    wish = ReplayOptions(
        directory=directory, count=count, makes_unrecorded=unrecorded, debugs=debugs
    )
    with options.connect() as service:
        recording, done = replay(service, session_id_of(service, session), wish, options.home)
    write_end(recording, done)


@click.command("export")
@click.argument("session")
@click.option("--as-test", is_flag=True, help="Write a pytest file that replays it, too.")
@click.option(
    "-o",
    "--output",
    type=DirectoryToMake(),
    default=".",
    show_default=True,
    metavar="DIR",
    help="Directory for the files.",
)
@click.option(
    "--dir",
    "directory",
    type=GivenDirectory(),
    help="Project that the test belongs to.  [default: the nearest above DIR with a manifest]",
)
@click.option(
    "--var",
    "given",
    metavar="NAME=VALUE",
    multiple=True,
    help="A value to use in tests instead of a masked secret.",
)
@click.option(
    "--unrecorded", is_flag=True, help="Allow actions that were not recorded; see `session replay`."
)
@with_target
def export_session(  # noqa: PLR0913 (one parameter per option)
    options: TargetOptions,
    *,
    session: str,
    as_test: bool,
    output: Path,
    directory: Path | None,
    given: tuple[str, ...],
    unrecorded: bool,
) -> None:
    """Write a durable session to a file that `hookline.testing.replay` replays: event, journal, prints and result.

    Its secrets are replaced by stars; the data of its event and its results are not: review them before they go
    into a repository. A session that behaves differently when they are masked is refused. Writes the names of the files.
    """
    from hookline_cli.exporting import ExportOptions, export_session as export

    wish = ExportOptions(
        output=output,
        as_test=as_test,
        project=directory,
        makes_unrecorded=unrecorded,
        values=dict(_value_of(text) for text in given),
    )
    with options.connect() as service:
        for path in export(service, session_id_of(service, session), wish, options.home):
            click.echo(path)


def _value_of(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentInvalidError("--var", f"{text!r} is not of the form NAME=VALUE")
    return name, value


def _edit_of(text: str) -> tuple[str, object]:
    path, equals, value = text.partition("=")
    if not path or not equals:
        raise ArgumentInvalidError("--set", f"{text!r} is not of the form PATH=VALUE")
    if json_text.whole_text(value) != value:
        raise ArgumentInvalidError("--set", f"the value of {path} is not UTF-8")
    try:
        json_text.read(value)
    except ValueError:
        return path, value
    return path, read_json(f"--set {path}", value)


VERBS = (replay_session, fork_session, export_session)
