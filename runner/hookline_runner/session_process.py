"""A forked session process as the host sees it: a socket, two output pipes, and the attempt it works on."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections import deque
from typing import Protocol

from hookline_runner.flow import Hold
from hookline_runner.frames import FrameError
from hookline_runner.large_frames import SMALL_FRAME_BYTES
from hookline_runner.output_pipe import OutputPipe
from hookline_runner.relay import FrameCutter, RawFrame

_READ_BYTES = 127 * 1024  # a buffer of more would be mapped and unmapped for each read
_MAX_UNSENT_BYTES = 256 * 1024 * 1024
_MAX_PIPE_READS_AT_END = 17  # more than a pipe can hold
_MAX_SOCKET_READS_AT_END = 4096


class ProcessListener(Protocol):
    """The attempt that a process works on."""

    def frame_sent(self, frame: RawFrame) -> None:
        """The process sent a frame."""
        ...

    def lines_written(self, kind: str, lines: list[str]) -> None:
        """The process, or one below it, wrote lines to `stdout` or `stderr`."""
        ...

    def protocol_broken(self, problem: str) -> None:
        """The process sent what are no frames, or takes none."""
        ...

    def frame_announced(self, size_bytes: int) -> None:
        """The process began a large frame that is not whole yet."""
        ...

    def frame_whole(self) -> None:
        """The large frame that it announced last is whole, and comes next."""
        ...

    def socket_closed(self) -> None:
        """The process closed its socket; it may still live."""
        ...


class SessionProcess:
    """Moves bytes between one session process and its listener; knows nothing of sessions.

    It owns the descriptors of socket, stdout and stderr that it is made with, also when that raises `OSError` because
    they are of another kind. Everything happens on the event loop, in callbacks. Without a listener, what the process says is dropped.
    """

    __slots__ = (
        "_cutter",
        "_frames",
        "_is_large",
        "_is_readable",
        "_is_watching_pipes",
        "_loop",
        "_outgoing",
        "_outgoing_bytes",
        "_pipes",
        "_socket",
        "directory",
        "holds",
        "idle_since",
        "is_gone",
        "listener",
        "number",
    )

    def __init__(self, number: int, descriptors: tuple[int, int, int], *, directory: int) -> None:
        self._loop = asyncio.get_running_loop()
        self.number = number
        self.directory = directory
        self.listener: ProcessListener | None = None
        self.is_gone = False
        self.idle_since = self._loop.time()
        self._pipes, self._socket = _take_over(descriptors)
        self._cutter = FrameCutter()
        self._outgoing: deque[bytes] = deque()
        self._outgoing_bytes = 0
        self._frames: deque[RawFrame] = deque()  # cut, and held back with the rest
        self.holds = Hold(0)
        self._is_large = False  # whether the frame that has begun is a large one
        self._is_readable = False
        self._is_watching_pipes = False

    def attach(self, listener: ProcessListener) -> None:
        """From now on the process works for `listener`."""
        self.listener = listener
        if not self._is_watching_pipes:
            self._is_watching_pipes = True
            self._is_readable = True
            self._watch()
        elif not self._is_readable:
            self._loop.call_soon(listener.protocol_broken, "it said much between two sessions")

    def detach(self) -> None:
        """The attempt is over; the process may wait for another."""
        self.listener = None
        self.idle_since = self._loop.time()

    def send(self, data: bytes) -> None:
        """Hand a frame to the process; kept back while it does not read."""
        if self.is_gone:
            return
        if self._outgoing:
            self._keep_back(data)
            return
        try:
            sent = self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError:  # it is dying; its end is reported by the zygote
            return
        if sent < len(data):
            self._keep_back(data[sent:])
            self._loop.add_writer(self._socket.fileno(), self._write_more)

    @property
    def unread_bytes(self) -> int:
        """How much it was sent and has not read, beyond what its socket holds."""
        return self._outgoing_bytes

    def hold(self, reason: Hold) -> None:
        """Read nothing more for this reason."""
        if not self.holds:
            self._unwatch()
        self.holds |= reason

    def let_go(self, reason: Hold) -> None:
        """The reason is gone; pass on what was held back, and read again if there is no other."""
        if not self.holds & reason:
            return
        self.holds &= ~reason
        self._pass_on()
        if not self.holds:
            self._watch()

    def drain_output(self) -> None:
        """Pass on what stands in the output pipes now."""
        for pipe in self._pipes:
            reads = 0
            while reads < _MAX_PIPE_READS_AT_END and (lines := pipe.read()) is not None:
                reads += 1
                self._tell_lines(pipe.kind, lines)
            self._tell_lines(pipe.kind, pipe.flush())

    def drain_socket(self, most_reads: int = _MAX_SOCKET_READS_AT_END) -> None:
        """Pass on the frames that stand in the socket now; for a process that has died, or is about to be killed."""
        self._pass_on(is_last=True)
        for _ in range(most_reads):
            if not self._is_readable or not self._read_socket(is_last=True):
                return

    def close(self) -> None:
        """Let go of the descriptors; the process is gone."""
        if self.is_gone:
            return
        self._unwatch()
        if self._outgoing:
            self._loop.remove_writer(self._socket.fileno())
        self.is_gone = True
        self.listener = None
        self._socket.close()
        for pipe in self._pipes:
            os.close(pipe.descriptor)

    def _watch(self) -> None:
        if self.is_gone or self.holds or not self._is_watching_pipes:
            return
        if self._is_readable:
            self._loop.add_reader(self._socket.fileno(), self._read_socket)
        for pipe in self._pipes:
            if not pipe.is_ended:
                self._loop.add_reader(pipe.descriptor, self._read_pipe, pipe)

    def _unwatch(self) -> None:
        if self.is_gone or not self._is_watching_pipes:
            return
        self._loop.remove_reader(self._socket.fileno())
        for pipe in self._pipes:
            self._loop.remove_reader(pipe.descriptor)

    def _read_socket(self, *, is_last: bool = False) -> bool:
        """Pass on what one read brings; false when there is nothing to read now."""
        try:
            data = self._socket.recv(_READ_BYTES, socket.MSG_DONTWAIT)  # whatever others set
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._stop_reading()
            if self.listener is not None:
                self.listener.socket_closed()
            return False
        try:
            frames = self._cutter.feed(data)
        except FrameError as exc:
            self._stop_reading()
            if self.listener is not None:
                self.listener.protocol_broken(str(exc))
            return True
        self._note_large(is_over=bool(frames))
        self._frames += frames
        self._pass_on(is_last=is_last)
        return True

    def _note_large(self, *, is_over: bool) -> None:
        """Tell of large frames that begin or are whole."""
        if self._is_large and is_over:
            self._is_large = False
            if self.listener is not None:
                self.listener.frame_whole()
        size_bytes = self._cutter.announced_bytes
        if size_bytes <= SMALL_FRAME_BYTES or self._is_large:
            return
        if self.listener is None:
            self._stop_reading()
            return
        self._is_large = True
        self.listener.frame_announced(size_bytes)

    def _pass_on(self, *, is_last: bool = False) -> None:
        """Pass on the frames that were cut, until it is held back; all of them if these are its last."""
        while self._frames and (is_last or not self.holds):
            frame = self._frames.popleft()
            if self.listener is not None:
                self.listener.frame_sent(frame)

    def _stop_reading(self) -> None:
        self._is_readable = False
        self._loop.remove_reader(self._socket.fileno())

    def _read_pipe(self, pipe: OutputPipe) -> None:
        lines = pipe.read()
        if pipe.is_ended:
            self._loop.remove_reader(pipe.descriptor)
        self._tell_lines(pipe.kind, lines)

    def _tell_lines(self, kind: str, lines: list[str] | None) -> None:
        if lines and self.listener is not None:
            self.listener.lines_written(kind, lines)

    def _keep_back(self, data: bytes) -> None:
        self._outgoing.append(data)
        self._outgoing_bytes += len(data)
        if self._outgoing_bytes > _MAX_UNSENT_BYTES and self.listener is not None:
            problem = f"it does not read what it is sent: {self._outgoing_bytes} bytes wait for it"
            self.listener.protocol_broken(problem)

    def _write_more(self) -> None:
        while self._outgoing:
            data = self._outgoing.popleft()
            try:
                sent = self._socket.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._outgoing.clear()
                break
            self._outgoing_bytes -= sent
            if sent < len(data):
                self._outgoing.appendleft(data[sent:])
                return
        self._outgoing_bytes = 0
        self._loop.remove_writer(self._socket.fileno())


def _take_over(
    descriptors: tuple[int, int, int],
) -> tuple[tuple[OutputPipe, OutputPipe], socket.socket]:
    try:
        _check_kinds(descriptors)
        pipes = OutputPipe(descriptors[1], "stdout"), OutputPipe(descriptors[2], "stderr")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=descriptors[0])
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    connection.setblocking(False)
    return pipes, connection


def _check_kinds(descriptors: tuple[int, int, int]) -> None:
    """Raise `OSError` unless they are a connected stream socket of this machine and two pipes."""
    modes = [os.fstat(descriptor).st_mode for descriptor in descriptors]
    if not (stat.S_ISSOCK(modes[0]) and stat.S_ISFIFO(modes[1]) and stat.S_ISFIFO(modes[2])):
        raise OSError(errno.EBADF, "descriptors that are no socket and two pipes")
    with socket.socket(fileno=os.dup(descriptors[0])) as connection:
        if (connection.family, connection.type) != (socket.AF_UNIX, socket.SOCK_STREAM):
            raise OSError(errno.EBADF, "a socket of another kind")
        connection.getpeername()


class ProcessSource(Protocol):
    """The zygote that a process came from, as attempts use it."""

    def release(self, process: SessionProcess) -> None:
        """The process may take the next attempt."""
        ...

    def retire(self, process: SessionProcess, within_s: float) -> None:
        """The process is to end by itself, and is killed if it does not."""
        ...

    def terminate(self, process: SessionProcess) -> None:
        """Send the process a SIGTERM."""
        ...

    def ask_stack(self, process: SessionProcess) -> None:
        """Have the process say where it hangs, by a frame."""
        ...

    def dump_stack(self, process: SessionProcess) -> None:
        """Have Python say it, which leads to `Applicant.stack_dumped`."""
        ...

    def kill(self, process: SessionProcess) -> None:
        """Kill the process and everything below it."""
        ...


class Applicant(ProcessListener, Protocol):
    """An attempt that asks for a process."""

    def process_found(self, source: ProcessSource, process: SessionProcess) -> None:
        """A process is attached to it."""
        ...

    def process_ended(self, status: int | None, signal_number: int | None) -> None:
        """Its process is gone."""
        ...

    def stack_dumped(self, text: str) -> None:
        """What Python says of where its process hangs; "" if nothing."""
        ...

    def doomed(self, detail: str) -> None:
        """The host is about to kill its process, for this reason."""
        ...

    def limit_exceeded(self, reason: str, detail: str) -> None:
        """Its processes have more than they may: `reason` is that of its EXITED."""
        ...

    def start_failed(self, detail: str) -> None:
        """There will be no process."""
        ...
