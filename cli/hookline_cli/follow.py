"""Following a session while it runs, through lost connections and restarts of the service."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from hookline_cli.client import Service
from hookline_cli.display import note
from hookline_cli.failures import (
    AnswerError,
    NotHooklineError,
    ServiceNotRunningError,
    ServiceUnreachableError,
    SessionNotCompletedError,
    StillRunningError,
)
from hookline_cli.json_values import JsonObject, as_object, object_of

FINAL_STATES = frozenset({"completed", "error", "stopped"})
_LOST = (ServiceNotRunningError, ServiceUnreachableError, NotHooklineError)
_LONGEST_WAIT_S = 30.0
_LONGEST_SILENCE_S = 60.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 2.0


class RetryDeadline:
    """How long a person is ready to wait, and how often a lost service is tried again.

    `limit_s` None: for ever. A service that was reached once is looked for again until the time is up.
    """

    def __init__(self, limit_s: float | None) -> None:
        self.limit_s = limit_s
        self._end = None if limit_s is None else time.monotonic() + limit_s
        self._pause_s = _FIRST_PAUSE_S
        self._is_lost = False

    def left_s(self, most_s: float = _LONGEST_WAIT_S) -> float:
        """Seconds to wait at most for one answer; 0 when the time is up."""
        if self._end is None:
            return most_s
        return max(0.0, min(most_s, self._end - time.monotonic()))

    @property
    def is_over(self) -> bool:
        """True when the time is up."""
        return self.left_s() <= 0.0

    @property
    def silence_s(self) -> float:
        """Seconds of silence after which a live stream counts as broken."""
        return max(0.01, self.left_s(_LONGEST_SILENCE_S))

    @contextlib.contextmanager
    def forgives_loss(self) -> Generator[None]:
        """Swallow that the service is lost or busy, with a pause; everything else passes."""
        try:
            yield
        except _LOST as exc:
            self.lost(exc.message)
        except AnswerError as exc:
            if exc.answer_kind not in {"unavailable", "rate_limited"}:
                raise
            self.lost(exc.message)

    def found(self) -> None:
        """The service answered."""
        if self._is_lost:
            note("connected again")
        self._is_lost = False
        self._pause_s = _FIRST_PAUSE_S

    def lost(self, problem: str) -> None:
        """The service did not answer: tell once, pause, a little longer each time."""
        if self.is_over:
            return
        if not self._is_lost:
            note(f"connection lost ({problem}); trying again")
        self._is_lost = True
        time.sleep(min(self._pause_s, self.left_s()))  # noqa: TID251 (a person waits at the terminal)
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)


def follow_log(
    service: Service, session_id: str, patience: RetryDeadline, *, after: int = 0
) -> Iterator[tuple[str, JsonObject]]:
    """Yield ("log", record) and ("state", data) as they come, and ("end", session) at the end.

    Each record comes once, however often the connection breaks.

    Raises:
        StillRunningError: the time is up.
        AnswerError: the service refuses, because there is no such session, say.
    """
    service.get(f"/sessions/{session_id}")  # an unreachable service is an error now, later a pause
    place = _Place(path=f"/sessions/{session_id}/log", seq=after)
    while True:
        with patience.forgives_loss():
            service.refresh()
            for name, data in _read_stream(service, place, patience):
                yield name, data
                if name == "end":
                    return
        if patience.is_over:
            raise _unfinished(service, session_id, patience)


def wait_final(service: Service, session_id: str, patience: RetryDeadline) -> JsonObject:
    """The session once it has ended.

    Raises:
        StillRunningError: the time is up.
    """
    session = service.get(f"/sessions/{session_id}")
    while session["state"] not in FINAL_STATES:
        if patience.is_over:
            raise _unfinished(service, session_id, patience)
        with patience.forgives_loss():
            service.refresh()
            path = f"/sessions/{session_id}/wait"
            session = service.get(path, timeout_s=round(patience.left_s(), 3))
            patience.found()
    return session


@contextlib.contextmanager
def session_goes_on(session_id: str) -> Generator[None]:
    """Whoever interrupts this is told that the session is not."""
    try:
        yield
    except KeyboardInterrupt as exc:
        told = f"{session_id} is still running; `hookline session stop {session_id}` ends it"
        raise KeyboardInterrupt(told) from exc


@dataclass(slots=True, kw_only=True)
class _Place:
    """How far the log was read."""

    path: str
    seq: int


def _read_stream(
    service: Service, place: _Place, patience: RetryDeadline
) -> Iterator[tuple[str, JsonObject]]:
    """What one connection brings; ends when it breaks, or when its deadline must be set anew."""
    query = {"after": place.seq}
    events = service.events("GET", place.path, query=query, silence_s=patience.silence_s)
    with contextlib.closing(events):
        for event in events:
            patience.found()
            if event.is_heartbeat:
                if patience.limit_s is not None:
                    return
                continue
            data = as_object(event.data)
            if event.name == "log":
                place.seq = int(event.id or data.get("seq") or place.seq)
            yield event.name, session_of(data) if event.name == "end" else data
            if patience.is_over:
                return
    patience.lost("the stream ended")


def require_completed(session: JsonObject) -> None:
    """Return if the session completed.

    Raises:
        SessionNotCompletedError: it ended in error or was stopped.
    """
    if session["state"] != "completed":
        raise SessionNotCompletedError(session)


def session_of(data: JsonObject) -> JsonObject:
    """The session in the data of an `end` event."""
    return object_of(data.get("session")) or data


def _unfinished(service: Service, session_id: str, patience: RetryDeadline) -> StillRunningError:
    try:
        state = str(service.get(f"/sessions/{session_id}")["state"])
    except _LOST:
        state = "out of reach"
    return StillRunningError(session_id, state, patience.limit_s or 0.0)
