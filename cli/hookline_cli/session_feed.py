"""What the new sessions of a project do, as lines for one terminal; each session has a colour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

import click

from hookline_cli.client import Service
from hookline_cli.display import STATE_COLOURS
from hookline_cli.failures import AnswerError, describe_end
from hookline_cli.follow import FINAL_STATES
from hookline_cli.json_values import JsonObject, objects_in
from hookline_cli.session_log import format_record

MOST_NEW = 100
_MOST_FOLLOWED = 200
_PAGE = 1000
_SHORT = 5
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red", "bright_cyan")


@dataclass(slots=True, kw_only=True)
class _Followed:
    """A session that has not ended, and how far its log was read."""

    session: JsonObject
    colour: str
    seq: int = 0


@dataclass(slots=True, kw_only=True)
class SessionFeed:
    """Finds the sessions of a project that begin from now on, and reads their logs to the end."""

    project: str
    _last_id: str = ""
    _followed: dict[str, _Followed] = field(default_factory=dict[str, _Followed])
    _colours: Iterator[str] = field(default_factory=lambda: cycle(_COLOURS))

    def begin(self, service: Service) -> None:
        """Pass over the sessions that are there already."""
        newest = _list_sessions(service, self.project, 1)
        self._last_id = str(newest[0]["id"]) if newest else ""

    def read(self, service: Service) -> Iterator[str]:
        """The lines that have come since the last call. Raises as `Service.get`."""
        listed = _list_sessions(service, self.project, MOST_NEW)
        known = {str(one["id"]): one for one in listed}
        yield from self._take_up(listed)
        for session_id, followed in list(self._followed.items()):
            now = known.get(session_id) or _find_session(service, session_id)
            if now is None:  # deleted, with its project perhaps
                del self._followed[session_id]
                continue
            if now["state"] == "waiting" and now == followed.session and followed.seq:
                continue
            followed.session = now
            yield from _read_log(service, followed)
            if now["state"] in FINAL_STATES:
                del self._followed[session_id]
                end = click.style(describe_end(now), fg=STATE_COLOURS.get(str(now["state"])))
                yield f"{_label(followed)} {end}"

    def _take_up(self, listed: list[JsonObject]) -> Iterator[str]:
        fresh = [one for one in reversed(listed) if str(one["id"]) > self._last_id]
        if len(fresh) == MOST_NEW:
            yield "many sessions begin at once; not all of them are shown here"
        for session in fresh:
            self._last_id = str(session["id"])
            followed = _Followed(session=session, colour=next(self._colours))
            by = session.get("trigger") or "hand"
            where = f"{session['entry_point']}, by {by}"
            yield f"{_label(followed)} {click.style(str(session['id']), bold=True)} {where}"
            if len(self._followed) < _MOST_FOLLOWED:
                self._followed[self._last_id] = followed


def _read_log(service: Service, followed: _Followed) -> Iterator[str]:
    while True:
        path = f"/sessions/{followed.session['id']}/log"
        page = service.get(path, after=followed.seq, limit=_PAGE, order="asc")
        records = objects_in(page, "items")
        for record in records:
            followed.seq = int(record["seq"])
            if record.get("kind") != "state":
                for line in format_record(record).split("\n"):
                    yield f"{_label(followed)} {line}"
        if len(records) < _PAGE:
            return


def _label(followed: _Followed) -> str:
    """The end of the session's id, which differs between any two, in its colour."""
    return click.style(f"{str(followed.session['id'])[-_SHORT:]} │", fg=followed.colour)


def _list_sessions(service: Service, project: str, limit: int) -> list[JsonObject]:
    """The newest sessions of the project; none when there is no such project yet."""
    try:
        return service.list_newest("/sessions", limit=limit, project=project)
    except AnswerError as exc:
        if exc.answer_kind != "not_found":
            raise
        return []


def _find_session(service: Service, session_id: str) -> JsonObject | None:
    try:
        return service.get(f"/sessions/{session_id}")
    except AnswerError as exc:
        if exc.answer_kind != "not_found":
            raise
        return None
