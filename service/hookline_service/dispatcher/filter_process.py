"""Processes that judge filters, so that they can be ended: a line of JSON for each thing asked."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import anyio
import anyio.abc

from hookline.errors import RateLimitedError

_START_S: Final = 30.0
_READ_BYTES: Final = 64 * 1024


class FilterProcess:
    """A process of `hookline_triggers.filter_worker` or `hookline_triggers.miss_worker`."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self._process = process
        self._received = b""

    @classmethod
    async def start(cls, module: str, deadline_s: float) -> FilterProcess:
        """A process that is ready, and ends itself when one thing takes it longer than this.

        Raises:
            RateLimitedError: there is none in time.
        """
        command = [sys.executable, "-m", module, str(deadline_s)]
        process = await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, env={}
        )
        worker = cls(process)
        is_ready = False
        try:
            with anyio.move_on_after(_START_S):
                is_ready = await worker._read_line() == b"ready"
        finally:
            if not is_ready:
                with anyio.CancelScope(shield=True):
                    await worker.aclose()
        if is_ready:
            return worker
        raise RateLimitedError("filters that take long cannot be judged now; try again in a second")

    async def ask(self, request: bytes) -> bytes | None:
        """The line that it answers; None when it has ended."""
        if self._process.stdin is None:
            return None
        try:
            await self._process.stdin.send(request)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return None
        return await self._read_line()

    async def aclose(self) -> None:
        """End the process."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.aclose()

    async def _read_line(self) -> bytes | None:
        while b"\n" not in self._received and self._process.stdout is not None:
            try:
                self._received += await self._process.stdout.receive(_READ_BYTES)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return None
        line, _, self._received = self._received.partition(b"\n")
        return line
