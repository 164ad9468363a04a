"""What is sent to a runner host fits a frame, whatever was recorded, accepted or deployed."""

from __future__ import annotations

import asyncio

import anyio.lowlevel
import pytest

from hookline_runner import fast_json
from hookline_runner.frames import MAX_FRAME_BYTES, Frame, FrameReader, FrameType, encode_frame
from hookline_service.engine.launch import journal_frame, parts_of
from hookline_service.engine.link import RunnerLink
from hookline_service.engine.pool import RunnerPool
from hookline_service.engine.protocol import PrepareRequest
from hookline_service.engine.wire import WireError, start_header
from hookline_service.model.ids import BuildId
from hookline_service.model.sessions import ReplayRow
from tests.builders.engine import LIMITS
from tests.builders.projects import a_release
from tests.builders.sessions import a_session
from tests.fakes.start_contexts import FakeStartContexts

MIB = 1024 * 1024


def _row(size_bytes: int = 1, *, name: str = "f", file: str = "m.py") -> ReplayRow:
    return ("", 0, 1, "activity", name, file, 3, True, False, "json", b"x" * size_bytes, None)


def _size_of(rows: list[ReplayRow]) -> int:
    header, payload = journal_frame(rows, is_last=True)
    return len(fast_json.write(header)) + len(payload)


JOURNALS = {
    "a large value behind many small ones": [*[_row(100_000)] * 70, _row(63 * MIB)],
    "a large value before small ones": [_row(63 * MIB), *[_row(100_000)] * 70],
    "long names": [_row(name="n" * 70_000, file="f" * 70_000)] * 700,
    "long names that are escaped": [_row(name="\1" * 70_000, file="\x7f\0" * 35_000)] * 120,
}


@pytest.mark.slow
@pytest.mark.parametrize("rows", JOURNALS.values(), ids=JOURNALS)
def test_a_page_of_a_journal_fits_the_frames_that_it_is_sent_in(rows: list[ReplayRow]) -> None:
    parts = [list(part) for part in parts_of(rows)]

    assert [row for part in parts for row in part] == rows
    assert max(map(_size_of, parts)) <= MAX_FRAME_BYTES


@pytest.mark.parametrize("count", [1, 2, 1_000])
def test_an_ordinary_page_is_one_frame(count: int) -> None:
    rows = [_row(8_000)] * count

    assert [list(part) for part in parts_of(rows)] == [rows]


@pytest.mark.slow
def test_a_start_that_fits_no_frame_is_refused() -> None:
    text = b'"%s"' % (b"x" * MAX_FRAME_BYTES)
    session = a_session(a_release(), input=text)
    context = FakeStartContexts().find_context(session)
    assert context is not None

    with pytest.raises(WireError, match="are more than"):
        start_header(session, None, context, limits=LIMITS, journal_count=0)


async def test_a_project_that_fits_no_frame_is_refused_without_asking_a_host() -> None:
    request = PrepareRequest(
        project="demo",
        build_id=BuildId("bld_1"),
        python="",
        requirements="",
        process="fork",
        archive=bytes(MAX_FRAME_BYTES),
    )

    async def report(text: str) -> None:
        raise AssertionError(text)

    prepared = await RunnerPool(prepare_timeout_s=1).prepare(request, report)

    assert prepared.error_code == "project.too_large"


class _Hosts:
    """See `LinkListener`."""

    def link_opened(self, link: RunnerLink, hello: dict[str, object]) -> None:
        """Nothing."""

    def bytes_received(self, link: RunnerLink) -> None:
        """Nothing."""

    def frame_received(self, link: RunnerLink, frame: Frame) -> None:
        """Nothing."""

    def link_closed(self, link: RunnerLink) -> None:
        """Nothing."""


class _Written(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += data


async def test_what_is_too_large_all_the_same_leaves_empty_and_what_follows_whole() -> None:
    link, transport = RunnerLink(_Hosts(), "t"), _Written()
    link.connection_made(transport)
    link.data_received(encode_frame(FrameType.HELLO, 0, b'{"token":"t"}'))

    link.send_encoded(FrameType.REPLY, 7, b"{}", bytes(MAX_FRAME_BYTES))
    link.send_encoded(FrameType.ACK, 7, b"{}")
    await anyio.lowlevel.checkpoint()
    frames = list(FrameReader().feed(transport.data))
    link.connection_lost(None)

    assert [(frame.type, frame.channel, frame.header) for frame in frames] == [
        (FrameType.REPLY, 7, b""),
        (FrameType.ACK, 7, b"{}"),
    ]
