"""Reading a request's body: up to a limit, and not for ever."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

import anyio
from starlette.types import Receive

from hookline.errors import InvalidError, RateLimitedError
from hookline_service.api.errors import BodyTimeoutError, BodyTooLargeError


class ClientGoneError(InvalidError):
    """The client disconnected before its body had arrived."""

    code = "request.aborted"

    def __init__(self) -> None:
        super().__init__("the client went away")


FREE_BYTES: Final = 16 * 1024
"""So much of each body is read whatever others hold: ordinary events are not refused for the sake of large ones."""


class BodiesTooLargeError(RateLimitedError):
    """The bodies that are under way hold as much as they may; the rest of this one was not read."""

    def __init__(self) -> None:
        super().__init__("too many large events at once; try again in a second")


class BodyBudget:
    """What all bodies that are under way at the same time may hold, in bytes."""

    __slots__ = ("_limit_bytes", "held_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.held_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Hold so many bytes more.

        Raises:
            BodiesTooLargeError: they are too many together with what others hold.
        """
        if self.held_bytes + size_bytes > self._limit_bytes:
            raise BodiesTooLargeError
        self.held_bytes += size_bytes


class BodyShare:
    """What one body holds of a budget; given back at the end of the `with`."""

    __slots__ = ("_budget", "_size_bytes", "_taken_bytes")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._size_bytes = self._taken_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._budget.held_bytes -= self._taken_bytes

    def add(self, size_bytes: int) -> None:
        """Count bytes that have arrived; raises as `BodyBudget.take`."""
        self._size_bytes += size_bytes
        beyond = self._size_bytes - FREE_BYTES - self._taken_bytes
        if beyond > 0:
            self._budget.take(beyond)
            self._taken_bytes += beyond


def declared_size(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """The value of `Content-Length`; None when it is absent (or no number, which the HTTP parser refuses)."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None


async def read_body(
    receive: Receive,
    declared: int | None,
    limit: int,
    timeout_s: float,
    share: BodyShare | None = None,
) -> bytes:
    """The whole body, counted in `share`.

    Never holds more than `limit` bytes and one message.

    Raises:
        BodiesTooLargeError: see `BodyBudget.take`.
        BodyTooLargeError: it is announced, or turns out, to be larger than `limit`.
        BodyTimeoutError: it had not arrived after `timeout_s`.
        ClientGoneError: the client went away.
    """
    if declared is not None and declared > limit:
        raise BodyTooLargeError(limit)
    with anyio.move_on_after(timeout_s):
        return await _receive_all(receive, limit, share)
    raise BodyTimeoutError(timeout_s)


async def _receive_all(receive: Receive, limit: int, share: BodyShare | None) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLargeError(limit)
        if share is not None:
            share.add(len(chunk))
        if not message.get("more_body", False):
            return b"".join([*chunks, chunk]) if chunks else chunk
        chunks.append(chunk)
