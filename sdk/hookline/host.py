"""What stands behind the functions that user code calls: the session that runs it, or a stand-in without a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Host(Protocol):
    """Carries out what user code asks for; one per process at a time.

    `operation` and `arguments` are those of docs/protocol.md, "Operations". Arguments and results are plain values (see
    `hookline.values`), not yet encoded.
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
        """Like `call`, for an operation that may have to wait; None once `timeout_s` seconds are over."""
        ...

    async def wait_async(
        self, operation: str, arguments: Mapping[str, object], timeout_s: float | None
    ) -> object:
        """Like `wait`, while other tasks of the running event loop go on."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...
