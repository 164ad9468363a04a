"""The session's log: records gathered into few frames, live within a tenth of a second, and limited."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hookline_runner.frames import FrameType
from hookline_runner.session.clock import SessionClock
from hookline_runner.session.display import clean_text
from hookline_runner.session.link import Link

RECORD_LIMIT: Final = 64 * 1024
WAKER_NAME: Final = "hookline-log"
_BATCH_RECORDS: Final = 200
_BATCH_CHARACTERS: Final = 64 * 1024
_QUIET_S: Final = 0.005  # a record after that long a pause goes out at once
_LONGEST_WAIT_S: Final = 0.05

_encode = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """How much an attempt may log."""

    lines: int
    size_bytes: int


class Waker:
    """Calls back a while after it was woken, from a daemon thread that is started when first needed."""

    __slots__ = ("_bell", "_is_started", "call")

    def __init__(self) -> None:
        self.call: Callable[[], None] | None = None
        # Free when the thread is to go on. Not an event, which would wait for itself: `wake` may interrupt itself.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._is_started = False

    @property
    def thread_count(self) -> int:
        """How many threads of the process are this one."""
        return int(self._is_started)

    def wake(self) -> None:
        """Call back soon."""
        if self._bell.locked():
            with contextlib.suppress(RuntimeError):  # another thread woke it just now
                self._bell.release()
        if not self._is_started:
            self._is_started = True
            threading.Thread(target=self._run, name=WAKER_NAME, daemon=True).start()

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # the main thread's
        pause = threading.Event()
        while True:
            self._bell.acquire()
            pause.wait(_LONGEST_WAIT_S)
            call = self.call
            if call is not None:
                call()


class LogStream:
    """Takes records from any thread; `is_muted` says whether they are to be dropped (while replaying)."""

    __slots__ = (
        "_ask_muted",
        "_characters",
        "_clock",
        "_last_sent",
        "_limits",
        "_link",
        "_lock",
        "_pid",
        "_records",
        "_waker",
        "dropped",
        "lines",
        "size",
    )

    def __init__(
        self,
        link: Link,
        clock: SessionClock,
        limits: LogLimits,
        waker: Waker,
        is_muted: Callable[[], bool],
    ) -> None:
        self._link = link
        self._clock = clock
        self._limits = limits
        self._ask_muted = is_muted
        self._records: list[tuple[float, str, str, str]] = []
        self._characters = 0
        self._last_sent = 0.0
        self._lock = threading.RLock()
        self._waker = waker
        waker.call = self.flush
        self._pid = os.getpid()
        self.lines = 0
        self.size = 0
        self.dropped = 0

    @property
    def is_muted(self) -> bool:
        """Whether records are dropped, because they were taken in an earlier attempt."""
        return self._ask_muted()

    def emit(self, kind: str, text: str, level: str = "") -> None:
        """Add a record; past the limit it is dropped, after one that says so."""
        if self._ask_muted() or os.getpid() != self._pid:
            return
        with self._lock:
            self.lines += 1
            self.size += len(text)
            if self.lines > self._limits.lines or self.size > self._limits.size_bytes:
                self.dropped += 1
                if self.dropped > 1:
                    return
                kind, level, text = "warning", "", self._limit_text()
            elif len(text) > RECORD_LIMIT:
                text = f"{text[:RECORD_LIMIT]}… [cut: {len(text)} characters]"
            now = self._clock.now()
            self._records.append((now, kind, level, _clean(text)))
            self._characters += len(text)
            if self._is_due(now):
                self.flush()
            else:
                self._waker.wake()

    def flush(self) -> None:
        """Send what was gathered."""
        if not self._records:
            return
        with self._lock:
            if self._records:
                records = self._records
                self._records = []
                self._characters = 0
                self._last_sent = self._clock.now()
                self._link.send(FrameType.LOG, f'{{"r":{_encode(records)}}}')

    def close(self) -> None:
        """Send the rest; nothing is taken after."""
        self.flush()
        self._waker.call = None
        self._pid = -1

    def _is_due(self, now: float) -> bool:
        return (
            now - self._last_sent >= _QUIET_S
            or len(self._records) > _BATCH_RECORDS
            or self._characters > _BATCH_CHARACTERS
        )

    def _limit_text(self) -> str:
        return (
            f"log cut: more than {self._limits.lines} lines or {self._limits.size_bytes} bytes in one attempt; "
            "the rest is dropped"
        )


def _clean(text: str) -> str:
    """Without what no store takes: NUL, and halves of surrogate pairs."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return clean_text(text)
