"""Reading a request's body: up to a limit, and not for ever."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
from starlette.types import Receive

from hookline.errors import InvalidError
from hookline_service.api.errors import BodyTimeoutError, BodyTooLargeError


class ClientGoneError(InvalidError):
    """The client went away before its body had arrived; nobody reads the answer."""

    code = "request.aborted"

    def __init__(self) -> None:
        super().__init__("the client went away")


def declared_size(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """The value of `Content-Length`; None when it is absent (or no number, which the HTTP parser refuses)."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None


async def read_body(receive: Receive, declared: int | None, limit: int, timeout_s: float) -> bytes:
    """The whole body.

    Never holds more than `limit` bytes and one message.

    Raises:
        BodyTooLargeError: it is announced, or turns out, to be larger than `limit`.
        BodyTimeoutError: it had not arrived after `timeout_s`.
        ClientGoneError: the client went away.
    """
    if declared is not None and declared > limit:
        raise BodyTooLargeError(limit)
    with anyio.move_on_after(timeout_s):
        return await _receive_all(receive, limit)
    raise BodyTimeoutError(timeout_s)


async def _receive_all(receive: Receive, limit: int) -> bytes:
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
        if not message.get("more_body", False):
            return b"".join([*chunks, chunk]) if chunks else chunk
        chunks.append(chunk)
