"""A session under test: its handler runs in a thread, and only while the test waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from hookline.attr_dict import wrapped
from hookline.errors import ActivityTimeoutError, CallRefusedError, SessionStoppedError
from hookline.events import Event
from hookline.json_text import read_given, write
from hookline.testing.rooms import Matches
from hookline.testing.waiters import Clock, Waiter

FINAL: Final = frozenset({"completed", "error", "stopped"})


class StillWaitingError(AssertionError):
    """The test asked for the result of a session that has not ended."""


class StuckHandlerError(AssertionError):
    """The handler neither ended nor waited in the time a test has."""


@dataclass(slots=True, eq=False)
class Subscription:
    """A subscription of a session under test, with what came for it."""

    id: str
    source: str
    matches: Matches
    queue: deque[dict[str, Any]] = field(default_factory=deque[dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Limit:
    """How long the activity that runs may wait, and what it gets then."""

    ends_at: float
    error: ActivityTimeoutError


@dataclass(frozen=True, slots=True)
class ActivityRun:
    """One call of a function marked `@activity`: with what, how often it was tried, and what came of it."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any = None
    error: BaseException | None = None
    tries: int = 1


@dataclass(frozen=True, slots=True)
class Response:
    """What the caller of a synchronous webhook gets."""

    status_code: int
    headers: dict[str, str | list[str]]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as what JSON says."""
        return read_given(self.body)


class Session:
    """One run of a handler, as the test sees it.

    Attributes:
        id: Its id; that of a child is the name of the signal at its end.
        name: The entry point.
        event: What the handler got.
        memo: The notes given at its start.
        state: `created`, `running`, `waiting`, `completed`, `error` or `stopped`.
        prints: What it printed, one text for each `print`.
        outcomes: What it gave to `outcome` and `http_outcome`, in order.
        activities: Its calls of functions marked `@activity`.
        children: The sessions it started.
        error: What its handler raised, or None.
    """

    def __init__(self, session_id: str, name: str, event: Event, clock: Clock) -> None:
        self.id = session_id
        self.name = name
        self.event = event
        self.clock = clock
        self.memo: dict[str, str] = {}
        self.state = "created"
        self.prints: list[str] = []
        self.outcomes: list[Any] = []
        self.activities: list[ActivityRun] = []
        self.children: list[Session] = []
        self.error: BaseException | None = None
        self.is_held = False
        self.parent: Session | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.signals: dict[str, deque[Any]] = {}
        self.waiters: list[Waiter] = []
        self.held_by: Waiter | None = None  # the plain wait that holds up all else in the session
        self.limit: Limit | None = None
        self.thread: threading.Thread | None = None
        self._value: Any = None
        self._stop_reason: str | None = None
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.name} {self.state}>"

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.state in FINAL

    @property
    def result(self) -> Any:
        """What the handler returned. Raises what it raised.

        Raises:
            StillWaitingError: it has not ended.
        """
        if self.error is not None:
            raise self.error
        if not self.is_final:
            raise StillWaitingError(f"{self.name} has not ended; it waits for {self.waits_for}")
        return self._value

    @property
    def waits_for(self) -> list[str]:
        """What it waits for: names of triggers, connections and signals, `sleep` for the end of a sleep."""
        names: list[str] = []
        for waiter in self.waiters:
            if waiter.operation == "take_event":
                names += [
                    self.subscriptions[one].source for one in waiter.arguments["subscriptions"]
                ]
            elif waiter.operation == "take_signal":
                names += waiter.arguments["names"]
            else:
                names.append(waiter.operation)
        return names

    @property
    def response(self) -> Response | None:
        """What the caller of a synchronous webhook would get of `http_outcome`; None without one."""
        dicts = [cast("dict[str, Any]", one) for one in self.outcomes if isinstance(one, dict)]
        given = [one for one in dicts if "status_code" in one]
        if not given:
            return None
        first = given[0]
        headers = dict(first.get("headers") or {})
        if "json" in first:
            headers.setdefault("Content-Type", "application/json")
        body = b"".join(map(_body_of, given))
        return Response(first["status_code"] or 200, headers, body)

    # What follows is for the project under test.

    def begin(self, handler: Callable[..., Any]) -> None:
        """Make its thread, which stands still until `turn`."""
        self.thread = threading.Thread(
            target=self._run, args=(handler,), name=f"hookline-{self.id}", daemon=True
        )
        self.state = "running"
        self.thread.start()

    def turn(self, patience_s: float) -> None:
        """Let the handler go on until it waits or ends.

        Raises:
            StuckHandlerError: it does neither within that time.
        """
        self.state = "running"
        self._go.release()
        if not self._back.acquire(timeout=patience_s):
            raise StuckHandlerError(
                f"{self.name} still runs after {patience_s:g} seconds; fake what it waits for, or give more patience_s"
            )

    def park(self) -> None:
        """In the handler's thread: let the test have its turn.

        Raises:
            SessionStoppedError: the session is stopped.
        """
        self.state = "waiting"
        self._back.release()
        self._go.acquire()
        if self._stop_reason is not None:
            raise SessionStoppedError(self._stop_reason)

    def request_stop(self, reason: str) -> None:
        """From its next turn on it ends."""
        self._stop_reason = reason

    def end(self, state: str, value: Any = None, error: BaseException | None = None) -> None:
        """The session has ended so."""
        self.state, self._value, self.error = state, value, error

    @property
    def is_ready(self) -> bool:
        """Whether it could go on."""
        waiters = self.waiters if self.held_by is None else [self.held_by]
        return self.state == "waiting" and any(waiter.is_done for waiter in waiters)

    def take(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """What is there for it.

        Raises:
            CallRefusedError: a subscription is none of this session's.
        """
        if operation == "take_signal":
            for name in arguments["names"]:
                if self.signals.get(name):
                    return {"name": name, "payload": self.signals[name].popleft()}
            return None
        for one in arguments["subscriptions"]:
            if one not in self.subscriptions:
                raise CallRefusedError(
                    "subscription.not_found", f"this session has no subscription {one!r}"
                )
        for one in arguments["subscriptions"]:
            if self.subscriptions[one].queue:
                return self.subscriptions[one].queue.popleft()
        return None

    def put_back(self, waiter: Waiter) -> None:
        """Its task was cancelled before it got what had come: the next one that waits for it gets it."""
        taken = waiter.result
        if taken is None:
            return
        if waiter.operation == "take_signal":
            self.signals[taken["name"]].appendleft(taken["payload"])
        elif taken["subscription"] in self.subscriptions:
            self.subscriptions[taken["subscription"]].queue.appendleft(taken)
        self.look()
        for other in self.waiters:
            other.settle()

    def look(self) -> None:
        """Something came: end the first wait that is for it."""
        for waiter in self.waiters:
            if waiter.operation.startswith("take_") and not waiter.is_done:
                taken = self.take(waiter.operation, waiter.arguments)
                if taken is not None:
                    waiter.end(taken)

    def _run(self, handler: Callable[..., Any]) -> None:
        self._go.acquire()
        try:
            self.end("completed", self._call(handler))
        except SessionStoppedError as exc:
            self.end("stopped" if self._stop_reason is not None else "error", error=exc)
        except BaseException as exc:  # noqa: BLE001 - whatever a handler raises belongs to the test
            is_plain_exit = isinstance(exc, SystemExit) and exc.code in (None, 0)
            self.end(
                "completed" if is_plain_exit else "error", error=None if is_plain_exit else exc
            )
        finally:
            self._back.release()

    def _call(self, handler: Callable[..., Any]) -> Any:
        named = {"session_id": self.id} if _wants_session_id(handler) else {}
        result = handler(self.event, **named)
        if not inspect.iscoroutine(result):
            return result
        return asyncio.run(result)  # in a loop of virtual time, see hookline.testing.patches


def _wants_session_id(handler: Callable[..., Any]) -> bool:
    with contextlib.suppress(TypeError, ValueError):
        parameter = inspect.signature(handler).parameters.get("session_id")
        return parameter is not None and parameter.kind is not parameter.POSITIONAL_ONLY
    return False


def _body_of(answer: dict[str, Any]) -> bytes:
    if "json" in answer:
        return _json_text(answer["json"])
    body = wrapped(answer.get("body"))
    if body is None:
        return b""
    if isinstance(body, str | bytes):
        return body.encode() if isinstance(body, str) else body
    return _json_text(body)


def _json_text(value: object) -> bytes:
    return (write(value) + "\n").encode()
