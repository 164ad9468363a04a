"""The session process's end of its socket: frames out, acknowledgements and stop requests in."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from hookline_runner.frames import Frame, FrameError, FrameReader, FrameType, encode_frame

_CHANNEL: Final = 0
_READ_BYTES: Final = 1 << 18
LINK_LOST_STATUS: Final = 70


class Link:
    """Sends whole frames from any thread; reads from the main thread only.

    When the other side is gone there is nobody to work for, and the process ends.
    """

    __slots__ = (
        "_inbox",
        "_is_sending",
        "_lock",
        "_on_stop",
        "_queued",
        "_reader",
        "_socket",
        "acknowledged",
    )

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = FrameReader()
        self._inbox: deque[Frame] = deque()
        self._lock = threading.RLock()  # a signal handler may send while its own thread is sending
        self._is_sending = False
        self._queued: list[bytes] = []
        self._on_stop: Callable[[str], None] | None = None
        self.acknowledged = 0

    def begin_attempt(self, on_stop: Callable[[str], None]) -> None:
        """Forget the former attempt; stop requests go to `on_stop` from now on."""
        self.acknowledged = 0
        self._on_stop = on_stop

    def fileno(self) -> int:
        """The socket's descriptor, for a selector."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let go of the socket, in a child of this process; nothing can be sent after."""
        self._socket.close()

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

    def receive(self) -> Frame | None:
        """The next frame that is not an acknowledgement or a stop; None at the end of the stream."""
        while not self._inbox:
            if not self._read():
                return None
        return self._inbox.popleft()

    def wait_acknowledged(self, number: int) -> None:
        """Block until every append up to `number` is on disk."""
        while self.acknowledged < number:
            if not self._read():
                os._exit(LINK_LOST_STATUS)

    def read_available(self) -> None:
        """Take in what has arrived, without blocking."""
        while select.select((self._socket,), (), (), 0)[0]:
            if not self._read():
                os._exit(LINK_LOST_STATUS)

    def _write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            os._exit(LINK_LOST_STATUS)

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
        if frame.type is FrameType.ACK:
            self.acknowledged = max(self.acknowledged, json.loads(frame.header)["n"])
        elif frame.type is FrameType.STOP:
            header: dict[str, Any] = json.loads(frame.header or b"{}")
            if self._on_stop is not None:
                self._on_stop(str(header.get("reason", "")))
        else:
            self._inbox.append(frame)
