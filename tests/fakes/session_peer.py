"""The other side of a session process: plays host and service, keeps the journal, kills on demand."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import struct
import sys
import threading
import traceback
import warnings
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hookline import values
from hookline_runner.frames import Frame, FrameReader, FrameType, encode_frame
from hookline_runner.session.clock import SessionClock
from hookline_runner.session.main import serve
from hookline_runner.session.operations import topics_of
from tests.fakes.session_service import Answer, MemoryService

DEADLINE_S = 20.0
CLOCK = SessionClock()


@dataclass
class Entry:
    """A journal entry as the service keeps it."""

    branch: str
    index: int
    seq: int
    kind: str
    name: str
    file: str
    line: int
    ok: bool
    volatile: bool
    encoding: str
    value: bytes
    arguments: str
    display: str
    started_at: float
    ended_at: float
    wake_at: float | None
    attempt: int


@dataclass
class AttemptResult:
    """What was seen of one attempt."""

    started: bool = False
    done: dict[str, Any] | None = None
    payload: bytes = b""
    suspended: bool = False
    suspended_until: float | None = None
    topics: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)  # operations, each time they were asked for
    logs: list[tuple[float, str, str, str]] = field(default_factory=list)
    status: int | None = None
    killed: bool = False

    @property
    def prints(self) -> list[str]:
        return [text for _at, kind, _level, text in self.logs if kind == "print"]

    def texts(self, kind: str) -> list[str]:
        return [text for _at, k, _level, text in self.logs if k == kind]

    @property
    def result(self) -> Any:
        assert self.done is not None, self
        assert self.done["ok"], self.done["error"]
        return json.loads(self.done["display"])

    @property
    def error(self) -> dict[str, str]:
        assert self.done is not None, self
        assert self.done["error"] is not None, self.done
        return self.done["error"]


@dataclass
class Orders:
    """When to interfere. `kill_at`: SIGKILL when that many entries are on disk in all."""

    kill_at: int | None = None
    kill_before_recording: bool = False
    stop_on_print: str | None = None
    kill_on_print: str | None = None
    stop_when_waiting: bool = False
    stop_unsignalled: bool = False  # the frame comes, the signal is late


ORDERS = frozenset(field.name for field in fields(Orders))


class SessionPeer:
    """One session: its project on disk, its journal, and one process per attempt."""

    def __init__(self, root: Path, files: dict[str, str], **start: Any) -> None:
        self.project_dir = root / "project"
        self.code_dir = root / "code"
        self.effects = root / "effects"
        self.start = start
        self.entries: list[Entry] = []
        self.attempts = 0
        self.process: ForkedProcess | None = None
        self.service = MemoryService()
        self.service_now_ahead_s = 0.0
        self.names_topics = True  # in a WAKE
        self.stray_topics: list[str] = []  # of wakes that come whenever the session waits
        self.wakes_before_replies = False
        for name, text in files.items():
            path = self.project_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(self, entry_point: str = "main.py:handler", **options: Any) -> AttemptResult:
        """One attempt. Options are those of `Orders`, `reuse`, and fields of the START header."""
        self.attempts += 1
        reuse = options.pop("reuse", False)
        orders = Orders(**{name: options.pop(name) for name in ORDERS & options.keys()})
        process = self.process
        if process is None:
            process = ForkedProcess(self.project_dir, self.code_dir, reuse=reuse)
        self.process = None
        result = AttemptResult()
        process.send(FrameType.START, self._header(entry_point, options), options.get("body", b""))
        self._send_journal(process)
        while not result.killed and (frame := process.receive()) is not None:
            header = json.loads(frame.header)
            if frame.type is FrameType.APPEND:
                self._on_append(process, orders, result, header, frame.payload)
            elif frame.type is FrameType.CALL:
                self._on_call(process, orders, result, header)
            elif frame.type is FrameType.LOG:
                self._on_log(process, orders, result, header)
            elif frame.type is FrameType.DONE:
                result.done = header
                result.payload = frame.payload
                if reuse and header["dirty"] is None:
                    self.process = process
                    return result
            elif frame.type is FrameType.SUSPEND:
                result.suspended = True
                result.suspended_until = header["wake_at"]
                result.topics = header["topics"]
            else:
                result.started = frame.type is FrameType.STARTED
        result.status = process.wait()
        return result

    def _on_append(
        self,
        process: ForkedProcess,
        orders: Orders,
        result: AttemptResult,
        header: dict[str, Any],
        payload: bytes,
    ) -> None:
        would_be = len(self.entries) + len(header["entries"])
        is_time = orders.kill_at is not None and would_be >= orders.kill_at
        if not is_time or not orders.kill_before_recording:
            self._record(header["entries"], payload)
        if is_time:
            process.kill()
            result.killed = True
        else:
            process.send(FrameType.ACK, {"n": header["n"]})

    def _on_call(
        self, process: ForkedProcess, orders: Orders, result: AttemptResult, header: dict[str, Any]
    ) -> None:
        """Apply it and record its entry; killed just before or just after, when the order says so."""
        result.calls.append(header["op"])
        is_time = (
            header["entry"] is not None
            and orders.kill_at is not None
            and len(self.entries) + 1 >= orders.kill_at
        )
        if is_time and orders.kill_before_recording:
            process.kill()
            result.killed = True
            return
        arguments: dict[str, Any] = values.decode(json.dumps(header["args"]), around=values.AROUND)
        answer = self.service.apply(header["op"], arguments, self.now())
        if answer.is_waiting:
            self._on_waiting(process, orders, header)
            return
        if header["entry"] is not None:
            self._record_call(header["entry"], answer)
            if is_time:
                process.kill()
                result.killed = True
                return
        _reply(process, header["n"], answer)
        if header["op"] == "signal" and arguments["session"] == "ses_1":
            self._wake(process, f"sig:{arguments['name']}")

    def _on_waiting(self, process: ForkedProcess, orders: Orders, header: dict[str, Any]) -> None:
        """Something comes for who waits, after what is to come before it."""
        if not self.wakes_before_replies:
            _reply(process, header["n"], Answer(is_waiting=True))
        for topic in self.stray_topics:
            self._wake(process, topic)
        asked = topics_of(header["op"], header["args"])
        topic = self.service.bring_next()
        is_woken = bool(topic)
        while topic:
            self._wake(process, topic)
            topic = "" if topic in asked else self.service.bring_next()
        if self.wakes_before_replies:
            _reply(process, header["n"], Answer(is_waiting=True))
        if not is_woken and orders.stop_when_waiting:
            process.stop("asked in a test", is_signalled=not orders.stop_unsignalled)

    def _wake(self, process: ForkedProcess, topic: str) -> None:
        process.send(FrameType.WAKE, {"topics": [topic]} if self.names_topics else {})

    def _on_log(
        self, process: ForkedProcess, orders: Orders, result: AttemptResult, header: dict[str, Any]
    ) -> None:
        result.logs += [tuple(record) for record in header["r"]]
        texts = {record[3] for record in header["r"]}
        if orders.stop_on_print in texts:
            process.stop("asked in a test")
        if orders.kill_on_print in texts:
            process.kill()
            result.killed = True

    def run_to_end(self, entry_point: str = "main.py:handler", **start: Any) -> AttemptResult:
        """Attempts until the session is done."""
        while True:
            result = self.run(entry_point, **start)
            if result.done is not None:
                return result
            assert result.suspended, result
            if not self.service.has(result.topics):
                assert result.suspended_until is not None, "it waits for what never comes"
                threading.Event().wait(result.suspended_until - CLOCK.now())

    def now(self) -> float:
        """The service's time."""
        return CLOCK.now() + self.service_now_ahead_s

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def names(self, *kinds: str) -> list[str]:
        return [e.name for e in self.entries if not kinds or e.kind in kinds]

    def effect_lines(self) -> list[str]:
        return self.effects.read_text().splitlines() if self.effects.exists() else []

    def _header(self, entry_point: str, start: dict[str, Any]) -> dict[str, Any]:
        settings = {**self.start, **start}
        variables = {"EFFECTS": str(self.effects), **settings.get("variables", {})}
        return {
            "session": "ses_1",
            "attempt": self.attempts,
            "project": "project",
            "build": "bld_1",
            "entry_point": entry_point,
            "durable": settings.get("durable", True),
            "event": settings.get("event", {"id": None, "type": None, "data": {}}),
            "has_body": "body" in settings,
            "variables": variables,
            "hot_window_s": settings.get("hot_window_s", 5.0),
            "journal_count": len(self.entries),
            "log_limit_lines": settings.get("log_limit_lines", 100_000),
            "log_limit_bytes": settings.get("log_limit_bytes", 10_000_000),
            "now": settings.get("now"),
            "answers": settings.get("answers", False),
        }

    def _send_journal(self, process: ForkedProcess) -> None:
        page_size = 5_000
        for start in range(0, len(self.entries), page_size):
            page = self.entries[start : start + page_size]
            rows = [
                [
                    *(e.branch, e.index, e.seq, e.kind, e.name, e.file, e.line, e.ok, e.volatile),
                    *(e.encoding, len(e.value), e.wake_at),
                ]
                for e in page
            ]
            last = start + page_size >= len(self.entries)
            payload = b"".join(e.value for e in page)
            process.send(FrameType.JOURNAL, {"entries": rows, "last": last}, payload)

    def _record(self, rows: list[list[Any]], payload: bytes) -> None:
        offset = 0
        for row in rows:
            branch, index, kind, name, file, line, ok, volatile, encoding, size, *rest = row
            value = payload[offset : offset + size]
            offset += size
            assert len(value) == size
            arguments, display, started_at, ended_at, wake_at = rest
            json.loads(arguments)
            json.loads(display)
            self._check_position(branch, index)
            self.entries.append(
                Entry(
                    branch, index, len(self.entries), kind, name, file, line, ok, volatile, encoding,
                    value, arguments, display, started_at, ended_at, wake_at, self.attempts,
                )
            )  # fmt: skip

    def _record_call(self, entry: list[Any], answer: Answer) -> None:
        branch, index, name, file, line, arguments, started_at = entry
        json.loads(arguments)
        self._check_position(branch, index)
        value = values.encode(answer.recorded, around=values.AROUND)
        self.entries.append(
            Entry(
                branch, index, len(self.entries), "call", name, file, line, answer.ok, False, "values",
                value, arguments, "null", started_at, CLOCK.now(), None, self.attempts,
            )
        )  # fmt: skip

    def _check_position(self, branch: str, index: int) -> None:
        assert all((e.branch, e.index) != (branch, index) for e in self.entries[-50:])


