"""Telling the system's service manager how far the service is."""

from __future__ import annotations

import logging
import socket

from hookline_service.settings import notify_socket

logger = logging.getLogger(__name__)


def tell_service_manager(state: str, address: str | None = None) -> None:
    """Send a state such as `READY=1` as sd_notify(3) does; nothing happens where nobody asked for it.

    Args:
        state: what to tell.
        address: path of the socket, or `@` and its abstract name; None takes that of the environment.
    """
    target = notify_socket() if address is None else address
    if not target:
        return
    path = "\0" + target[1:] if target.startswith("@") else target
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(path)
            sender.send(state.encode())
    except OSError as exc:
        logger.warning("service manager not told", extra={"state": state, "reason": str(exc)})
