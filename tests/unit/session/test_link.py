"""The session's end of its socket: who reads, and who gets what."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from hookline_runner.frames import Frame, FrameReader, FrameType, encode_frame
from hookline_runner.session.link import Link

DEADLINE_S = 10.0


class OtherSide:
    """The service's end, driven by the test."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(DEADLINE_S)
        self._socket = connection
        self._reader = FrameReader()
        self._frames: list[Frame] = []

    def receive(self) -> dict[str, Any]:
        """The header of the next frame."""
        while not self._frames:
            self._frames += self._reader.feed(self._socket.recv(1 << 16))
        return json.loads(self._frames.pop(0).header)

    def send(self, kind: FrameType, header: dict[str, Any], payload: bytes = b"") -> None:
        self._socket.sendall(encode_frame(kind, 0, json.dumps(header).encode(), payload))

    def reply(self, number: int, value: object) -> None:
        header = {"n": number, "ok": True, "wait": False, "error": None}
        self.send(FrameType.REPLY, header, json.dumps(value).encode())


Pair = tuple[Link, OtherSide]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    link = Link(ours)
    link.begin_attempt(lambda _reason: None)
    yield link, OtherSide(theirs)
    theirs.close()
    link.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def value_of(future: Future[Any]) -> object:
    return json.loads(future.result(DEADLINE_S).value)


def never() -> bool:
    return False


def until(link: Link, is_so: Callable[[], bool]) -> None:
    """Wait until frames that were read made it so."""
    told = threading.Event()
    link.listen(told.set)
    while not is_so():
        assert told.wait(DEADLINE_S)
        told.clear()


def test_replies_come_to_the_threads_that_asked_whatever_their_order(
    pair: Pair, threads: ThreadPoolExecutor
):
    link, other = pair
    asked = {name: threads.submit(link.call, name, "{}") for name in ("a", "b", "c")}
    calls = [other.receive() for _ in asked]

    for call in reversed(calls):
        other.reply(call["n"], call["op"])

    assert {name: value_of(future) for name, future in asked.items()} == {
        "a": "a",
        "b": "b",
        "c": "c",
    }


def test_very_many_calls_of_many_threads_each_get_their_own_reply(
    pair: Pair, threads: ThreadPoolExecutor
):
    link, other = pair

    def ask(name: int) -> list[object]:
        return [
            json.loads(link.call("x", json.dumps([name, turn])).value) == [name, turn]
            for turn in range(50)
        ]

    asked = [threads.submit(ask, name) for name in range(8)]
    for _ in range(400):
        call = other.receive()
        other.reply(call["n"], call["args"])

    assert all(all(future.result(DEADLINE_S)) for future in asked)


def test_an_acknowledgement_read_by_another_thread_ends_the_wait_for_it(
    pair: Pair, threads: ThreadPoolExecutor
):
    link, other = pair
    asked = threads.submit(link.call, "a", "{}")
    number = other.receive()["n"]
    waiting = [threads.submit(link.wait_acknowledged, n) for n in (1, 2)]

    other.send(FrameType.ACK, {"n": 2})
    for future in waiting:
        future.result(DEADLINE_S)
    other.reply(number, None)

    assert value_of(asked) is None


def test_when_the_reader_has_what_it_wants_another_reads_on(
    pair: Pair, threads: ThreadPoolExecutor
):
    link, other = pair
    first, second = (threads.submit(link.call, name, "{}") for name in ("a", "b"))
    numbers = {call["op"]: call["n"] for call in (other.receive(), other.receive())}

    other.reply(numbers["a"], 1)
    first.result(DEADLINE_S)
    other.reply(numbers["b"], 2)

    assert value_of(second) == 2


def test_a_wake_that_came_before_the_wait_is_not_lost(pair: Pair):
    link, other = pair
    seen = link.news.count
    other.send(FrameType.WAKE, {})
    link.read_available()

    link.wait_wake(seen, None, never)

    assert link.news.count == seen + 1


