"""Sessions: single executions of a function, with their log and their journal."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.commands import session_running, session_work
from hookline_cli.display import (
    local_time,
    note,
    print_fields,
    print_json,
    print_table,
    printable,
    shown,
    span,
)
from hookline_cli.failures import describe_error
from hookline_cli.follow import RetryDeadline, require_completed, session_goes_on, wait_final
from hookline_cli.json_values import JsonObject, object_of, objects_in
from hookline_cli.options import (
    json_option,
    limit_option,
    project_option,
    read_json,
    segment,
    session_id_of,
    timeout_option,
    with_service,
)
from hookline_cli.session_log import print_log_live, print_log_stored, print_status

_EPILOG = (
    "SESSION is the id of a session, or the name of a project, which means its latest session (for a "
    "child, the session that started it)."
)
_STATES = ["created", "running", "waiting", "completed", "error", "stopped"]
_MOST_ACTIVITIES = 1000
_LONGEST_OUTCOME = 80


@click.group("session", epilog=_EPILOG)
def command() -> None:
    """List, follow, stop and restart sessions; replay and fork them."""


for verb in (*session_running.VERBS, *session_work.VERBS):
    command.add_command(verb)


@command.command("list")
@project_option
@click.option("--deployment", help="Only of this deployment.")
@click.option("--trigger", help="Only started by this trigger (id).")
@click.option("--event", help="Only started by this event.")
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@limit_option()
@json_option
@with_service
def list_sessions(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    project: str | None,
    deployment: str | None,
    trigger: str | None,
    event: str | None,
    state: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List sessions, the newest first."""
    sessions = service.list_newest(
        "/sessions",
        limit=limit,
        project=project,
        deployment=deployment,
        trigger=trigger,
        event=event,
        state=state,
    )
    if as_json:
        print_json(sessions)
    else:
        columns = ["id", "project", "trigger", "entry_point", "state", "created_at", "ended_at"]
        print_table(sessions, columns, empty="no sessions; `hookline run` or a trigger starts one")


@command.command("get", epilog=_EPILOG)
@click.argument("session")
@json_option
@with_service
def get_session(service: Service, *, session: str, as_json: bool) -> None:
    """Show one session."""
    _show(service.get(_path(service, session)), as_json=as_json)


@command.command("log", epilog=_EPILOG)
@click.argument("session")
@click.option(
    "-f", "--follow", is_flag=True, help="Show new records as they come, until the session ends."
)
@click.option("--limit", type=click.IntRange(1), help="Only this many records, the newest.")
@click.option(
    "--order",
    type=click.Choice(["asc", "desc"]),
    default="asc",
    show_default=True,
    help="Oldest or newest record first.",
)
@click.option("--kind", "kinds", multiple=True, help="Only records of this kind; may be repeated.")
@click.option("--plain", is_flag=True, help="Only the text, without time and kind.")
@json_option
@with_service
def show_log(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    session: str,
    follow: bool,
    limit: int | None,
    order: str,
    kinds: tuple[str, ...],
    plain: bool,
    as_json: bool,
) -> None:
    """Write the log of a session.

    With --json: one array; with --follow and --json: one object per line, as they come.
    """
    session_id = session_id_of(service, session)
    if follow:
        with session_goes_on(session_id):
            print_log_live(
                service, session_id, RetryDeadline(None), kinds=kinds, plain=plain, as_json=as_json
            )
    else:
        print_log_stored(
            service,
            session_id,
            limit=limit,
            newest_first=order == "desc",
            kinds=kinds,
            plain=plain,
            as_json=as_json,
        )


@command.command("activities", epilog=_EPILOG)
@click.argument("session")
@click.option("--limit", type=click.IntRange(1), help="Only this many, starting with the first.")
@json_option
@with_service
def list_activities(service: Service, *, session: str, limit: int | None, as_json: bool) -> None:
    """List the recorded activities of a session, in the order of recording.

    Long outcomes are cut; --json shows them in full, with the arguments.
    """
    path = f"{_path(service, session)}/activities"
    found = read_forward(service, path, limit)
    if as_json:
        print_json([{"number": number, **one} for number, one in enumerate(found, 1)])
        return
    rows = [_activity_row(number, activity) for number, activity in enumerate(found, 1)]
    columns = ["number", "name", "at", "outcome", "took", "attempt", "volatile"]
    print_table(rows, columns, empty="" if rows else _why_no_activities(service, session))


