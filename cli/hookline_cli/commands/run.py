"""Start a session by hand, on a service or without one."""

from __future__ import annotations

import click

from hookline_cli.display import note, print_json
from hookline_cli.follow import RetryDeadline, require_completed, session_goes_on
from hookline_cli.json_values import JsonObject
from hookline_cli.options import TargetOptions, json_option, read_json, timeout_option, with_target
from hookline_cli.request_data import request_options, tell_of_missing_request
from hookline_cli.session_log import follow_to_end


@click.command("run")
@click.argument("target", metavar="[PROJECT] FILE:FUNC", nargs=-1, required=True)
@click.option("--event", metavar="JSON|@FILE", help="Data of the event that the function receives.")
@request_options
@click.option(
    "--durable/--no-durable",
    default=None,
    help="Run with or without a journal.  [default: without]",
)
@click.option("--deployment", help="Run the build of this deployment instead of the active one.")
@click.option(
    "--wait", is_flag=True, help="Follow the session to its end; exit code 0 only if it completed."
)
@click.option(
    "--local",
    is_flag=True,
    help="Run FILE:FUNC from this directory without a service, and follow it as --wait does.",
)
@timeout_option
@json_option
@with_target
def command(  # noqa: PLR0913 (one parameter per option)
    options: TargetOptions,
    *,
    target: tuple[str, ...],
    event: str | None,
    request_data: JsonObject | None,
    durable: bool | None,
    deployment: str | None,
    wait: bool,
    local: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Start FUNC as a session.

    To call a webhook's function, give the data of a request with --body, --header, --query and --method (only `body.bytes` is
    missing; `hookline event send` sends a whole event to its trigger).

    For a deployed PROJECT: writes the session's id; with --wait, follows its log and shows its final status.

    With --local: FILE is a file here, and no service is needed. Its project is the nearest directory above
    it with a manifest, or otherwise the file's own directory. It runs on a temporary service and behaves as on any
    other. Variables without a value are taken from the environment, or from the project's .env file. Schedules are
    paused.
    """
    if event is not None and request_data is not None:
        raise click.UsageError("give --event, or the parts of a request, not both")
    request: JsonObject = {} if durable is None else {"durable": durable}
    if event is not None:
        request["input"] = read_json("--event", event)
    elif request_data is not None:
        request["input"] = request_data
    patience = RetryDeadline(timeout)
    if local:
        if deployment is not None:
            raise click.UsageError("--deployment is one of a service; leave out --local")
        from hookline_cli.local_run import LocalRun, run_locally

        (request["entry_point"],) = _targets(target, "FILE:FUNC")
        run = LocalRun(request=request, base=options.home, as_json=as_json)
        require_completed(run_locally(run, patience))
        return
    request["project"], request["entry_point"] = _targets(target, "PROJECT", "FILE:FUNC")
    if deployment:
        request["deployment"] = deployment
    with options.connect() as service:
        session = service.post("/sessions", request)
        if wait:
            note(f"session {session['id']}")
            with session_goes_on(str(session["id"])):
                final = follow_to_end(service, session, patience, as_json=as_json)
            tell_of_missing_request(service, request, final)
            require_completed(final)
        elif as_json:
            print_json(session)
        else:
            click.echo(session["id"])


def _targets(given: tuple[str, ...], *wanted: str) -> tuple[str, ...]:
    if len(given) != len(wanted):
        where = "of this directory with --local" if len(wanted) == 1 else "of a deployed project"
        raise click.UsageError(f"to run a function {where}, give {' '.join(wanted)}")
    return given
