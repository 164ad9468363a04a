from __future__ import annotations

import pytest

from hookline_runner.frames import MAX_FRAME_BYTES, PREFIX, FrameError, FrameType, encode_frame
from hookline_runner.relay import FrameCutter, RawFrame

FRAMES = [
    encode_frame(FrameType.STARTED, 0, b"{}"),
    encode_frame(FrameType.APPEND, 0, b'{"n":1}', b"payload" * 100),
    encode_frame(FrameType.DONE, 0, b"{}", b""),
]


def test_frames_that_arrive_together_are_cut_apart() -> None:
    frames = FrameCutter().feed(b"".join(FRAMES))

    assert [frame.on_channel(0) for frame in frames] == FRAMES


@pytest.mark.parametrize("step", [1, 2, 7, 13, 14, 100])
def test_frames_that_arrive_in_pieces_are_put_together(step: int) -> None:
    stream = b"".join(FRAMES)
    cutter = FrameCutter()

    frames: list[RawFrame] = []
    for start in range(0, len(stream), step):
        frames += cutter.feed(stream[start : start + step])

    assert [frame.on_channel(0) for frame in frames] == FRAMES


def test_only_the_channel_changes_on_the_way() -> None:
    (frame,) = FrameCutter().feed(FRAMES[1])

    assert frame.on_channel(77) == encode_frame(FrameType.APPEND, 77, b'{"n":1}', b"payload" * 100)


def test_header_and_payload_are_told_apart() -> None:
    (frame,) = FrameCutter().feed(FRAMES[1])

    assert frame.header == b'{"n":1}'
    assert frame.payload == b"payload" * 100


@pytest.mark.parametrize(
    "prefix",
    [
        pytest.param(PREFIX.pack(MAX_FRAME_BYTES + 1, 0, 21, 2), id="too large"),
        pytest.param(PREFIX.pack(3, 0, 21, 4), id="header larger than the frame"),
    ],
)
def test_a_frame_that_cannot_be_is_refused_by_its_prefix(prefix: bytes) -> None:
    with pytest.raises(FrameError):
        FrameCutter().feed(prefix)
