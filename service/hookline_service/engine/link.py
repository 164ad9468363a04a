"""The service's end of a link to a runner host: frames in, frames out, on one Unix socket."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol, cast

from hookline_runner import fast_json, write_points
from hookline_runner.frames import (
    LINK_CHANNEL,
    MAX_FRAME_BYTES,
    Frame,
    FrameError,
    FrameReader,
    FrameType,
    encode_frame,
)

logger = logging.getLogger(__name__)

_HELLO_DEADLINE_S = 10.0
_LAST_LOOK_S = 0.25


class LinkListener(Protocol):
    """Who hears what links say; every method is called on the event loop and must not block."""

    def link_opened(self, link: RunnerLink, hello: dict[str, object]) -> None:
        """A host said a valid hello."""
        ...

    def bytes_received(self, link: RunnerLink) -> None:
        """The host lives: something of it was read, be it part of a frame."""
        ...

    def frame_received(self, link: RunnerLink, frame: Frame) -> None:
        """A frame arrived after the hello."""
        ...

    def link_closed(self, link: RunnerLink) -> None:
        """The link is gone; nothing more can be sent."""
        ...


class RunnerLink(asyncio.Protocol):
    """One connected runner host. Frames of one turn of the event loop leave in one write."""

    def __init__(self, listener: LinkListener, token: str) -> None:
        self._listener = listener
        self._token = token
        self._reader = FrameReader(is_link=True)
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._is_open = False
        self._hello_timer: asyncio.TimerHandle | None = None
        self._drained = asyncio.Event()
        self._drained.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait a little for the hello."""
        self._transport = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._hello_timer = loop.call_later(_HELLO_DEADLINE_S, self._drop_silent)

    def data_received(self, data: bytes) -> None:
        """Hand every complete frame to the listener."""
        if self._is_open:
            self._listener.bytes_received(self)
        try:
            for frame in self._reader.feed(data):
                if self._is_open:
                    self._listener.frame_received(self, frame)
                elif not self._greet(frame):
                    return
        except FrameError as exc:
            logger.warning("runner link broken", extra={"error": str(exc)})
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the listener once."""
        del exc
        self._drained.set()
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        if self._is_open:
            self._is_open = False
            self._listener.link_closed(self)

    def pause_writing(self) -> None:
        """The host does not keep up: `drain` waits."""
        self._drained.clear()

    def resume_writing(self) -> None:
        """The host has caught up."""
        self._drained.set()

    @property
    def is_open(self) -> bool:
        """Whether frames can still be sent."""
        return self._is_open

    def send(
        self, frame_type: FrameType, channel: int, header: object, payload: bytes = b""
    ) -> None:
        """Send a frame soon; silently nothing when the link is gone, for its end is reported apart."""
        self.send_encoded(frame_type, channel, fast_json.write(header), payload)

    def send_encoded(
        self, frame_type: FrameType, channel: int, header: bytes, payload: bytes = b""
    ) -> None:
        """Like `send`, with a header that is encoded already."""
        if not self._is_open:
            return
        if (
            len(header) + len(payload) > MAX_FRAME_BYTES
        ):  # its own reader cannot read it, and no other is harmed
            facts = {
                "frame": frame_type.name,
                "channel": channel,
                "size": len(header) + len(payload),
            }
            logger.error("a frame is too large for the link; an empty one is sent", extra=facts)
            header = payload = b""
        data = encode_frame(frame_type, channel, header, payload)
        write_points.reach_frames("service", [data], "before sending")
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(data)

    async def drain(self) -> None:
        """Wait until what was sent has gone to the system, as far as it must."""
        await self._drained.wait()

    def pause(self) -> None:
        """Stop reading: the store does not keep up."""
        if self._transport is not None and self._is_open:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and self._is_open:
            self._transport.resume_reading()

    def close(self) -> None:
        """Drop the link; the host ends its attempts."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None and self._is_open:
            self._transport.write(b"".join(outgoing))
            write_points.reach_frames("service", outgoing, "after sending")

    def _greet(self, frame: Frame) -> bool:
        hello = _parse_hello(frame)
        offered = hello.get("token")
        if not isinstance(offered, str) or not hmac.compare_digest(
            offered.encode("utf-8", "replace"), self._token.encode()
        ):
            logger.warning("runner host refused: wrong token")
            self.close()
            return False
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        self._is_open = True
        self._listener.link_opened(self, hello)
        return True

    def _drop_silent(self, *, is_sure: bool = False) -> None:
        """Drop a link without a hello, once what stood in it when its time was over has been read."""
        if self._is_open:
            return
        if is_sure:
            self.close()
        else:
            again = partial(self._drop_silent, is_sure=True)
            self._hello_timer = asyncio.get_running_loop().call_later(_LAST_LOOK_S, again)


def _parse_hello(frame: Frame) -> dict[str, object]:
    if frame.type is not FrameType.HELLO or frame.channel != LINK_CHANNEL:
        return {}
    try:
        hello: object = fast_json.read_header(frame.header)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", hello) if isinstance(hello, dict) else {}


def link_factory(listener: LinkListener, token: str) -> Callable[[], RunnerLink]:
    """What `create_unix_server` calls for each new connection."""
    return lambda: RunnerLink(listener, token)
