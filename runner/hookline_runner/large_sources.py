"""Work on sources that may take more memory or time than there is: each in a process of its own, so that others get theirs.

Standard library only.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias

from hookline_runner.source_faults import TOO_DEEP

Facts: TypeAlias = dict[str, Any]  # JSON: see `analysis.analyse`

LARGE_BYTES: Final = 128 * 1024
"""From here on a source is large: it may take a hundred megabytes and a second or two."""

SETTING: Final = "HOOKLINE_RUNNER_PREPARE_MEMORY_BYTES"
FILE_S: Final = 30
ALL_S: Final = 100.0
_MAX_FACTS_BYTES = 16 * 1024 * 1024
_READ_BYTES = 1 << 20


class LargeSources:
    """Works on one large source after the other, within limits for each and a time for all.

    Args:
        memory_bytes: what one may take.
        file_s: seconds of a processor that one may take.
        all_s: seconds that all may take together.
    """

    def __init__(self, memory_bytes: int, *, file_s: int = FILE_S, all_s: float = ALL_S) -> None:
        self._memory_bytes = memory_bytes
        self._file_s = file_s
        self._all_s = all_s
        self._ends_at = time.monotonic() + all_s

    @property
    def is_late(self) -> bool:
        """Whether the time for all is over."""
        return time.monotonic() >= self._ends_at

    def not_reached(self) -> Facts:
        """The facts of a file for which no time is left."""
        return _failed(f"not compiled: the files before it took the {self._all_s:g} s for all")

    def examine(self, work: Callable[[], Facts]) -> Facts:
        """The facts that `work` finds about one file, or in their place that it takes too much."""
        if self.is_late:
            return self.not_reached()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            self._work(work, writing)
        os.close(writing)
        content = self._receive(reading)
        os.close(reading)
        if content is None:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if content is None or ended_by in {signal.SIGXCPU, signal.SIGKILL}:
            return _failed(f"too large to be compiled within {self._file_s} s")
        if not content or status:
            return self.too_large()
        return json.loads(content)

    def too_large(self) -> Facts:
        """The facts of a file for which there is not enough memory."""
        room = f"{self._memory_bytes >> 20} MiB of memory"
        return _failed(f"too large to be compiled within {room}; {SETTING} allows more")

    def _work(self, work: Callable[[], Facts], writing: int) -> NoReturn:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (self._file_s, self._file_s + 1))
            facts = work()
            if _says_too_deep(facts) and _most_resident_bytes() > self._memory_bytes // 2:
                facts = self.too_large()  # Python raises the same for both
            content = json.dumps(facts).encode()
            if len(content) <= _MAX_FACTS_BYTES:
                with os.fdopen(writing, "wb") as pipe:
                    pipe.write(content)
            status = 0
        except BaseException:  # noqa: BLE001 - nothing of it may go on in this process; whoever waits tells of it
            status = 1
        finally:
            os._exit(status)

    def _receive(self, reading: int) -> bytes | None:
        """Everything that comes until the other side ends; None if the time for all is over before."""
        parts: list[bytes] = []
        while True:
            wait_s = max(0.0, self._ends_at - time.monotonic())
            if not select.select([reading], [], [], wait_s)[0]:
                return None
            part = os.read(reading, _READ_BYTES)
            if not part:
                return b"".join(parts)
            parts.append(part)


def _failed(message: str) -> Facts:
    error = {"line": 1, "column": 1, "message": message, "source": "", "size": True}
    return {"error": error, "warnings": [], "names": {}, "imports": []}


def _says_too_deep(facts: Facts) -> bool:
    error = facts["error"]
    return error is not None and error["message"] == TOO_DEEP


def _most_resident_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
