"""HTTP connections that do not let a client take memory, time or descriptors before its request is known."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_REFUSAL = (
    "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {size}\r\n"
    "connection: close\r\n\r\n{text}"
)


class _HeadTooLargeError(Exception):
    """Raised inside the parser, which then reports a broken request."""


class CarefulHttpProtocol(HttpToolsProtocol):
    """uvicorn's connection, which has no limits of its own on request line and headers.

    Both together may have `head_limit_bytes`, and must be there `head_timeout_s` after the connection, or their
    own first byte; else the answer is 431 or 408, and the connection is closed.
    """

    head_limit_bytes: ClassVar[int] = 64 * 1024
    head_timeout_s: ClassVar[float] = 30.0

    _parsed_bytes = 0
    _unparsed_bytes = 0
    _is_in_head = True
    _has_begun = False  # with the data at hand
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._cancel_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._has_begun = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._is_in_head and not self._has_begun:
            self._unparsed_bytes += len(data)  # the parser holds on to what is incomplete
            if self._is_too_large:
                self._refuse_large_head()
        if self._is_in_head or self.cycle.response_complete:
            self._await_head()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._has_begun = self._is_in_head = True
        self._parsed_bytes = self._unparsed_bytes = 0
        self._await_head()

    def on_url(self, url: bytes) -> None:
        """A part of the target has arrived."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has arrived."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head has arrived."""
        self._is_in_head = False
        self._cancel_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read, and close."""
        if self._is_too_large:
            self._refuse_large_head()
        else:
            super().send_400_response(msg)

    @property
    def _is_too_large(self) -> bool:
        return max(self._parsed_bytes, self._unparsed_bytes) > self.head_limit_bytes

    def _count(self, size: int) -> None:
        self._parsed_bytes += size
        if self._is_too_large:
            raise _HeadTooLargeError

    def _refuse_large_head(self) -> None:
        self._refuse("431 Request Header Fields Too Large", "the headers are too large")

    def _refuse(self, status: str, text: str) -> None:
        if not self.transport.is_closing():
            self.transport.write(
                _REFUSAL.format(status=status, size=len(text), text=text).encode("ascii")
            )
            self.transport.close()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        self._refuse("408 Request Timeout", "the request did not arrive in time")

    def _cancel_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
