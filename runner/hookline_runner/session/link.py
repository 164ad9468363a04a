"""The session process's end of its socket: frames out; acknowledgements, replies, wakes and stop requests in."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hookline_runner import write_points
from hookline_runner.frames import Frame, FrameError, FrameReader, FrameType, encode_frame
from hookline_runner.session.news import News, topics_in

_CHANNEL: Final = 0
_READ_BYTES: Final = 1 << 16  # a buffer of more would be mapped and unmapped for each read
LINK_LOST_STATUS: Final = 70
_LONGEST_WAIT_S: Final = 86_400.0  # of one system call; there is a limit to what it takes
_monotonic: Final = time.monotonic  # kept: user code may replace the function


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service said to a call: `value` is JSON text of `hookline.values`, or of code and message if not `ok`."""

    ok: bool
    is_waiting: bool
    value: bytes
    code: str = ""
    message: str = ""


class Link:
    """Sends whole frames from any thread, and receives for all of them.

    Whoever waits for something reads, if nobody else does; the others wait until that one has read. So there is no
    thread of its own, and a single thread waits in the system call. When the other side is gone there is nobody to
    work for, and the process ends.
    """

    __slots__ = (
        "_alarm",
        "_arrived",
        "_breaking",
        "_followers",
        "_guard",
        "_inbox",
        "_is_sending",
        "_listeners",
        "_lock",
        "_number",
        "_on_stop",
        "_queued",
        "_reader",
        "_reading",
        "_replies",
        "_socket",
        "acknowledged",
        "news",
    )

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = FrameReader()
        self._inbox: deque[Frame] = deque()
        self._lock = threading.RLock()  # a signal handler may send while its own thread is sending
        self._is_sending = False
        self._queued: list[bytes] = []
        self._guard = threading.RLock()  # of what follows; a signal handler may interrupt, too
        self._arrived = threading.Condition(self._guard)
        self._followers = 0  # threads that wait for the one that reads
        self._reading = 0  # ident of the thread that reads, 0 for none
        self._breaking: BaseException | None = None
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # ends a wait of the reader
        self._listeners: list[Callable[[], None]] = []
        self._on_stop: Callable[[str], None] | None = None
        self._number = 0
        self._replies: dict[int, Reply | None] = {}  # of calls under way, None until it is there
        self.acknowledged = 0
        self.news = News()

    def begin_attempt(self, on_stop: Callable[[str], None]) -> None:
        """Forget the former attempt; stop requests go to `on_stop` from now on."""
        self.acknowledged = 0
        self.news = News()
        self._number = 0
        self._replies.clear()
        self._listeners.clear()
        self._on_stop = on_stop
        self._silence()

    def fileno(self) -> int:
        """The socket's descriptor, for a selector."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let go of the socket, in a child of this process; nothing can be sent after."""
        self._socket.close()
        os.close(self._alarm)

    def listen(self, callback: Callable[[], None]) -> None:
        """Call back whenever frames were read, or `wake` was called, in the thread that did it."""
        self._listeners.append(callback)

    def unlisten(self, callback: Callable[[], None]) -> None:
        """Undo `listen`."""
        if callback in self._listeners:
            self._listeners.remove(callback)

    # Out

    def send(self, frame_type: FrameType, header: str, payload: bytes = b"") -> None:
        """Send one frame; blocks while the other side does not read."""
        data = encode_frame(frame_type, _CHANNEL, header.encode(), payload)
        with self._lock:
            if self._is_sending:
                self._queued.append(data)
                return
            self._is_sending = True
            try:
                self._write(data)
                while self._queued:
                    self._write(self._queued.pop(0))
            finally:
                self._is_sending = False

    def call(self, operation: str, arguments: str, entry: str = "null") -> Reply:
        """Ask the service for an operation and wait for its reply; arguments and entry are JSON texts."""
        replies = self._replies
        with self._lock:
            self._number += 1
            number = self._number
            replies[number] = None
        self.send(
            FrameType.CALL,
            f'{{"n":{number},"op":"{operation}","args":{arguments},"entry":{entry}}}',
        )
        self._read_until(lambda: replies.get(number) is not None)
        reply = replies.pop(number)
        if reply is None:  # the loop above says that it is there
            os._exit(LINK_LOST_STATUS)
        return reply

    # In

    def receive(self) -> Frame | None:
        """The next frame of those that begin an attempt; None at the end of the stream."""
        while not self._inbox:
            if not self._read():
                return None
        return self._inbox.popleft()

    def wait_acknowledged(self, number: int) -> None:
        """Block until every append up to `number` is on disk."""
        if self.acknowledged < number:
            self._read_until(lambda: self.acknowledged >= number)

    def wait_wake(self, seen: int, timeout_s: float | None, is_over: Callable[[], bool]) -> None:
        """Return when the count of `news` is no longer `seen`, after that time, or when `is_over` after an `interrupt`."""
        until = None if timeout_s is None else _monotonic() + timeout_s
        is_main = threading.get_ident() == threading.main_thread().ident

        def is_done() -> bool:
            return self.news.count != seen or is_over() or (is_main and self._breaking is not None)

        self._read_until(is_done, until, may_be_interrupted=True)
        if is_main and self._breaking is not None:
            error, self._breaking = self._breaking, None
            raise error

    def break_wait(self, error: BaseException | None) -> bool:
        """Make `wait_wake` in the main thread raise this, once; for signal handlers. None takes it back.

        True if the one given before was not raised yet.
        """
        before, self._breaking = self._breaking, error
        if error is not None:
            self.interrupt()
        return before is not None

    def wake(self) -> None:
        """Make everybody who waits ask again."""
        self.news.note()
        self.interrupt()
        self._tell()

    def interrupt(self) -> None:
        """Make `wait_wake` look again; for signal handlers too."""
        os.eventfd_write(self._alarm, 1)
        with self._guard:
            self._arrived.notify_all()

    def read_available(self) -> None:
        """Take in what has arrived, without blocking; nothing while another thread reads, which then tells."""
        me = threading.get_ident()
        if not self._begin_reading(me):
            return
        try:
            while select.select((self._socket,), (), (), 0)[0]:
                self.read_or_end()
        finally:
            self._end_reading(me)

    def _read_until(
        self,
        is_done: Callable[[], bool],
        until: float | None = None,
        *,
        may_be_interrupted: bool = False,
    ) -> None:
        me = threading.get_ident()
        try:
            while not is_done():
                left = _LONGEST_WAIT_S if until is None else until - _monotonic()
                if left <= 0:
                    return
                left = min(left, _LONGEST_WAIT_S)
                if not self._begin_reading(me):
                    self._wait_for_reader(is_done, left)
                    continue
                if not may_be_interrupted or self._is_readable(left):
                    self.read_or_end()
                self._end_reading(me)
        finally:
            self._end_reading(me)  # a signal handler of the session's code may have raised anywhere

    def _wait_for_reader(self, is_done: Callable[[], bool], timeout_s: float) -> None:
        with self._guard:
            if self._reading and not is_done():
                self._followers += 1
                try:
                    self._arrived.wait(timeout_s)
                finally:
                    self._followers -= 1

    def _begin_reading(self, me: int) -> bool:
        """Become the one that reads, unless another thread does."""
        with self._guard:
            if self._reading and self._reading != me:
                return False
            self._reading = me
            return True

    def _end_reading(self, me: int) -> None:
        if self._reading == me:
            with self._guard:
                self._reading = 0
                if self._followers:
                    self._arrived.notify_all()

    def _is_readable(self, timeout_s: float) -> bool:
        """Wait until there is something to read, or an alarm, or for that long."""
        ready, _, _ = select.select((self._socket, self._alarm), (), (), timeout_s)
        if self._alarm in ready:
            self._silence()
        return self._socket in ready

    def _silence(self) -> None:
        try:
            os.eventfd_read(self._alarm)
        except BlockingIOError:
            return  # it was not set

    def _write(self, data: bytes) -> None:
        write_points.reach_frames("session", [data], "before sending")
        try:
            self._socket.sendall(data)
            write_points.reach_frames("session", [data], "after sending")
        except OSError:
            os._exit(LINK_LOST_STATUS)

    def read_or_end(self) -> None:
        """Wait for bytes and take in what they say; the process ends when the other side is gone."""
        if not self._read():
            os._exit(LINK_LOST_STATUS)
        self._tell()

    def _tell(self) -> None:
        if self._listeners:
            for listener in tuple(self._listeners):
                listener()

    def _read(self) -> bool:
        """Wait for bytes and sort the frames they complete; false at the end of the stream."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError:
            return False
        if not data:
            return False
        try:
            for frame in self._reader.feed(data):
                self._sort(frame)
        except FrameError:
            return False
        return True

    def _sort(self, frame: Frame) -> None:
        kind = frame.type
        if kind is FrameType.ACK:
            self.acknowledged = max(self.acknowledged, json.loads(frame.header)["n"])
        elif kind is FrameType.REPLY:
            self._answer(json.loads(frame.header), frame.payload)
        elif kind is FrameType.WAKE:
            self.news.note(topics_in(frame.header))
        elif kind is FrameType.STOP:
            header: dict[str, Any] = json.loads(frame.header or b"{}")
            if self._on_stop is not None:
                self._on_stop(str(header.get("reason", "")))
        else:
            self._inbox.append(frame)

    def _answer(self, header: dict[str, Any], payload: bytes) -> None:
        number = header.get("n")
        if number in self._replies:
            error: dict[str, Any] = header.get("error") or {}
            self._replies[number] = Reply(
                ok=bool(header.get("ok")),
                is_waiting=bool(header.get("wait")),
                value=payload,
                code=str(error.get("code", "")),
                message=str(error.get("message", "")),
            )