def _reply(process: ForkedProcess, number: int, answer: Answer) -> None:
    error = None if answer.ok else {"code": answer.code, "message": answer.message}
    header = {"n": number, "ok": answer.ok, "wait": answer.is_waiting, "error": error}
    payload = (
        values.encode(answer.value, around=values.AROUND)
        if answer.ok and not answer.is_waiting
        else b""
    )
    process.send(FrameType.REPLY, header, payload)


class ForkedProcess:
    """A forked child that serves."""

    def __init__(self, project_dir: Path, code_dir: Path, *, reuse: bool) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._reader = FrameReader()
        self._frames: list[Frame] = []
        self.pid = os.fork()
        if self.pid == 0:
            try:
                ours.close()
                importlib.reload(warnings)  # without the test runner's hooks
                # nor coverage's: what a signal raises in them leaves their lock taken for ever
                sys.settrace(None)
                threading.settrace(None)
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                serve(theirs, project_dir=str(project_dir), code_dir=str(code_dir), reuse=reuse)
            except BaseException:  # noqa: BLE001 - the end of a forked process
                os.write(2, traceback.format_exc().encode())
                os._exit(99)
            os._exit(0)
        theirs.close()
        ours.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(DEADLINE_S), 0)
        )

    def send(self, frame_type: FrameType, header: dict[str, Any], payload: bytes = b"") -> None:
        with contextlib.suppress(BrokenPipeError):
            self._socket.sendall(encode_frame(frame_type, 0, json.dumps(header).encode(), payload))

    def receive(self) -> Frame | None:
        while not self._frames:
            try:
                data = self._socket.recv(1 << 18)
            except BlockingIOError:
                self.kill()
                self.wait()
                raise AssertionError("the session process fell silent") from None
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._frames += self._reader.feed(data)
        return self._frames.pop(0)

    def stop(self, reason: str, *, is_signalled: bool = True) -> None:
        self.send(FrameType.STOP, {"reason": reason})
        if is_signalled:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        self._socket.close()
        _pid, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)
