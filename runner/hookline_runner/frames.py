"""The wire format between service, runner host and session process.

One frame is a fixed prefix, a JSON header and an opaque payload::

    u32 size of header + payload │ u32 channel │ u8 type │ u32 size of header │ header │ payload

A channel is one attempt on one link; channel 0 is the link itself. The runner host relays frames
between a session process and the service by rewriting the channel, and never decodes a header it
only passes on. `docs/protocol.md` describes every header.

Standard library only: the session process imports this module inside the project's environment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

PREFIX = struct.Struct("!IIBI")
MAX_FRAME_BYTES = 64 * 1024 * 1024
NO_FRAME_BYTES = 1024 * 1024 * 1024  # who announces more than that is out of step
LINK_CHANNEL = 0


class FrameType(IntEnum):
    """What a frame says; the comment names sender → receiver."""

    UNKNOWN = 0  # nobody sends it: stands for a type that this side does not know
    HELLO = 1  # runner host → service: token, name, capacity, labels, sandbox
    WELCOME = 2  # service → runner host: lease_s, settings of the link
    HEARTBEAT = 3  # runner host → service: channels alive, free capacity
    PREPARE = (
        4  # service → runner host: build an environment and compile a build (payload: archive)
    )
    PROGRESS = 5  # runner host → service: one line about a PREPARE under way
    PREPARED = 6  # runner host → service: findings, modules, environment id
    NEED_BUILD = 7  # runner host → service: an attempt names a build this host does not hold
    BUILD = 8  # service → runner host: the archive asked for (payload)
    IDLE_BUILDS = 9  # runner host → service: builds that it has not used for long
    START = (
        10  # service → runner host → session process: run this attempt (payload: raw event body)
    )
    JOURNAL = 11  # service → session process: a page of recorded entries (payload: their values)
    ACK = 12  # service → session process: entries up to this sequence are on disk
    STOP = 13  # service → runner host: end the attempt, politely or by force
    REPLY = 14  # service → session process: the result of a CALL (payload: its value)
    WAKE = 15  # service → session process: something that it may be waiting for has happened
    UNNEEDED = 16  # service → runner host: of its idle builds those that nothing needs
    STACK = 17  # service → runner host: say where the session hangs
    APPEND = 20  # session process → service: journal entries to record (payload: their values)
    LOG = 21  # session process or host → service: log records
    SUSPEND = 22  # session process → service: nothing to do until wake_at or one of its topics
    DONE = 23  # session process → service: the function returned or raised (payload: result)
    EXITED = 24  # runner host → service: the attempt's process is gone, with its reason
    STARTED = 25  # session process → service: user code begins
    STACK_TAKEN = 27  # session process or host → service: where it hangs
    CALL = 26  # session process → service: an operation, applied and recorded in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message: `header` is undecoded UTF-8 JSON, `payload` is bytes that only its reader understands."""

    type: FrameType
    channel: int
    header: bytes
    payload: bytes


_KNOWN = {each.value: each for each in FrameType if each}


class FrameError(Exception):
    """The bytes received are not frames; the connection cannot be used any longer."""


def encode_frame(frame_type: FrameType, channel: int, header: bytes, payload: bytes = b"") -> bytes:
    """The bytes of one frame, ready to send."""
    return b"".join(
        (
            PREFIX.pack(len(header) + len(payload), channel, frame_type, len(header)),
            header,
            payload,
        )
    )


class FrameReader:
    """Cuts a byte stream into frames, keeping what is incomplete for the next call.

    On a link, where many sessions hang on one stream, a frame that is too large or inconsistent comes out empty, and
    one of an unknown type as `UNKNOWN`: it cannot be read, and what follows it can.
    """

    __slots__ = ("_buffer", "_is_link", "_skipped")

    def __init__(self, *, is_link: bool = False) -> None:
        self._buffer = bytearray()
        self._is_link = is_link
        self._skipped = 0  # bytes still to come of a frame that is too large

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that `data` completes.

        Raises:
            FrameError: a frame is larger than allowed, of unknown type, or inconsistent; on a link, the bytes are no frames.
        """
        buffer = self._buffer
        buffer += data
        start = min(self._skipped, len(buffer))
        self._skipped -= start
        try:
            while len(buffer) - start >= PREFIX.size:
                size, channel, type_code, header_size = PREFIX.unpack_from(buffer, start)
                body = start + PREFIX.size
                end = body + size
                if is_unreadable(size, header_size, is_link=self._is_link):
                    self._skipped = max(0, end - len(buffer))
                    end = min(end, len(buffer))
                    header = payload = b""
                elif len(buffer) < end:
                    break
                else:
                    header = bytes(buffer[body : body + header_size])
                    payload = bytes(buffer[body + header_size : end])
                frame_type = self._type_of(type_code)
                yield Frame(type=frame_type, channel=channel, header=header, payload=payload)
                start = end
        finally:
            del buffer[:start]

    def _type_of(self, code: int) -> FrameType:
        frame_type = _KNOWN.get(code)
        if frame_type is not None:
            return frame_type
        if self._is_link:
            return FrameType.UNKNOWN
        raise FrameError(f"unknown frame type {code}")


def is_unreadable(size: int, header_size: int, *, is_link: bool) -> bool:
    """Whether a prefix announces a frame that cannot be read: on a link that one is passed over.

    Raises:
        FrameError: it is not on a link, or what was read is no prefix.
    """
    if size <= MAX_FRAME_BYTES and header_size <= size:
        return False
    if is_link and size <= NO_FRAME_BYTES:
        return True
    raise FrameError(f"a frame of {size} bytes with a header of {header_size}")
