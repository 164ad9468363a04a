"""Verbs of `session` for one that runs: where it hangs, and its end."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_json, printable
from hookline_cli.follow import FINAL_STATES, RetryDeadline, session_goes_on, wait_final
from hookline_cli.json_values import JsonObject, objects_in, texts_in
from hookline_cli.options import (
    json_option,
    segment,
    session_id_of,
    timeout_option,
    with_service,
)
from hookline_cli.session_log import print_status


@click.command("stack")
@click.argument("session")
@json_option
@with_service
def show_stack(service: Service, *, session: str, as_json: bool) -> None:
    """Show where a running session hangs now: in each thread and asyncio task, the innermost call last.

    The session continues undisturbed. For a session that waits without a process, shows what it is waiting for.
    """
    session_id = session_id_of(service, session)
    report = service.get(f"/sessions/{segment(session_id)}/stack")
    if as_json:
        print_json(report)
    else:
        click.echo("\n".join(_lines_of(report)))


@click.command("stop")
@click.argument("session")
@click.option("--reason", default="on request", help="The reason; stored with the session.")
@click.option("--force", is_flag=True, help="Kill its processes at once.")
@click.option("--wait", is_flag=True, help="Wait until the session has ended.")
@timeout_option
@json_option
@with_service
def stop_session(  # noqa: PLR0913 (one parameter per option)
    service: Service,
    *,
    session: str,
    reason: str,
    force: bool,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Stop a session: ask it first, and kill its whole process tree after a grace period."""
    session_id = session_id_of(service, session)
    path = f"/sessions/{segment(session_id)}/stop"
    answer = service.post(path, {"reason": reason, "force": force})
    if wait:
        with session_goes_on(session_id):
            answer = wait_final(service, session_id, RetryDeadline(timeout))
    if as_json:
        print_json(answer)
    elif answer.get("state") in FINAL_STATES:
        print_status(answer)
    else:
        note(f"asked {session_id} to stop; `hookline session wait {session_id}` waits until it has")


def _lines_of(report: JsonObject) -> list[str]:
    """The report as a person reads it."""
    state, stacks = str(report.get("state")), objects_in(report, "stacks")
    if not stacks:
        found = ", ".join(texts_in(report, "waits_for"))
        what = f"waits for {found}" if found else "has no process at the moment"
        return [f"session {report.get('session')} ({state}) {what}"]
    lines = [f"session {report.get('session')} ({state}), attempt {report.get('attempt')}"]
    if report.get("dump"):
        lines.append(
            "its main thread is inside a long call of C code, so tasks and code are not shown"
        )
    for stack in stacks:
        lines += ["", f"{stack.get('kind')} {printable(str(stack.get('name')))}"]
        for frame in objects_in(stack, "frames"):
            lines += _lines_of_frame(frame)
    if report.get("omitted"):
        lines += ["", f"{report['omitted']} more"]
    return lines


def _lines_of_frame(frame: JsonObject) -> list[str]:
    file, function = printable(str(frame.get("file"))), printable(str(frame.get("function")))
    place = f"  {file}:{frame.get('line')} in {function}" if file else f"  {function}"
    source = printable(str(frame.get("source") or ""))
    return [place, f"    {source}"] if source else [place]


VERBS = (show_stack, stop_session)