def test_a_wake_between_reply_and_wait_is_not_lost(pair: Pair, threads: ThreadPoolExecutor):
    link, other = pair
    seen = link.news.count
    asked = threads.submit(link.call, "take", "{}")
    number = other.receive()["n"]
    other.send(FrameType.WAKE, {})
    other.send(
        FrameType.REPLY, {"n": number, "ok": True, "wait": True, "error": None}
    )  # in one read

    reply = asked.result(DEADLINE_S)
    link.wait_wake(seen, None, never)

    assert reply.is_waiting


def test_a_wait_ends_at_its_time(pair: Pair):
    link, _ = pair

    link.wait_wake(link.news.count, 0.01, never)

    assert link.news.count == 0


@pytest.mark.parametrize("is_reading", [True, False], ids=["reads", "waits for the reader"])
def test_an_interrupt_ends_a_wait(pair: Pair, threads: ThreadPoolExecutor, is_reading: bool):
    link, other = pair
    asked = None if is_reading else threads.submit(link.call, "a", "{}")
    number = 0 if asked is None else other.receive()["n"]
    is_over = threading.Event()
    waiting = threads.submit(link.wait_wake, 0, None, is_over.is_set)

    is_over.set()
    link.interrupt()

    waiting.result(DEADLINE_S)
    if asked is not None:
        other.reply(number, 5)
        assert value_of(asked) == 5


def test_an_interrupt_before_the_wait_ends_it_too(pair: Pair):
    link, _ = pair
    link.interrupt()
    link.interrupt()

    link.wait_wake(0, None, lambda: True)
    link.wait_wake(0, 0.01, never)

    assert link.news.count == 0


def test_taking_in_what_is_there_leaves_it_to_the_thread_that_reads(
    pair: Pair, threads: ThreadPoolExecutor
):
    link, other = pair
    asked = threads.submit(link.call, "a", "{}")
    number = other.receive()["n"]
    other.send(FrameType.WAKE, {})
    until(link, lambda: link.news.count == 1)  # the thread does read

    link.read_available()
    other.reply(number, 1)

    assert value_of(asked) == 1


def test_a_refusal_carries_its_code_and_sentence(pair: Pair, threads: ThreadPoolExecutor):
    link, other = pair
    asked = threads.submit(link.call, "a", "{}")
    error = {"code": "session.not_found", "message": "no such session"}
    header = {"n": other.receive()["n"], "ok": False, "wait": False, "error": error}
    other.send(FrameType.REPLY, header)

    reply = asked.result(DEADLINE_S)

    assert (reply.ok, reply.code, reply.message) == (False, "session.not_found", "no such session")


def test_a_reply_that_nobody_waits_for_is_dropped(pair: Pair, threads: ThreadPoolExecutor):
    link, other = pair
    other.reply(77, "of the former attempt")
    asked = threads.submit(link.call, "a", "{}")
    other.reply(other.receive()["n"], "mine")

    assert value_of(asked) == "mine"


def test_the_next_attempt_counts_anew(pair: Pair, threads: ThreadPoolExecutor):
    link, other = pair
    other.send(FrameType.WAKE, {})
    asked = threads.submit(link.call, "a", "{}")
    other.reply(other.receive()["n"], None)
    asked.result(DEADLINE_S)

    link.begin_attempt(lambda _reason: None)
    again = threads.submit(link.call, "b", "{}")
    call = other.receive()
    other.reply(call["n"], None)

    again.result(DEADLINE_S)
    assert (call["n"], link.news.count) == (1, 0)


def test_the_reason_of_a_stop_is_heard_while_somebody_waits(
    pair: Pair, threads: ThreadPoolExecutor
):
    link, other = pair
    reasons: list[str] = []
    link.begin_attempt(reasons.append)
    waiting = threads.submit(link.wait_wake, 0, None, lambda: bool(reasons))

    other.send(FrameType.STOP, {"reason": "enough"})

    waiting.result(DEADLINE_S)
    assert reasons == ["enough"]
