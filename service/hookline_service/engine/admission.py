"""Decides which session may run next: places are shared by project, within a project first come, first served."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from hookline_service.model.events import Event
from hookline_service.model.ids import ProjectId, SessionId
from hookline_service.model.sessions import Session


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `maximum` attempts at once under this key (a project or a trigger)."""

    key: str
    maximum: int


@dataclass(slots=True)
class Ticket:
    """A session that wants to run. `is_fresh`: nobody else can have begun it; then `event` is at hand."""

    session: Session
    event: Event | None
    limits: tuple[Limit, ...]
    is_fresh: bool = False


class RecentSessions:
    """Sessions that were begun or stopped here lately: how they stand, only the store knows."""

    _KEPT = 4_096

    def __init__(self) -> None:
        self._ids: dict[SessionId, None] = {}

    def __contains__(self, session_id: SessionId) -> bool:
        return session_id in self._ids

    def add(self, session_id: SessionId) -> None:
        """Remember this one, and forget the oldest if there are too many."""
        self._ids[session_id] = None
        if len(self._ids) > self._KEPT:
            del self._ids[next(iter(self._ids))]


class _Line:
    """The tickets of one project: `ready` in order, with some that have left; how many wait, also aside, and how many run."""

    __slots__ = ("ready", "running", "waiting")

    def __init__(self) -> None:
        self.ready: deque[Ticket] = deque()
        self.waiting = 0
        self.running = 0


class AdmissionQueue:
    """Sessions that are ready, in one line for each project; those whose limit is used up wait aside, and block nobody else.

    The next place goes to the project with the fewest attempts among those whose line somebody stands in; of several, to the
    one that has been in this case for longest. So a project that is alone has all the room, and others get an equal share of
    what becomes free. All of it takes the same time however many wait.
    """

    def __init__(self) -> None:
        self._lines: dict[ProjectId, _Line] = {}
        self._turns: dict[int, OrderedDict[ProjectId, _Line]] = {}  # by attempts, in order
        self._aside: dict[str, deque[Ticket]] = {}
        self._running: dict[str, int] = {}
        self._waiting: dict[SessionId, Ticket] = {}
        self._projects_waiting = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, session_id: SessionId) -> bool:
        return session_id in self._waiting

    def count(self, project_id: ProjectId) -> int:
        """How many tickets of this project wait."""
        line = self._lines.get(project_id)
        return 0 if line is None else line.waiting

    def share(self, project_id: ProjectId, most: int) -> int:
        """How many tickets of `most` this project may count on, beside the others that wait."""
        others = self._projects_waiting - (1 if self.count(project_id) else 0)
        return max(1, most // (others + 1))

    def room(self, project_id: ProjectId, most: int) -> int:
        """How many more tickets of this project fit: up to `most` of all, and up to its share whatever the others have."""
        left = self.share(project_id, most) - self.count(project_id)
        return max(0, most - len(self._waiting), left)

    def push(self, ticket: Ticket) -> None:
        """Put a ticket at the end of its project's line."""
        project_id = ticket.session.project_id
        line = self._lines.get(project_id)
        if line is None:
            line = self._lines[project_id] = _Line()
        self._waiting[ticket.session.id] = ticket
        if line.waiting == 0:
            self._projects_waiting += 1
        line.waiting += 1
        line.ready.append(ticket)
        self._stand(project_id, line)

    def remove(self, session_id: SessionId) -> Ticket | None:
        """Take a ticket out wherever it stands; None if it does not wait."""
        ticket = self._waiting.get(session_id)
        if ticket is not None:
            self._take_out(ticket)
            self._advance(ticket.limits)
        return ticket

    def pop(self) -> Ticket | None:
        """The next ticket that may run; its project and its limits count it until `release`."""
        while self._turns:
            project_id, line = next(iter(self._turns[min(self._turns)].items()))
            ticket = self._pop_from(line)
            self._leave_turn(project_id, line)
            if ticket is None:
                continue
            line.running += 1
            if line.ready:
                self._stand(project_id, line)
            self._take_out(ticket)
            for limit in ticket.limits:
                self._running[limit.key] = self._running.get(limit.key, 0) + 1
            return ticket
        return None

    def release(self, project_id: ProjectId, limits: tuple[Limit, ...]) -> None:
        """An attempt of this project under these limits ended: let one that waited for each go to the front."""
        line = self._lines[project_id]
        was_in_turn = self._leave_turn(project_id, line)
        line.running -= 1
        if was_in_turn:
            self._stand(project_id, line)
        for limit in limits:
            left = self._running.get(limit.key, 0) - 1
            if left > 0:
                self._running[limit.key] = left
            else:
                self._running.pop(limit.key, None)
        self._advance(limits)
        self._forget_if_empty(project_id, line)

    def _pop_from(self, line: _Line) -> Ticket | None:
        """The first of this line that may run; those that may not yet are put aside, and leave the turn they had to the next."""
        while line.ready:
            ticket = line.ready.popleft()
            if self._waiting.get(ticket.session.id) is not ticket:
                continue
            blocking = self._blocking_key(ticket)
            if blocking is None:
                return ticket
            self._aside.setdefault(blocking, deque()).append(ticket)
            self._advance([each for each in ticket.limits if self._has_room(each)])
        return None

    def _take_out(self, ticket: Ticket) -> None:
        project_id = ticket.session.project_id
        del self._waiting[ticket.session.id]
        line = self._lines[project_id]
        line.waiting -= 1
        if line.waiting == 0:
            self._projects_waiting -= 1
            line.ready.clear()
            self._leave_turn(project_id, line)
            self._forget_if_empty(project_id, line)

    def _stand(self, project_id: ProjectId, line: _Line) -> None:
        """Put the project at the end of those with as many attempts, unless it stands there."""
        turns = self._turns.get(line.running)
        if turns is None:
            turns = self._turns[line.running] = OrderedDict()
        turns.setdefault(project_id, line)

    def _leave_turn(self, project_id: ProjectId, line: _Line) -> bool:
        """Take the project out of the order of turns; whether it stood there."""
        turns = self._turns.get(line.running)
        if turns is None or turns.pop(project_id, None) is None:
            return False
        if not turns:
            del self._turns[line.running]
        return True

    def _forget_if_empty(self, project_id: ProjectId, line: _Line) -> None:
        if line.waiting == 0 and line.running == 0:
            self._lines.pop(project_id, None)

    def _advance(self, limits: Sequence[Limit]) -> None:
        """Give the turn of a ticket that went away to the next one that waits for the same limit."""
        for limit in limits:
            aside = self._aside.get(limit.key)
            while aside:
                ticket = aside.popleft()
                if self._waiting.get(ticket.session.id) is ticket:
                    project_id = ticket.session.project_id
                    line = self._lines[project_id]
                    line.ready.appendleft(ticket)
                    self._stand(project_id, line)
                    break
            if aside is not None and not aside:
                del self._aside[limit.key]

    def _blocking_key(self, ticket: Ticket) -> str | None:
        return next((each.key for each in ticket.limits if not self._has_room(each)), None)

    def _has_room(self, limit: Limit) -> bool:
        return self._running.get(limit.key, 0) < limit.maximum
