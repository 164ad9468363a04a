"""The host's end of the link to the service: frames out in one write per turn of the loop, frames in one by one."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from hookline_runner import fast_json, write_points
from hookline_runner.frames import FrameError, FrameType, encode_frame
from hookline_runner.relay import FrameCutter, RawFrame

_HIGH_WATER_BYTES = 8 * 1024 * 1024
_LOW_WATER_BYTES = 1024 * 1024


class LinkListener(Protocol):
    """Who hears what the link says; called on the event loop, must not block."""

    def frame_received(self, frame: RawFrame) -> None:
        """A frame of the service arrived."""
        ...

    def link_paused(self) -> None:
        """The service does not keep up: bring nothing more for now."""
        ...

    def link_resumed(self) -> None:
        """The service has caught up."""
        ...

    def link_lost(self, problem: str) -> None:
        """The link is gone for good; `problem` is empty when the service just closed it."""
        ...


class ServiceLink(asyncio.Protocol):
    """See `attempts.LinkSender`."""

    def __init__(self, listener: LinkListener) -> None:
        self._listener = listener
        self._cutter = FrameCutter()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._problem = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The service accepted the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES, low=_LOW_WATER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Hand every complete frame to the listener."""
        try:
            frames = self._cutter.feed(data)
        except FrameError as exc:
            self._problem = f"the service sent what are no frames: {exc}"
            self.close()
            return
        for frame in frames:
            self._listener.frame_received(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the listener."""
        self._transport = None
        self._listener.link_lost(self._problem or (str(exc) if exc else ""))

    def pause_writing(self) -> None:
        """The service does not keep up."""
        self._listener.link_paused()

    def resume_writing(self) -> None:
        """The service has caught up."""
        self._listener.link_resumed()

    def send_bytes(self, data: bytes) -> None:
        """Send frames that are encoded already; silently nothing when the link is gone."""
        if self._transport is None:
            return
        write_points.reach_frames("runner host", [data], "before sending")
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(data)

    def send(
        self, frame_type: FrameType, channel: int, header: object, payload: bytes = b""
    ) -> None:
        """Encode and send a frame."""
        self.send_bytes(encode_frame(frame_type, channel, fast_json.write(header), payload))

    def close(self) -> None:
        """Drop the link, with what was not sent yet."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None:
            self._transport.write(outgoing[0] if len(outgoing) == 1 else b"".join(outgoing))
            write_points.reach_frames("runner host", outgoing, "after sending")
