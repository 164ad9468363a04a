"""The host's end of its link, over a transport that takes what a test lets it."""

from __future__ import annotations

import asyncio
from typing import cast

import anyio.lowlevel
import pytest

from hookline_runner.frames import FrameReader, FrameType, encode_frame
from hookline_runner.link import ServiceLink
from hookline_runner.relay import RawFrame

_KIB = 1024


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FakeTransport:
    def __init__(self, link: ServiceLink) -> None:
        self._link = link
        self.channels: list[int] = []
        self.is_full = False

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        del high, low

    def write(self, data: bytes) -> None:
        self.channels += [frame.channel for frame in FrameReader().feed(data)]
        self.is_full = True
        self._link.pause_writing()

    def drain(self) -> None:
        self.is_full = False
        self._link.resume_writing()


class Listener:
    def __init__(self) -> None:
        self.held: list[int] = []
        self.eased: list[int] = []

    def frame_received(self, frame: RawFrame) -> None:
        del frame

    def channel_held(self, channel: int) -> None:
        self.held.append(channel)

    def channel_eased(self, channel: int) -> None:
        self.eased.append(channel)

    def link_lost(self, problem: str) -> None:
        del problem


def a_link() -> tuple[ServiceLink, FakeTransport, Listener]:
    listener = Listener()
    link = ServiceLink(listener)
    transport = FakeTransport(link)
    link.connection_made(cast("asyncio.Transport", transport))  # it has what the link uses
    return link, transport, listener


def a_log(channel: int, size: int = 16 * _KIB) -> bytes:
    return encode_frame(FrameType.LOG, channel, b"x" * size)


async def test_a_quiet_project_passes_a_loud_one_when_the_service_is_slow() -> None:
    link, transport, _ = a_link()
    for _ in range(100):
        link.send_bytes(a_log(1), "loud")
    link.send_bytes(a_log(2, 10), "quiet")

    await anyio.lowlevel.checkpoint()
    for _ in range(2):
        transport.drain()

    assert 2 in transport.channels
    assert len(transport.channels) < 20


async def test_only_who_says_much_is_held_and_let_go_when_it_has_left() -> None:
    link, transport, listener = a_link()
    for _ in range(40):
        link.send_bytes(a_log(1), "loud")
    link.send_bytes(a_log(2), "quiet")
    await anyio.lowlevel.checkpoint()
    held = list(listener.held)

    while link.unsent_bytes:
        assert listener.eased == [] or link.unsent_bytes < 65 * _KIB
        transport.drain()

    assert held == [1]
    assert listener.eased == [1]


async def test_a_channel_counts_as_waiting_until_its_last_frame_has_left() -> None:
    link, transport, _ = a_link()
    for _ in range(10):
        link.send_bytes(a_log(1), "loud")
    link.send(FrameType.EXITED, 1, {}, project="loud")
    before_the_turn = link.waiting_channels()
    await anyio.lowlevel.checkpoint()
    congested = link.waiting_channels()
    while link.unsent_bytes:
        transport.drain()

    assert before_the_turn == {1}
    assert congested == {1}
    assert link.waiting_channels() == set()


async def test_little_leaves_in_one_write_and_in_order() -> None:
    link, transport, _ = a_link()
    for channel in (3, 1, 2):
        link.send_bytes(a_log(channel, 10), f"project {channel}")

    await anyio.lowlevel.checkpoint()

    assert transport.channels == [3, 1, 2]
