from __future__ import annotations

import pytest

from hookline_runner.frames import (
    MAX_FRAME_BYTES,
    PREFIX,
    Frame,
    FrameError,
    FrameReader,
    FrameType,
    encode_frame,
)
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


UNREADABLE = {
    "too large": PREFIX.pack(MAX_FRAME_BYTES + 3, 7, 21, 2) + b"x" * (MAX_FRAME_BYTES + 3),
    "header larger than the frame": PREFIX.pack(3, 7, 21, 4) + b"xxx",
    "nothing but a header that is missing": PREFIX.pack(0, 7, 21, 1),
}


@pytest.mark.parametrize("unreadable", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("step", [5, 1 << 20, 1 << 30])
def test_on_a_link_an_unreadable_frame_comes_out_empty_and_the_next_ones_whole(
    unreadable: bytes, step: int
) -> None:
    before, after = FRAMES[0], FRAMES[1]
    small = len(before) + 40  # a frame of 64 MiB is not fed in steps of five bytes
    stream = before + unreadable + after
    sizes = [step] * (small // step) if step < small else []
    cutter, reader = FrameCutter(is_link=True), FrameReader(is_link=True)

    cut: list[RawFrame] = []
    read: list[Frame] = []
    start = 0
    while start < len(stream):
        size = sizes.pop() if sizes else max(step, 1 << 20)
        piece = stream[start : start + size]
        cut += cutter.feed(piece)
        read += reader.feed(piece)
        start += size

    assert [(frame.channel, frame.body[frame.header_size :]) for frame in cut] == [
        (frame.channel, frame.payload) for frame in read
    ]
    assert cut[0].on_channel(0) == before
    assert cut[1] == RawFrame(21, 7, 0, b"")
    assert cut[2].on_channel(0) == after
    assert [frame.header for frame in read] == [b"{}", b"", b'{"n":1}']


def test_on_a_link_a_frame_of_an_unknown_type_does_not_hide_the_next() -> None:
    odd = PREFIX.pack(2, 7, 99, 2) + b"{}"

    frames = list(FrameReader(is_link=True).feed(odd + PREFIX.pack(0, 8, 0, 0) + FRAMES[0]))

    kinds = [(frame.type, frame.channel) for frame in frames]
    assert kinds == [(FrameType.UNKNOWN, 7), (FrameType.UNKNOWN, 8), (FrameType.STARTED, 0)]


def test_what_is_out_of_step_is_no_stream_of_frames_even_on_a_link() -> None:
    with pytest.raises(FrameError):
        FrameCutter(is_link=True).feed(b"\xff" * PREFIX.size)
    with pytest.raises(FrameError):
        list(FrameReader(is_link=True).feed(b"\xff" * PREFIX.size))


def test_a_session_is_sent_no_frame_of_an_unknown_type() -> None:
    with pytest.raises(FrameError):
        list(FrameReader().feed(PREFIX.pack(2, 0, 0, 2) + b"{}"))
