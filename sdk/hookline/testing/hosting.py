"""What user code under test is answered: the sessions of one project, in virtual time."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from hookline.attr_dict import AttrDict
from hookline.errors import ActivityTimeoutError, CallRefusedError, HooklineError
from hookline.events import Event
from hookline.stand_in import MemoryStore
from hookline.testing.rooms import Matches, compile_filter
from hookline.testing.session import ActivityRun, Limit, Session, Subscription
from hookline.testing.waiters import SLEEP, Clock, Waiter
from hookline.values import AROUND, decode, decode_answer, encode, encode_event

_MAX_SLEEPS: Final = 10_000
_MAX_TURNS: Final = 10_000  # without that time passes
_TURNS_OF_A_START: Final = 4
_SLEEPS_FOR_EVER: Final = (
    "the sessions sleep and continue forever; give sleeps='advance', and advance the time yourself"
)
_NO_TIME_PASSES: Final = (
    "the sessions continue forever, and no time passes: do they keep waking or starting each other? "
    "Give children='hold' where children are not what is tested"
)
_MAX_STOPS: Final = 3

FindHandler = Callable[[str], Callable[..., Any]]


class EndlessError(AssertionError):
    """Time would have to be moved on for ever."""


@dataclass(slots=True, kw_only=True)
class Rules:
    """How the project under test behaves; see `hookline.testing.Project`."""

    find_handler: FindHandler
    sources: dict[str, Matches] | None = None
    sleeps_pass: bool = True
    runs_children: bool = True
    patience_s: float = 30.0
    numbers: count[int] = field(default_factory=lambda: count(1))


class ProjectHost:
    """See `hookline.host.Host`. One session runs at a time; the test has its turn when all of them wait."""

    def __init__(self, clock: Clock, rules: Rules) -> None:
        self.clock = clock
        self.rules = rules
        self.store = MemoryStore(lambda: clock.now)
        self.sessions: list[Session] = []
        self.outcomes: list[tuple[str | None, Any]] = []
        self.running: Session | None = None

    # What the test does.

    def add(self, name: str, event: Event) -> Session:
        """A new session, which `run` begins."""
        session = Session(f"ses_test_{next(self.rules.numbers)}", name, event, self.clock)
        self.sessions.append(session)
        return session

    def run(self, session: Session, handler: Callable[..., Any]) -> None:
        """Run the session until it ends or waits."""
        session.begin(handler)
        self._turn(session)

    def settle(self) -> None:
        """Let everything happen that can happen now.

        Raises:
            EndlessError: it never ends.
        """
        turns = sleeps = 0
        while turns <= _MAX_TURNS and sleeps <= _MAX_SLEEPS:
            ready = next((one for one in self.sessions if self._is_due(one)), None)
            if ready is not None:
                turns += 1 if ready.state != "created" else _TURNS_OF_A_START
                self._go_on(ready)
                continue
            waiters = self._open_waiters()
            if not self.rules.sleeps_pass or not any(one.is_sleep for one in waiters):
                return
            # what times out before a sleep is over does so on the way
            has_moved = self._move_to(
                min(one.deadline for one in waiters if one.deadline is not None)
            )
            turns = 0 if has_moved else turns + 1
            sleeps += any(one.is_sleep and one.is_done for one in waiters)
        raise EndlessError(_NO_TIME_PASSES if turns > _MAX_TURNS else _SLEEPS_FOR_EVER)

    def advance(self, seconds: float) -> None:
        """Move the time on, through everything that happens meanwhile."""
        target = self.clock.now + seconds
        stalls = 0
        self.settle()
        while self.clock.now < target:
            due = [one.deadline for one in self._open_waiters() if one.deadline is not None]
            stalls = 0 if self._move_to(min([target, *due])) else stalls + 1
            if stalls > _MAX_TURNS:
                raise EndlessError(_NO_TIME_PASSES)
            self.settle()

    def deliver(self, source: str, event: Event) -> int:
        """Give the event to the subscriptions of the source; how many got it."""
        passes = (self.rules.sources or {}).get(source)
        event_type = event.event_type or ""
        taken = 0
        if passes is not None and not passes(event_type, event.data):
            return 0
        for session in self.sessions:
            if session.is_final:
                continue
            for one in session.subscriptions.values():
                if one.source == source and one.matches(event_type, event.data):
                    facts = {"subscription": one.id, "id": event.event_id, "type": event.event_type}
                    one.queue.append({**facts, "data": decode_answer(encode_event(event.data))})
                    taken += 1
            session.look()
        return taken

    def signal(self, session_id: str, name: str, payload: object) -> None:
        """Queue a signal. Raises `CallRefusedError` for a session that is not there, or has ended."""
        session = next((one for one in self.sessions if one.id == session_id), None)
        if session is None:
            raise CallRefusedError("session.not_found", f"there is no session {session_id!r}")
        if session.is_final:
            raise CallRefusedError("session.final", f"the session {session_id} has ended")
        session.signals.setdefault(name, deque()).append(_copy(payload))
        session.look()

    def finish(self, session: Session) -> None:
        """Tell the parent of an ended session."""
        session.subscriptions.clear()
        parent = session.parent
        if parent is None or parent.is_final:
            return
        end: dict[str, Any] = {"completed": session.state == "completed"}
        if session.state == "completed":
            end["value"] = _value_or_none(session.result)
        self.signal(parent.id, session.id, end)

    def stop(self, session: Session, reason: str) -> None:
        """End a session that waits; its `finally` blocks run."""
        session.request_stop(reason)
        for _ in range(_MAX_STOPS):
            if session.state == "waiting" and session.thread is not None:
                self._turn(session)
        if not session.is_final:
            session.end("stopped")
            self.finish(session)

    # What user code asks.

    def call(self, operation: str, arguments: Mapping[str, Any]) -> object:
        """See `Host.call`."""
        carry_out: Callable[[Mapping[str, Any]], object] = getattr(self, f"_{operation}")
        return carry_out(arguments)

    def wait(self, operation: str, arguments: Mapping[str, Any], timeout_s: float | None) -> object:
        """See `Host.wait`; outside a session nothing comes, and it does not wait."""
        session = self.running
        if session is None:
            return None
        taken = session.take(operation, arguments)
        if taken is not None or timeout_s == 0:
            return taken
        return self._park(session, Waiter(operation, arguments, self._deadline(timeout_s)))

    async def wait_async(
        self, operation: str, arguments: Mapping[str, Any], timeout_s: float | None
    ) -> object:
        """See `Host.wait_async`."""
        session = self.running
        if session is None:
            return None
        taken = session.take(operation, arguments)
        if taken is not None or timeout_s == 0:
            return taken
        return await _await(session, Waiter(operation, arguments, self._deadline(timeout_s)))

    def sleep(self, seconds: float) -> None:
        """See `Host.sleep`; outside a session the time moves on at once."""
        if self.running is None:
            self.clock.now += seconds
        elif seconds > 0:
            self._park(self.running, Waiter(SLEEP, deadline=self._deadline(seconds)))

    async def sleep_async(self, seconds: float) -> None:
        """See `Host.sleep_async`."""
        if self.running is None:
            self.clock.now += seconds
        elif seconds > 0:
            await _await(self.running, Waiter(SLEEP, deadline=self._deadline(seconds)))

    def note_activity(self, run: ActivityRun) -> None:
        """Note a run of an activity at the session that made it."""
        if self.running is not None:
            self.running.activities.append(run)

    @contextmanager
    def limit(self, error: ActivityTimeoutError) -> Generator[None]:
        """Within it the session's thread waits no longer than the error says, and then gets it."""
        session = self.running
        if session is None or not self.is_in_session():
            yield
            return
        session.limit = Limit(self.clock.now + error.timeout_s, error)
        try:
            yield
        finally:
            session.limit = None

    def is_in_session(self) -> bool:
        """Whether the calling thread is the handler's of the running session."""
        return self.running is not None and threading.current_thread() is self.running.thread

    def _subscribe(self, arguments: Mapping[str, Any]) -> str:
        session = self._session("subscribe")
        source = arguments["source"]
        if self.rules.sources is not None and source not in self.rules.sources:
            raise CallRefusedError("subscription.source_not_found", f"source {source!r} not found")
        try:
            matches = compile_filter(arguments["filter"])
        except HooklineError as exc:
            raise CallRefusedError("subscription.filter_invalid", str(exc)) from exc
        name = f"sub_test_{next(self.rules.numbers)}"
        session.subscriptions[name] = Subscription(name, source, matches)
        return name

    def _unsubscribe(self, arguments: Mapping[str, Any]) -> None:
        self._session("unsubscribe").subscriptions.pop(arguments["subscription"], None)

    def _signal(self, arguments: Mapping[str, Any]) -> None:
        self.signal(arguments["session"], arguments["name"], arguments["payload"])

    def _start_session(self, arguments: Mapping[str, Any]) -> str:
        child = self.add(arguments["entry_point"], Event(data=AttrDict(arguments["data"] or {})))
        child.memo = dict(arguments["memo"] or {})
        child.is_held = bool(arguments["project"]) or not self.rules.runs_children
        child.parent = self.running
        if self.running is not None:
            self.running.children.append(child)
        return child.id

    def _store(self, arguments: Mapping[str, Any]) -> object:
        return self.store.use(arguments)

    def _outcome(self, arguments: Mapping[str, Any]) -> None:
        value = _copy(arguments["value"])
        self.outcomes.append((arguments["event"], value))
        if self.running is not None:
            self.running.outcomes.append(value)

    # How the turns go.

    def _session(self, what: str) -> Session:
        if self.running is None:
            raise RuntimeError(f"{what} belongs into a session: run the handler by Project.run")
        return self.running

    def _deadline(self, seconds: float | None) -> float | None:
        return None if seconds is None else self.clock.now + seconds

    def _open_waiters(self) -> list[Waiter]:
        return [
            waiter
            for session in self.sessions
            if not session.is_final
            for waiter in session.waiters
            if not waiter.is_done
        ]

    def _is_due(self, session: Session) -> bool:
        return session.is_ready or (session.state == "created" and not session.is_held)

    def _go_on(self, session: Session) -> None:
        if session.state != "created":
            self._turn(session)
            return
        try:
            handler = self.rules.find_handler(session.name)
        except Exception as exc:  # noqa: BLE001 - what the project's modules raise when they are loaded
            session.end("error", error=exc)
            self.finish(session)
            return
        self.run(session, handler)

    def _turn(self, session: Session) -> None:
        before, self.running = self.running, session
        try:
            session.turn(self.rules.patience_s)
        finally:
            self.running = before
        if session.is_final:
            self.finish(session)

    def _move_to(self, time: float) -> bool:
        """Whether it is later now."""
        before, self.clock.now = self.clock.now, max(self.clock.now, time)
        for waiter in self._open_waiters():
            if waiter.deadline is not None and waiter.deadline <= self.clock.now:
                waiter.end()
        return self.clock.now > before

    def _park(self, session: Session, waiter: Waiter) -> Any:
        if threading.current_thread() is not session.thread:
            raise RuntimeError("under test only the handler's own thread can wait")
        cut = session.limit
        if cut is not None and cut.ends_at <= self.clock.now:
            raise cut.error
        if cut is not None and (waiter.deadline is None or waiter.deadline > cut.ends_at):
            waiter.deadline = cut.ends_at
        else:
            cut = None
        session.waiters.append(waiter)
        session.held_by = waiter
        try:
            while not waiter.is_done:
                session.park()
        finally:
            session.held_by = None
            session.waiters.remove(waiter)
        if cut is not None and waiter.result is None:
            raise cut.error
        return waiter.result


async def _await(session: Session, waiter: Waiter) -> Any:
    waiter.future = asyncio.get_running_loop().create_future()
    session.waiters.append(waiter)
    is_cancelled = True
    try:
        result = await waiter.future
        is_cancelled = False
        return result
    finally:
        session.waiters.remove(waiter)
        if is_cancelled:
            session.put_back(waiter)


def _copy(value: object) -> Any:
    return decode(encode(value, around=AROUND), around=AROUND)


def _value_or_none(value: object) -> Any:
    try:
        return _copy(value)
    except (TypeError, ValueError):
        return None
