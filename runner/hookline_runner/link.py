"""The host's end of the link to the service: frames out in one write per turn of the loop, frames in one by one."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from hookline_runner import fast_json, write_points
from hookline_runner.fair_queue import FairQueue
from hookline_runner.frames import PREFIX, FrameError, FrameType, encode_frame
from hookline_runner.large_frames import LargeFrames
from hookline_runner.relay import FrameCutter, RawFrame

_HIGH_WATER_BYTES = 256 * 1024  # what is in the transport's hands has its turn behind it
_LOW_WATER_BYTES = 64 * 1024
_BATCH_BYTES = 64 * 1024
_CHANNEL_HIGH_BYTES = 256 * 1024
_CHANNEL_LOW_BYTES = 64 * 1024


class LinkListener(Protocol):
    """Who hears what the link says; called on the event loop, must not block."""

    def frame_received(self, frame: RawFrame) -> None:
        """A frame of the service arrived."""
        ...

    def channel_held(self, channel: int) -> None:
        """The service does not keep up: bring nothing more of this attempt for now."""
        ...

    def channel_eased(self, channel: int) -> None:
        """The service has caught up with this attempt."""
        ...

    def link_lost(self, problem: str) -> None:
        """The link is gone for good; `problem` is empty when the service just closed it."""
        ...


class ServiceLink(asyncio.Protocol):
    """See `attempts.LinkSender`. While the service does not keep up, frames leave by project in turn.

    Frames of one channel keep their order; those of different channels do not.
    """

    def __init__(self, listener: LinkListener) -> None:
        self._listener = listener
        self._cutter = FrameCutter(is_link=True)
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[tuple[str, bytes]] = []  # of this turn of the loop
        self._outgoing_bytes = 0
        self._waiting: FairQueue[bytes] = FairQueue()
        self._held: set[int] = set()
        self.large = LargeFrames(lambda: self.unsent_bytes)
        self._is_congested = False
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
            self._problem = f"the service sent bytes that are not frames: {exc}"
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
        self._is_congested = True

    def resume_writing(self) -> None:
        """The service has caught up."""
        self._is_congested = False
        self._send_in_turn()

    @property
    def unsent_bytes(self) -> int:
        """How much waits for the service."""
        return self._waiting.size_bytes + self._outgoing_bytes

    def waiting_channels(self) -> set[int]:
        """The channels with frames that have not left."""
        waiting = {cast("int", key) for key in self._waiting.keys}
        return waiting | {_channel_of(data) for _, data in self._outgoing}

    def send_bytes(self, data: bytes, project: str = "") -> None:
        """Send a frame that is encoded already; silently nothing when the link is gone."""
        if self._transport is None:
            return
        write_points.reach_frames("runner host", [data], "before sending")
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append((project, data))
        self._outgoing_bytes += len(data)

    def send(
        self, frame_type: FrameType, channel: int, header: object, *, project: str = ""
    ) -> None:
        """Encode and send a frame without a payload."""
        self.send_bytes(encode_frame(frame_type, channel, fast_json.write(header)), project)

    def close(self) -> None:
        """Drop the link, with what was not sent yet."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        size_bytes, self._outgoing_bytes = self._outgoing_bytes, 0
        if not self._waiting and not self._is_congested and size_bytes <= _BATCH_BYTES:
            self._write([data for _, data in outgoing])
            return
        for project, data in outgoing:
            channel = _channel_of(data)
            self._waiting.push(project, channel, len(data), data)
            if channel not in self._held and self._waiting.bytes_of(channel) > _CHANNEL_HIGH_BYTES:
                self._held.add(channel)
                self._listener.channel_held(channel)
        self._send_in_turn()

    def _send_in_turn(self) -> None:
        while self._waiting and not self._is_congested and self._transport is not None:
            batch: list[bytes] = []
            size_bytes = 0
            while self._waiting and size_bytes < _BATCH_BYTES:
                batch.append(self._waiting.pop())
                size_bytes += len(batch[-1])
            self._write(batch)
        for channel in [each for each in self._held if self._has_eased(each)]:
            self._held.discard(channel)
            self._listener.channel_eased(channel)
        self.large.tend()

    def _has_eased(self, channel: int) -> bool:
        return self._waiting.bytes_of(channel) <= _CHANNEL_LOW_BYTES

    def _write(self, frames: list[bytes]) -> None:
        if self._transport is not None:
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))
            write_points.reach_frames("runner host", frames, "after sending")


def _channel_of(data: bytes) -> int:
    channel: int = PREFIX.unpack_from(data)[1]
    return channel
