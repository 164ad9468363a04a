"""The log of a session on the terminal: what is stored, or as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

import click

from hookline_cli.client import Service
from hookline_cli.display import (
    STATE_COLOURS,
    DayMarks,
    clock_time,
    print_json,
    print_json_line,
    printable,
    shown,
)
from hookline_cli.failures import InternalAnswerError, describe_end
from hookline_cli.follow import RetryDeadline, follow_log, wait_final
from hookline_cli.json_values import JsonObject, objects_in
from hookline_service.clock import SystemClock

_PAGE = 1000
_COLOURS = {"error": "red", "stderr": "yellow", "warning": "yellow", "state": "bright_black"}
_INDENT = " " * 15


def print_log_stored(  # noqa: PLR0913 (one parameter per option of the command)
    service: Service,
    session_id: str,
    *,
    limit: int | None,
    newest_first: bool,
    kinds: Collection[str] = (),
    plain: bool = False,
    as_json: bool = False,
) -> None:
    """Write the records that are stored now, page by page."""
    records = _read_stored(service, session_id, limit=limit, newest_first=newest_first, kinds=kinds)
    if as_json:
        print_json(list(records))
        return
    days = _days()
    for record in records:
        _print_record(record, days, plain=plain)


def print_log_live(
    service: Service,
    session_id: str,
    patience: RetryDeadline,
    *,
    kinds: Collection[str] = (),
    plain: bool = False,
    as_json: bool = False,
) -> JsonObject:
    """Write the records as they come; returns the session when it has ended."""
    days = _days()
    for name, data in follow_log(service, session_id, patience):
        if name == "end":
            return data
        if name != "log" or (kinds and data.get("kind") not in kinds):
            continue
        if as_json:
            print_json_line(data)
        else:
            _print_record(data, days, plain=plain)
    raise InternalAnswerError("the log ended without an end")


def follow_to_end(
    service: Service, session: JsonObject, patience: RetryDeadline, *, as_json: bool
) -> JsonObject:
    """Write the log of the session as it comes, then how it ended; returns it as it is then.

    With `as_json`, only the ended session is written. Raises as `follow_log`.
    """
    session_id = str(session["id"])
    if as_json:
        final = wait_final(service, session_id, patience)
        print_json(final)
    else:
        final = print_log_live(service, session_id, patience)
        print_status(final)
    return final


def print_status(session: JsonObject) -> None:
    """Write the final status of a session on one line, and its result if it has one."""
    state = str(session.get("state"))
    end = click.style(describe_end(session), fg=STATE_COLOURS.get(state))
    click.echo(f"session {session.get('id')} {end}")
    if state == "completed" and session.get("result") is not None:
        click.echo(f"result: {shown(session['result'])}")


def format_record(record: JsonObject, *, plain: bool = False) -> str:
    """One record as a person reads it: time, text, and what it is unless it was printed."""
    text = printable(str(record.get("text", "")))
    if plain:
        return text
    kind = str(record.get("kind"))
    label = {"print": "", "stdout": "", "log": str(record.get("level") or "")}.get(kind, kind)
    body = f"{label.lower()}: {text}" if label else text
    body = body.rstrip("\n").replace("\n", "\n" + _INDENT)
    stamp = click.style(clock_time(record.get("at")), fg="bright_black")
    colour = _COLOURS.get(kind)
    return f"{stamp}   {click.style(body, fg=colour) if colour else body}"


def _days() -> DayMarks:
    return DayMarks(SystemClock().now().astimezone().date())


def _print_record(record: JsonObject, days: DayMarks, *, plain: bool) -> None:
    day = None if plain else days.before(record.get("at"))
    if day is not None:
        click.echo(click.style(day, fg="bright_black"))
    click.echo(format_record(record, plain=plain))


def _read_stored(
    service: Service,
    session_id: str,
    *,
    limit: int | None,
    newest_first: bool,
    kinds: Collection[str],
) -> Iterator[JsonObject]:
    if limit is not None and limit <= _PAGE and not kinds:
        page = service.get(f"/sessions/{session_id}/log", limit=limit, order="desc")
        newest: list[JsonObject] = objects_in(page, "items")
        yield from newest if newest_first else reversed(newest)
        return
    forward = _read_forward(service, session_id, kinds)
    if limit is not None:
        forward = iter(deque(forward, maxlen=limit))
    yield from reversed(list(forward)) if newest_first else forward


def _read_forward(
    service: Service, session_id: str, kinds: Collection[str]
) -> Iterator[JsonObject]:
    after = 0
    while True:
        page = service.get(f"/sessions/{session_id}/log", after=after, limit=_PAGE, order="asc")
        items: list[JsonObject] = objects_in(page, "items")
        for record in items:
            if not kinds or record.get("kind") in kinds:
                yield record
        if len(items) < _PAGE:
            return
        after = int(items[-1]["seq"])
