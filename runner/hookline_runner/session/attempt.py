"""One attempt of a session: set the process up for it, run the function, report how it ended."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hookline.activities import ACTIVITY_MARK, hear_of_retries
from hookline.errors import SessionInterrupt, SessionStoppedError
from hookline_runner.codec import encode_value
from hookline_runner.frames import FrameType
from hookline_runner.session.answering import answer_field
from hookline_runner.session.branches import INSIDE, Branch, current
from hookline_runner.session.calling import ServiceOperations
from hookline_runner.session.capture import Capture, CapturedLogging, CapturedStream
from hookline_runner.session.clock import SessionClock
from hookline_runner.session.decisions import DecisionTable
from hookline_runner.session.display import RESULT_LIMIT_BYTES, display
from hookline_runner.session.durable_loop import DurableLoop
from hookline_runner.session.entry import (
    get_handler,
    load_module,
    make_event,
    run_coroutine,
    split_entry_point,
    wants_session_id,
)
from hookline_runner.session.gate import Gate
from hookline_runner.session.journal import (
    KIND,
    RESULT_LIMIT_BYTES as VALUE_LIMIT_BYTES,
    Journal,
    Kind,
)
from hookline_runner.session.leftovers import Leftovers
from hookline_runner.session.link import Link
from hookline_runner.session.output import LogLimits, LogStream, Waker
from hookline_runner.session.own_handlers import OwnHandlers
from hookline_runner.session.recording import Recorder
from hookline_runner.session.sdk_backend import SessionBackend
from hookline_runner.session.stopping import StopSwitch
from hookline_runner.session.suspension import Waiting
from hookline_runner.session.tracebacks import describe, killed_by_itself

_DEFAULT_LINES: Final = 1_000_000
_DEFAULT_BYTES: Final = 100 * 1024 * 1024
_DEFAULT_HOT_WINDOW_S: Final = 5.0
_STOP_FRAME_WAIT_S: Final = 0.2
_GATED_RECURSION_LIMIT: Final = 2_200  # each of the author's 1,000 calls passes the gate


@dataclass(frozen=True, slots=True)
class Start:
    """What a START frame says."""

    header: dict[str, Any]
    body: bytes

    @property
    def is_durable(self) -> bool:
        """Whether calls are recorded."""
        return bool(self.header.get("durable"))


@dataclass(slots=True)
class Ending:
    """How the function ended."""

    value: Any = None
    error: dict[str, str] | None = None
    is_stopped: bool = False


@dataclass(frozen=True, slots=True)
class Makers:
    """What an attempt is made of that a replay on an author's machine has of its own."""

    recorder: type[Recorder] = Recorder
    log: type[LogStream] = LogStream


