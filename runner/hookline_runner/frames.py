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
LINK_CHANNEL = 0


class FrameType(IntEnum):
    """What a frame says; the comment names sender → receiver."""

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
    """Cuts a byte stream into frames, keeping what is incomplete for the next call."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that `data` completes.

        Raises:
            FrameError: a frame is larger than allowed, of unknown type, or inconsistent.
        """
        buffer = self._buffer
        buffer += data
        start = 0
        prefix_size = PREFIX.size
        try:
            while len(buffer) - start >= prefix_size:
                size, channel, type_code, header_size = PREFIX.unpack_from(buffer, start)
                if size > MAX_FRAME_BYTES or header_size > size:
                    raise FrameError(f"frame of {size} bytes with a header of {header_size}")
                end = start + prefix_size + size
                if len(buffer) < end:
                    break
                header_end = start + prefix_size + header_size
                try:
                    frame_type = FrameType(type_code)
                except ValueError as exc:
                    raise FrameError(f"unknown frame type {type_code}") from exc
                yield Frame(
                    type=frame_type,
                    channel=channel,
                    header=bytes(buffer[start + prefix_size : header_end]),
                    payload=bytes(buffer[header_end:end]),
                )
                start = end
        finally:
            del buffer[:start]
