"""Sockets that the service listens on."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from pathlib import Path

from hookline.errors import UnavailableError

_BACKLOG = 2048
_LONGEST_SOCKET_PATH = 100


class AddressUnavailableError(UnavailableError):
    """The service cannot listen where it was told to."""

    code = "address.unavailable"

    def __init__(self, host: str, port: int, problem: str) -> None:
        super().__init__(f"cannot listen on {host}:{port}: {problem}")


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Raises:
        AddressUnavailableError: the port is taken, or the address is not one of this machine.
    """
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(info[0], info[1], info[2])
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(info[4])
        listener.listen(_BACKLOG)
    except OSError as exc:
        problem = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else str(exc)
        if exc.errno == errno.EADDRINUSE:
            problem = "the port is taken; stop what uses it, or name another by --port"
        raise AddressUnavailableError(host, port, problem) from exc
    listener.setblocking(False)
    return listener


def runner_socket_path(home: Path) -> Path:
    """Where runner hosts connect: in the home, or in a private directory when that path is too long for a socket."""
    directory = home / "run"
    if len(os.fsencode(directory / "runner.sock")) > _LONGEST_SOCKET_PATH:
        directory = Path(tempfile.mkdtemp(prefix="hookline-"))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "runner.sock"
    path.unlink(missing_ok=True)
    return path
