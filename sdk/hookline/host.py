"""What stands behind the functions that user code calls: the session that runs it, or a stand-in without a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hookline.stand_in import StandInHost


class Host(Protocol):
    """Carries out what user code asks for; one per process at a time.

    `operation` and `arguments` are those of docs/protocol.md, "Operations", without a deadline. Arguments and results are plain
    values (see `hookline.values`), not yet encoded; the SDK has checked that they can be.
    """

    def call(self, operation: str, arguments: Mapping[str, object]) -> object:
        """The operation's result, at once; in a durable session it is applied once and recorded.

        Raises:
            HooklineError: the service refuses, with the reason.
        """
        ...

    def wait(
        self, operation: str, arguments: Mapping[str, object], timeout_s: float | None
    ) -> object:
        """Like `call`, for an operation that may have to wait; None once `timeout_s` seconds are over.

        With 0 it looks once. Without a time-out it waits without end.
        """
        ...

    async def wait_async(
        self, operation: str, arguments: Mapping[str, object], timeout_s: float | None
    ) -> object:
        """Like `wait`, while other tasks of the running event loop go on."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...

    async def sleep_async(self, seconds: float) -> None:
        """Like `sleep`, while other tasks of the running event loop go on."""
        ...


class _Place:
    """Where the process keeps its host."""

    __slots__ = ("host",)

    def __init__(self) -> None:
        self.host: Host | None = None


_place = _Place()


def install(host: Host) -> None:
    """From now on user code's calls go to this host; it takes the place of another."""
    _place.host = host


def uninstall() -> None:
    """From now on user code's calls go to a fresh stand-in."""
    _place.host = None


def current() -> Host:
    """The host of this process."""
    host = _place.host
    if host is None:
        host = _place.host = StandInHost()
    return host
