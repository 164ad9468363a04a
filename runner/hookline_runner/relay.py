"""Frames passed on unread: cut by their prefix alone, with the channel rewritten.

`frames.FrameReader` decodes for those who read a frame; this is for the host, through which every step of every
session passes.
"""

from __future__ import annotations

from typing import NamedTuple

from hookline_runner.frames import PREFIX, is_unreadable

_PREFIX_SIZE = PREFIX.size


class RawFrame(NamedTuple):
    """A frame whose header nobody has looked at: `body` is header and payload."""

    type: int
    channel: int
    header_size: int
    body: bytes

    @property
    def header(self) -> bytes:
        """The undecoded JSON header."""
        return self.body[: self.header_size]

    @property
    def payload(self) -> bytes:
        """What follows the header."""
        return self.body[self.header_size :]

    def on_channel(self, channel: int) -> bytes:
        """The bytes of this frame on another channel."""
        return PREFIX.pack(len(self.body), channel, self.type, self.header_size) + self.body


class FrameCutter:
    """Cuts a byte stream into frames, keeping what is incomplete for the next call; for links see `FrameReader`."""

    __slots__ = ("_buffer", "_is_link", "_needed", "_skipped")

    def __init__(self, *, is_link: bool = False) -> None:
        self._buffer = bytearray()
        self._is_link = is_link
        self._needed = 0
        self._skipped = 0  # bytes still to come of a frame that is too large

    @property
    def announced_bytes(self) -> int:
        """The size of the frame that has begun and is not whole, as its prefix says; 0 if there is none."""
        return self._needed if len(self._buffer) >= _PREFIX_SIZE else 0

    def feed(self, data: bytes) -> list[RawFrame]:
        """The frames that `data` completes.

        Raises:
            FrameError: a frame is larger than allowed, or inconsistent.
        """
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        frames: list[RawFrame] = []
        total = len(data)
        start = min(self._skipped, total)
        self._skipped -= start
        needed = _PREFIX_SIZE
        while total - start >= _PREFIX_SIZE:
            size, channel, frame_type, header_size = PREFIX.unpack_from(data, start)
            body = start + _PREFIX_SIZE
            end = body + size
            if is_unreadable(size, header_size, is_link=self._is_link):
                frames.append(RawFrame(frame_type, channel, 0, b""))
                self._skipped = max(0, end - total)
                start = min(end, total)
                continue
            if end > total:
                needed = _PREFIX_SIZE + size
                break
            frames.append(RawFrame(frame_type, channel, header_size, data[body:end]))
            start = end
        if start < total:
            self._buffer += memoryview(data)[start:]
            self._needed = needed
        return frames
