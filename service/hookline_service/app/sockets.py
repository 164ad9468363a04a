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
_FREE_PORT_TRIES = 20
_OTHER_LOOPBACKS = {"127.0.0.1": ("::1",), "::1": ("127.0.0.1",), "0.0.0.0": ("::1",)}  # noqa: S104 - asked for


class AddressUnavailableError(UnavailableError):
    """The service cannot listen on the configured address."""

    code = "address.unavailable"

    def __init__(self, host: str, port: int, problem: str) -> None:
        place = f"[{host}]" if ":" in host else host
        super().__init__(f"cannot listen on {place}:{port}: {problem}")


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening TCP sockets: the first is where it was asked for, the others where `localhost` could lead as well.

    Code of a session shares the machine's loopback. Were one half of it free, it could listen there on the service's port and
    be given the token of whoever says `localhost`.

    Raises:
        AddressUnavailableError: the port is taken on one of them, or the address is not one of this machine.
    """
    for _ in range(_FREE_PORT_TRIES):
        first = _listen_at(host, port)
        try:
            taken: int = first.getsockname()[1]
            return [first, *_listen_on_rest_of_loopback(first.getsockname()[0], taken)]
        except AddressUnavailableError:
            first.close()
            if port:
                raise
    raise AddressUnavailableError(host, port, "no port is free on 127.0.0.1 and ::1 alike")


def _listen_on_rest_of_loopback(address: str, port: int) -> list[socket.socket]:
    others = _OTHER_LOOPBACKS.get(address, ())
    return [_listen_at(other, port) for other in others if _is_here(other)]


def _is_here(address: str) -> bool:
    """Whether this machine has the address; where nobody can listen, nobody need."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _listen_at(host: str, port: int) -> socket.socket:
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(info[0], info[1], info[2])
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(info[4])
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
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