@command.command("wait", epilog=_EPILOG)
@click.argument("session")
@timeout_option
@json_option
@with_service
def wait_session(service: Service, *, session: str, timeout: float | None, as_json: bool) -> None:
    """Wait until a session has ended; exit code 0 only if it completed."""
    session_id = session_id_of(service, session)
    with session_goes_on(session_id):
        final = wait_final(service, session_id, RetryDeadline(timeout))
    _finish(final, as_json=as_json)


@command.command("watch", epilog=_EPILOG)
@click.argument("session")
@timeout_option
@with_service
def watch_session(service: Service, *, session: str, timeout: float | None) -> None:
    """Follow the log of a session to its end, then its status; exit code 0 only if it completed."""
    session_id = session_id_of(service, session)
    with session_goes_on(session_id):
        final = print_log_live(service, session_id, RetryDeadline(timeout))
    print_status(final)
    require_completed(final)


@command.command("signal", epilog=_EPILOG)
@click.argument("session")
@click.argument("name")
@click.option("--payload", metavar="JSON|@FILE", help="Payload of the signal; `@-` reads stdin.")
@with_service
def signal_session(service: Service, *, session: str, name: str, payload: str | None) -> None:
    """Send a session a signal; it stays queued until the session takes it."""
    session_id = session_id_of(service, session)
    body: JsonObject = {"name": name}
    if payload is not None:
        body["payload"] = read_json("--payload", payload)
    service.post(f"/sessions/{segment(session_id)}/signals", body)
    note(f"sent {name!r} to {session_id}")


@command.command("restart", epilog=_EPILOG)
@click.argument("session")
@json_option
@with_service
def restart_session(service: Service, *, session: str, as_json: bool) -> None:
    """Start a new session with the same build, function and input, from the beginning."""
    begun = service.post(f"{_path(service, session)}/restart")
    if as_json:
        print_json(begun)
        return
    click.echo(begun["id"])
    note(f"{begun.get('state')}; follow it with `hookline session watch {begun['id']}`")


@command.command("delete")
@click.argument("session")
@with_service
def delete_session(service: Service, *, session: str) -> None:
    """Delete an ended session with its log and journal. Takes an id only."""
    service.delete(f"/sessions/{segment(session)}")
    note(f"deleted session {session}")


def read_forward(service: Service, path: str, limit: int | None) -> list[JsonObject]:
    """The items of a listing that is read from its beginning, over as many pages as it takes."""
    items: list[JsonObject] = []
    after: object = None
    while limit is None or len(items) < limit:
        most = _MOST_ACTIVITIES if limit is None else min(_MOST_ACTIVITIES, limit - len(items))
        page = service.get(path, after=after, limit=most)
        found = objects_in(page, "items")
        items += found
        after = page.get("next")
        if after is None or not found:
            break
    return items


def _why_no_activities(service: Service, session: str) -> str:
    found = service.get(_path(service, session))
    if found.get("durable", True):
        return "no activities are recorded of this session"
    return (
        f"session {found['id']} is not durable, so nothing of it is recorded; start it with `hookline run --durable`, "
        "or leave out `is_durable: false` of its trigger"
    )


def _activity_row(number: int, activity: JsonObject) -> JsonObject:
    """The activity as a line of the table: a call, or a wait for a time or for something to come."""
    outcome, took = activity.get("result"), span(activity.get("duration_s"))
    if error := activity.get("error"):
        outcome = (object_of(error) or {}).get("message", error)  # a refusal has a code, too
    elif activity.get("kind") in {"sleep", "wait"}:
        wake_at = activity.get("wake_at")
        outcome, took = (f"until {local_time(wake_at)}" if wake_at else "waits"), "-"
    text = shown(outcome)
    if len(text) > _LONGEST_OUTCOME:
        text = text[: _LONGEST_OUTCOME - 1] + "…"
    at = f"{activity.get('file')}:{activity.get('line')}"
    return {**activity, "number": number, "at": at, "outcome": text, "took": took}


def _path(service: Service, session: str) -> str:
    return f"/sessions/{segment(session_id_of(service, session))}"


def _show(session: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(session)
        return
    error = object_of(session.get("error"))
    if error is None:
        print_fields(session)
        return
    traceback = str(error.get("traceback") or "")
    message = str(error.get("message") or "")
    if traceback:
        message = message.partition("\n")[0]  # the rest of it stands at the end of the traceback
    print_fields({**session, "error": describe_error(error, message)})
    if traceback:
        click.echo("\n" + printable(traceback).rstrip("\n"))


def _finish(final: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(final)
    else:
        print_status(final)
    require_completed(final)
