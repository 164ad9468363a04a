"""One started zygote process: its control socket, what it says on stderr, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from hookline_runner.processes import kill_tree
from hookline_runner.zygote_messages import (
    MAX_MESSAGE_BYTES,
    ZygoteMessage,
    ZygoteMessageError,
    decode_message,
)

_MESSAGES_PER_TURN = 32
_DESCRIPTORS_PER_CHILD = 3
_STDERR_KEPT_BYTES = 8192


class ZygoteListener(Protocol):
    """Who hears what a zygote says; called on the event loop."""

    def message_received(self, message: ZygoteMessage) -> None:
        """The zygote said something."""
        ...

    def child_arrived(self, message: ZygoteMessage, descriptors: tuple[int, int, int]) -> None:
        """The zygote forked; the descriptors (socket, stdout, stderr) belong to the listener now."""
        ...

    def process_lost(self) -> None:
        """The zygote closed its socket or said what it must not; it is of no use any longer."""
        ...


class ZygoteProcess:
    """A process that is started with this object and ended with `end`."""

    def __init__(self, listener: ZygoteListener, *, is_contained: bool) -> None:
        self._listener = listener
        self._is_contained = is_contained
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._backlog: deque[bytes] = deque()
        self._stderr = b""
        self._stderr_fd = -1

    def start(self, make_command: Callable[[int], list[str]], variables: Mapping[str, str]) -> None:
        """Start the process and listen to it. A start that fails is reported as a loss, a moment later.

        Args:
            make_command: the command, given the descriptor of the zygote's end of the control socket.
            variables: the whole environment of the process.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stderr_read, stderr_write = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = subprocess.Popen(
                make_command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr_write,
                env=variables,
                cwd="/",
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as exc:  # noticed as the end of the control socket, like any other death
            os.write(stderr_write, str(exc).encode())
        theirs.close()
        os.close(stderr_write)
        ours.setblocking(False)
        os.set_blocking(stderr_read, False)
        self._control = ours
        self._stderr_fd = stderr_read
        self._loop.add_reader(ours.fileno(), self._read_control)
        self._loop.add_reader(stderr_read, self._read_stderr)

    @property
    def pid(self) -> int | None:
        """The zygote, or the sandbox around it."""
        return self._process.pid if self._process is not None else None

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended, and was reaped."""
        return self._process is None or self._process.poll() is not None

    def send(self, message: bytes) -> None:
        """Send a message, now or when the zygote takes it."""
        if self._control is None:
            return
        if not self._backlog:
            try:
                self._control.send(message)
            except BlockingIOError:
                self._loop.add_writer(self._control.fileno(), self._send_backlog)
            except OSError:  # it is gone; reading says so
                return
            else:
                return
        self._backlog.append(message)

    def said(self) -> str:
        """The last of what it wrote to stderr."""
        self._read_stderr()
        return self._stderr.decode(errors="replace").strip()

    def catch_up(self) -> None:
        """Hear what it has said by now: before somebody judges it by its silence."""
        self._read_control()

    def end(self) -> None:
        """Kill it with everything below it. It is gone a little later: see `is_gone`."""
        if (control := self._control) is not None:
            self._control = None
            self._loop.remove_reader(control.fileno())
            if self._backlog:
                self._loop.remove_writer(control.fileno())
                self._backlog.clear()
            control.close()
        self._close_stderr()
        if self._process is None or self._process.poll() is not None:
            return
        if self._is_contained:
            self._process.kill()  # the kernel ends what is inside with it
        else:
            kill_tree(self._process.pid)

    def wait(self, timeout_s: float) -> None:
        """Wait until the ended process is gone, but not for ever."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)

    def _send_backlog(self) -> None:
        control = self._control
        if control is None:
            return
        while self._backlog:
            try:
                control.send(self._backlog[0])
            except BlockingIOError:
                return
            except OSError:
                break
            self._backlog.popleft()
        self._backlog.clear()
        self._loop.remove_writer(control.fileno())

    def _read_control(self) -> None:
        for _ in range(_MESSAGES_PER_TURN):
            control = self._control
            if control is None:
                return
            try:
                data, descriptors, _, _ = socket.recv_fds(
                    control, MAX_MESSAGE_BYTES, _DESCRIPTORS_PER_CHILD, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            if not data or not self._hear(data, descriptors):
                self._listener.process_lost()
                return

    def _hear(self, data: bytes, descriptors: list[int]) -> bool:
        """Pass a message on; false when it is none."""
        try:
            message = decode_message(data)
        except ZygoteMessageError:
            _close_all(descriptors)
            return False
        if message.word != "child":
            _close_all(descriptors)
            self._listener.message_received(message)
        elif len(descriptors) == _DESCRIPTORS_PER_CHILD:
            self._listener.child_arrived(message, (descriptors[0], descriptors[1], descriptors[2]))
        else:
            _close_all(descriptors)
            return False
        return True

    def _read_stderr(self) -> None:
        if self._stderr_fd < 0:
            return
        try:
            data = os.read(self._stderr_fd, 65536)
        except BlockingIOError:
            return
        self._stderr = (self._stderr + data)[-_STDERR_KEPT_BYTES:]
        if not data:
            self._close_stderr()

    def _close_stderr(self) -> None:
        if self._stderr_fd >= 0:
            self._loop.remove_reader(self._stderr_fd)
            os.close(self._stderr_fd)
            self._stderr_fd = -1


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
