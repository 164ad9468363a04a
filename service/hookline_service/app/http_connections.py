"""HTTP connections that do not let a client take memory, time or descriptors before its request is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_REFUSAL = (
    "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {size}\r\n"
    "connection: close\r\n\r\n{text}"
)


_MOST_WAITING = 16  # requests of a connection that are read ahead of their turn
_VERSIONS = frozenset({"1.0", "1.1"})
_NAMED_ONCE = frozenset({b"host", b"authorization", b"transfer-encoding"})


class _HeadRefusedError(Exception):
    """Raised inside the parser, which then reports a broken request."""


class _Flow(FlowControl):
    """Reading goes on only while no request that was read already waits for its turn.

    uvicorn resumes at the end of each answer and whenever an application asks for its body. Once a later request was read,
    the bodies of those before it have arrived in full, so nobody needs the bytes behind it.
    """

    def __init__(self, transport: asyncio.Transport, may_read: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._may_read = may_read

    def resume_reading(self) -> None:
        """See `FlowControl.resume_reading`."""
        if self._may_read():
            super().resume_reading()


class CarefulHttpProtocol(HttpToolsProtocol):
    """uvicorn's connection, which has no limits of its own on request line, headers and requests sent ahead.

    Request line and headers together may have `head_limit_bytes`, and must be there `head_timeout_s` after the connection, or
    their own first byte; else the answer is 431 or 408, and the connection is closed. So it is after a head that
    can be read in two ways: 400 for none or several of a header that there is one of, 501 for a transfer coding that
    is not read here, 505 for another version, 417 for an expectation that is not met.

    Of requests that are sent before the answers to former ones, a few are read. Those behind them are not: the
    connection is closed after the last answer, as RFC 9112 (9.3.2, 9.6) lets a server do. No refusal comes before the
    answers to what was sent before it.
    """

    head_limit_bytes: ClassVar[int] = 64 * 1024
    head_timeout_s: ClassVar[float] = 30.0

    _parsed_bytes = 0
    _unparsed_bytes = 0
    _is_in_head = True
    _has_begun = False  # with the data at hand
    _is_over = False  # nothing more is read; the connection ends with the answer that is due last
    _last_words = b""
    _refusal: tuple[str, str] | None = None
    _seen: frozenset[bytes] = frozenset()
    _running: RequestResponseCycle | None = None
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self._may_read)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._cancel_timer()
        if self._running is not None:  # not the last one that was read, which alone uvicorn tells
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._is_over:
            return
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
        if len(self.pipeline) >= _MOST_WAITING:
            self._end_with(b"")
            raise _HeadRefusedError
        super().on_message_begin()
        self._has_begun = self._is_in_head = True
        self._parsed_bytes = self._unparsed_bytes = 0
        self._seen = frozenset()
        self._await_head()

    def on_url(self, url: bytes) -> None:
        """A part of the target has arrived."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has arrived."""
        self._count(len(name) + len(value))
        name = name.lower()
        if name in _NAMED_ONCE:
            self._check_only(name, value)
        elif name == b"expect" and value.strip().lower() != b"100-continue":
            self._turn_away(
                "417 Expectation Failed", "the one expectation met here is 100-continue"
            )
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head has arrived."""
        self._is_in_head = False
        self._cancel_timer()
        self._check_version()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """An answer has gone out; after the last one to a connection that sent too much ahead, it is closed."""
        self._running = None
        super().on_response_complete()
        if self._is_over and self._running is None:
            self._end_with(self._last_words)

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read, and close."""
        if self._is_over:
            return
        if self._is_too_large:
            self._refuse_large_head()
        elif self._refusal is not None:
            self._refuse(*self._refusal)
        else:
            self._refuse("400 Bad Request", msg)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _check_only(self, name: bytes, value: bytes) -> None:
        """Let a header pass that each of two readers would have to take for the same."""
        if name in self._seen:
            self._turn_away("400 Bad Request", f"{name.decode()} is given twice")
        self._seen |= {name}
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            self._turn_away("501 Not Implemented", "the one transfer coding read here is chunked")

    def _check_version(self) -> None:
        version = self.parser.get_http_version() if self.parser is not None else "1.1"
        if version not in _VERSIONS:
            text = f"HTTP/{version} is not spoken here, only HTTP/1.1 and HTTP/1.0"
            self._turn_away("505 HTTP Version Not Supported", text)
        is_old = version == "1.0"
        if is_old and b"transfer-encoding" in self._seen:
            self._turn_away("400 Bad Request", "HTTP/1.0 has no transfer-encoding")
        if not is_old and b"host" not in self._seen:
            self._turn_away("400 Bad Request", "the request names no host")

    def _turn_away(self, status: str, text: str) -> None:
        self._refusal = (status, text)
        raise _HeadRefusedError

    @property
    def _is_too_large(self) -> bool:
        return max(self._parsed_bytes, self._unparsed_bytes) > self.head_limit_bytes

    def _count(self, size: int) -> None:
        self._parsed_bytes += size
        if self._is_too_large:
            raise _HeadRefusedError

    def _refuse_large_head(self) -> None:
        self._refuse("431 Request Header Fields Too Large", "the headers are too large")

    def _refuse(self, status: str, text: str) -> None:
        self._end_with(_REFUSAL.format(status=status, size=len(text), text=text).encode("ascii"))

    def _end_with(self, last_words: bytes) -> None:
        """Read no more, and close with these bytes when every answer that is due has gone out."""
        self._is_over = True
        self._last_words = last_words
        if self.transport.is_closing():
            return
        if self.pipeline and self.pipeline[0][0].more_body:  # the one read last will never be whole
            self.pipeline.popleft()
        running = self._running
        if running is not None and not running.more_body:
            self.flow.pause_reading()
            return
        if running is None or not running.response_started:
            self.transport.write(last_words)
        self.transport.close()

    def _may_read(self) -> bool:
        return not (self.pipeline or self._is_over)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._running is not None:  # it is not the client who is late
            self._await_head()
            return
        self._refuse("408 Request Timeout", "the request did not arrive in time")

    def _cancel_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
