"""Running programs of the host's own (uv, analysis) to their end, none of which outlives its caller."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import anyio
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.text import TextReceiveStream

from hookline.errors import InternalError
from hookline_runner.memory_watch import Excess
from hookline_runner.processes import kill_tree
from hookline_runner.session_trees import Watched

_KEPT_LINES = 200
_MEMORY_PLACES = ("/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own

OnLine = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended: exit status, negative for a signal, and the last lines it wrote to stderr."""

    status: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRoom:
    """What a program may have with all that it starts, and the setting that allows more.

    `has_own_places` says that it runs in a sandbox, whose /tmp and /dev/shm are memory, too.
    """

    limit_bytes: int
    setting: str
    has_own_places: bool


class ChildProcesses:
    """Starts programs and remembers which of this process's children they are."""

    def __init__(self) -> None:
        self._pids: set[int] = set()
        self._starting = 0
        self._rooms: dict[int, MemoryRoom] = {}
        self._oversized: set[int] = set()

    @property
    def pids(self) -> frozenset[int] | None:
        """Those running now; None while one is being started, whose number is not known yet."""
        return frozenset(self._pids) if not self._starting else None

    async def run(
        self,
        command: Sequence[str],
        *,
        variables: Mapping[str, str],
        on_line: OnLine | None = None,
        memory: MemoryRoom | None = None,
    ) -> Finished:
        """Run a program to its end; when cancelled, it is killed with everything below it.

        Args:
            command: program and arguments.
            variables: its whole environment.
            on_line: called with each line it writes to stderr, as it comes.
            memory: what it may have; it is killed over that, and the last line says so.
        """
        process = await self._start(command, variables)
        lines: list[str] = []
        if memory is not None:
            self._rooms[process.pid] = memory
        try:
            if process.stderr is not None:
                await _follow(process.stderr, lines, on_line)
            status = await process.wait()
        finally:
            if process.returncode is None:
                kill_tree(process.pid)
            with anyio.CancelScope(shield=True):
                await process.aclose()
            self._pids.discard(process.pid)
            self._rooms.pop(process.pid, None)
        if memory is not None and process.pid in self._oversized:
            self._oversized.discard(process.pid)
            room = f"{memory.limit_bytes >> 20} MiB of memory"
            lines.append(f"ended: it took more than {room}; {memory.setting} allows more")
        return Finished(status=status, lines=tuple(lines))

    def watched(self) -> list[Watched]:
        """Whose memory is to be watched."""
        return [
            Watched(
                root=pid,
                limit_bytes=room.limit_bytes,
                rest_places=_MEMORY_PLACES if room.has_own_places else (),
            )
            for pid, room in self._rooms.items()
        ]

    def end_oversized(self, excess: Excess) -> None:
        """End a program that has more memory than it may, if it is one of these."""
        if excess.root in self._rooms and excess.root not in self._oversized:
            self._oversized.add(excess.root)
            kill_tree(excess.root)

    async def _start(self, command: Sequence[str], variables: Mapping[str, str]) -> Process:
        process: Process | None = None
        self._starting += 1
        try:
            with anyio.CancelScope(
                shield=True
            ):  # cancelled half-way, the process would be nobody's
                process = await anyio.open_process(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=variables,
                    cwd="/",
                    start_new_session=True,
                )
        finally:
            self._starting -= 1
        if process is None:
            raise InternalError("a shielded scope was cancelled")
        self._pids.add(process.pid)
        return process


async def _follow(stream: ByteReceiveStream, lines: list[str], on_line: OnLine | None) -> None:
    rest = ""
    async for text in TextReceiveStream(stream, errors="replace"):
        *complete, rest = (rest + text).split("\n")
        for line in filter(str.strip, complete):
            lines.append(line.rstrip())
            if on_line is not None:
                await on_line(line.rstrip())
        del lines[:-_KEPT_LINES]
    if rest.strip():
        lines.append(rest.rstrip())