class Attempt:
    """The parts of one attempt, wired."""

    def __init__(
        self,
        start: Start,
        link: Link,
        project_dir: str,
        stop: StopSwitch,
        waker: Waker,
        makers: Makers,
    ) -> None:
        header = start.header
        self._start = start
        self._link = link
        self._project_dir = project_dir
        self._stop = stop
        self._clock = SessionClock(header.get("now"))
        self._journal = Journal(link)
        limits = LogLimits(
            lines=header.get("log_limit_lines") or _DEFAULT_LINES,
            size_bytes=header.get("log_limit_bytes") or _DEFAULT_BYTES,
        )
        journal = self._journal
        self.output = makers.log(link, self._clock, limits, waker, lambda: journal.is_repeating)
        self._capture = Capture(self.output)
        self._recorder = makers.recorder(journal, self.output, self._clock, project_dir)
        hot_window_s = header.get("hot_window_s", _DEFAULT_HOT_WINDOW_S)
        self._waiting = Waiting(
            link,
            journal,
            self.output,
            self._clock,
            hot_window_s,
            before_leaving=self._capture.finish,
        )
        self._host = SessionBackend(
            ServiceOperations(link, self._recorder, self.output, self._clock),
            link,
            self._waiting,
            stop,
            is_durable=start.is_durable,
        )
        journal.before_sending = self.output.flush
        self._leftovers = Leftovers(self.output, project_dir)
        self._branch = Branch()
        self._gate: Gate | None = None
        self._is_first_retrier = threading.Lock()  # is never given back
        self._plain_new_event_loop = asyncio.events.new_event_loop
        _shield_ours(stop)

    def receive_journal(self) -> bool:
        """Take in the recorded entries; false when the link ends before the last."""
        if not self._start.header.get("journal_count"):
            return True
        while True:
            frame = self._link.receive()
            if frame is None:
                return False
            if frame.type is FrameType.JOURNAL and self._journal.load_page(
                frame.header, frame.payload
            ):
                return True

    def install(self) -> None:
        """From here on the process is the session's."""
        self._capture.install()
        self._host.install()
        OwnHandlers(self._stop).install()
        if self._start.is_durable:
            table = DecisionTable(self._project_dir)
            self._gate = Gate(table, self._recorder, self._waiting, self._stop, self.output)
            self._gate.install()
            sys.setrecursionlimit(max(sys.getrecursionlimit(), _GATED_RECURSION_LIMIT))
            self._set_new_event_loop(self._new_loop)
        else:
            hear_of_retries(self._tell_of_retries)

    def _tell_of_retries(self, name: str) -> None:
        """Say once that a failed try is the only one here."""
        if self._is_first_retrier.acquire(blocking=False):
            text = (
                f"{name} has retries, but in this session each call is tried once: retries need a durable session, "
                "by `hookline run --durable` or `is_durable: true` of the trigger"
            )
            self.output.emit("warning", text)

    def uninstall(self) -> None:
        """Give the process back."""
        Gate.uninstall()
        hear_of_retries(None)
        self._host.uninstall()
        OwnHandlers.uninstall()
        self._capture.uninstall()
        self._set_new_event_loop(self._plain_new_event_loop)

    def run(self) -> Ending:
        """Load the module and run the function; whatever it raises is how it ended."""
        self._link.send(FrameType.STARTED, "{}")
        try:
            ending = self._run_function()
        except SessionStoppedError:  # it came when the function had ended
            ending = Ending()
        if self._recorder.failure is not None and ending.error is None:
            ending = Ending(error=describe(self._recorder.failure, self._project_dir))
        ending.is_stopped = ending.is_stopped or self._stop.is_raised
        if ending.is_stopped and not self._is_stop_asked():
            ending = Ending(error=killed_by_itself("SIGTERM"))
        self._capture.finish()
        return ending

    def _run_function(self) -> Ending:
        module_name, name = "", ""
        loaded = False
        try:
            self._stop.open()
            module_name, name = split_entry_point(self._start.header["entry_point"])
            token = current.set(INSIDE)
            try:
                module = load_module(module_name)
            finally:
                current.reset(token)
            loaded = True
            ending = Ending(value=self._call(get_handler(module, name)))
            self._check_exhausted()
        except BaseException as exc:  # noqa: BLE001 - the process boundary: whatever ends a session is reported
            ending = self._ending_of(exc, "" if loaded else module_name)
        if not ending.is_stopped:
            ending = self._wait_for_threads(ending)
        self._stop.close()
        return ending

    def _wait_for_threads(self, ending: Ending) -> Ending:
        """Let threads that the session left finish, as Python does at the end of a program; a stop ends the wait."""
        try:
            self._leftovers.wait()
        except BaseException as exc:  # noqa: BLE001 - as above: a stop, or a signal handler of the session's own
            stopped = self._ending_of(exc, "")
            return ending if ending.error is not None and not stopped.is_stopped else stopped
        return ending

    def _is_stop_asked(self) -> bool:
        """Whether the service asked for the stop: its frame is sent before the signal, but another thread may read it."""
        stop, link = self._stop, self._link
        if not stop.is_asked:
            link.wait_wake(link.news.count, _STOP_FRAME_WAIT_S, lambda: stop.is_asked)
        return stop.is_asked

    def finish(self, ending: Ending, dirty: str | None) -> None:
        """Report the end."""
        encoded = None
        shown = "null"
        if ending.error is None and not ending.is_stopped:
            encoded = encode_value(ending.value)
            if encoded is not None and len(encoded.data) > VALUE_LIMIT_BYTES:
                encoded = None
            shown = display(ending.value, RESULT_LIMIT_BYTES)
        answer = self._answer_of(ending)
        self._journal.flush()
        self.output.close()
        header = {
            "ok": ending.error is None and not ending.is_stopped,
            "display": shown,
            "error": ending.error,
            "stopped": ending.is_stopped,
            "dirty": dirty,
            "encoding": encoded.encoding if encoded else "none",
            "log_dropped": self.output.dropped,
        }
        text = f"{json.dumps(header)[:-1]},{answer}}}"
        self._link.send(FrameType.DONE, text, encoded.data if encoded else b"")

    def _answer_of(self, ending: Ending) -> str:
        """The field of the DONE for those who asked for an answer; what cannot be one is told in the log."""
        wanted = self._start.header.get("answers")
        if ending.error is not None or ending.is_stopped:
            wanted = None
        has_answered = self._host.has_answered
        field, warning = answer_field(wanted, ending.value, has_answered=has_answered)
        if warning:
            self.output.emit("warning", warning)
        return field

    def _call(self, handler: Callable[..., Any]) -> Any:
        header = self._start.header
        body = self._start.body if header.get("has_body") else None
        event = make_event(header.get("event") or {}, body)
        options = {"session_id": header["session"]} if wants_session_id(handler) else {}
        if self._start.is_durable:
            self._waiting.in_flight.begin()
        current.set(self._branch)
        try:
            result = self._invoke(handler, event, options)
            if inspect.iscoroutine(result):
                make_loop = self._new_loop if self._start.is_durable else None
                result = run_coroutine(result, make_loop, self._note_loop)
        finally:
            current.set(None)
        return result

    def _invoke(self, handler: Callable[..., Any], event: Any, options: dict[str, Any]) -> Any:
        if self._gate is not None and getattr(handler, ACTIVITY_MARK, None) is True:
            return self._gate.call(handler, event, **options)
        return handler(event, **options)

    def _check_exhausted(self) -> None:
        """A function that ends before everything recorded was asked for did not do what it did before."""
        if not self._journal.is_replaying or self._stop.is_raised:
            return
        for row in self._journal.remaining():
            if row[KIND] not in {Kind.RIDING, Kind.CANCELLED}:
                self._recorder.mismatch(row, "the function returned")

    def _ending_of(self, exc: BaseException, loading: str) -> Ending:
        if isinstance(exc, SessionStoppedError) or (
            self._stop.is_raised and isinstance(exc, asyncio.CancelledError)
        ):
            return Ending(is_stopped=True)
        if isinstance(exc, SystemExit) and exc.code in (None, 0):
            return Ending()
        error = describe(exc, self._project_dir)
        if loading and not isinstance(exc, SessionInterrupt):
            error["message"] = f"can't load {loading} - {error['type']}: {error['message']}"
            if isinstance(exc, ModuleNotFoundError):
                is_own = f"{loading}.".startswith(f"{exc.name}.")
                place = "a file of the project" if is_own else "in the project's requirements.txt"
                error["message"] += f"; is it {place}?"
        return Ending(error=error)

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        if threading.current_thread() is not threading.main_thread():
            return self._plain_new_event_loop()
        return DurableLoop(self._link, self._recorder, self._waiting, self._stop, self._clock)

    def _set_new_event_loop(self, function: Callable[[], asyncio.AbstractEventLoop]) -> None:
        asyncio.events.new_event_loop = function
        asyncio.new_event_loop = function

    def _note_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        if not isinstance(loop, DurableLoop):
            self._stop.on_loop = lambda: _cancel_all(loop, self._stop)


def _shield_ours(stop: StopSwitch) -> None:
    """Where something of ours would be torn: by a stop, or by a time-out."""
    stop.shield(
        Link.send,
        Link.call,
        Link.wait_acknowledged,
        Link.read_available,
        Link.read_or_end,
        Link.wake,
        LogStream.emit,
        LogStream.flush,
        Journal.add,
        Journal.flush,
        Journal.consume,
        Waiting.suspend,
        CapturedStream.write,
        CapturedLogging.handle,
    )
    stop.wait(Link.wait_wake)


def _cancel_all(loop: asyncio.AbstractEventLoop, stop: StopSwitch) -> None:
    stop.is_raised = True
    for task in asyncio.all_tasks(loop):
        task.cancel()
