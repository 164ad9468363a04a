"""A closed-loop HTTP/1.1 client: each connection sends its next request when the last answer is complete."""

from __future__ import annotations

import math
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

_RECEIVE_BYTES = 65536
_HEAD_END = b"\r\n\r\n"
_PATIENCE_S = 60


@dataclass(slots=True, kw_only=True)
class LoadResult:
    """What came back: latency of each answer in seconds, answers by status, seconds from first send to last answer."""

    latencies_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    elapsed_s: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies_s) / self.elapsed_s if self.elapsed_s else 0.0


class _Connection:
    __slots__ = ("buffer", "sent_at", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)


class Client:
    """Some open connections to a port of this machine; a context manager that closes them."""

    def __init__(self, port: int, connections: int) -> None:
        self._connections = [_Connection(port) for _ in range(connections)]
        self._by_number = {each.socket.fileno(): each for each in self._connections}
        self._poll = select.epoll()
        for number in self._by_number:
            self._poll.register(number, select.EPOLLIN)

    def run(
        self,
        request: bytes,
        *,
        seconds: float = math.inf,
        count: float = math.inf,
        keep: Callable[[bytes], object] | None = None,
    ) -> LoadResult:
        """Send the request over and over, for a time or a number of times, and wait for all answers.

        `keep` is given each complete answer, head and body.
        """
        result = LoadResult()
        begun = time.perf_counter()
        until = begun + seconds
        waiting = 0
        for connection in self._connections:
            if waiting < count:
                connection.send(request)
                waiting += 1
        # The next run begins with other connections, so that none is idle until the server closes it.
        self._connections = self._connections[waiting:] + self._connections[:waiting]
        left = count - waiting
        while waiting:
            for connection, answer, at in self._answers():
                result.latencies_s.append(at - connection.sent_at)
                result.statuses[int(answer[9:12])] += 1
                if keep is not None:
                    keep(answer)
                if left > 0 and at < until:
                    left -= 1
                    connection.send(request)
                else:
                    waiting -= 1
        result.elapsed_s = time.perf_counter() - begun
        return result

    def send(self, request: bytes, count: int) -> list[bytes]:
        """Send the request so often, over all connections; the answers."""
        answers: list[bytes] = []
        self.run(request, count=count, keep=answers.append)
        return answers

    def _answers(self) -> Iterator[tuple[_Connection, bytes, float]]:
        """The answers that are complete now, at least waiting for some bytes."""
        ready = self._poll.poll(_PATIENCE_S)
        if not ready:
            raise TimeoutError(f"no answer for {_PATIENCE_S} seconds")
        for number, _ in ready:
            connection = self._by_number[number]
            received = connection.socket.recv(_RECEIVE_BYTES)
            if not received:
                raise ConnectionError("the server closed a connection")
            buffer = connection.buffer + received if connection.buffer else received
            if is_complete(buffer):
                connection.buffer = b""
                yield connection, buffer, time.perf_counter()
            else:
                connection.buffer = buffer

    def close(self) -> None:
        """Close all connections."""
        self._poll.close()
        for connection in self._connections:
            connection.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def post(path: str, body: bytes) -> bytes:
    """The bytes of a POST request with a JSON body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run_load(
    port: int,
    request: bytes,
    *,
    connections: int,
    seconds: float = math.inf,
    count: float = math.inf,
    keep: Callable[[bytes], object] | None = None,
) -> LoadResult:
    """See `Client.run`, over connections opened for this."""
    with Client(port, connections) as client:
        return client.run(request, seconds=seconds, count=count, keep=keep)


def one_at_a_time(
    port: int, request: bytes, count: int, *, pause_s: float, expected: bytes
) -> list[float]:
    """Seconds to each complete answer over one connection, with a pause after each.

    Raises `RuntimeError` for an answer that is not 2xx or lacks the expected bytes.
    """
    taken: list[float] = []
    with Client(port, 1) as client:
        for _ in range(count):
            begun = time.perf_counter()
            (answer,) = client.send(request, 1)
            taken.append(time.perf_counter() - begun)
            if not answer.startswith(b"HTTP/1.1 2") or expected not in answer:
                raise RuntimeError(f"a request was answered {answer[:300]!r}")
            time.sleep(pause_s)
    return taken


def is_complete(answer: bytes) -> bool:
    """Whether these bytes hold a whole answer."""
    head_end = answer.find(_HEAD_END)
    if head_end < 0:
        return False
    head = answer[:head_end].lower()
    place = head.find(b"content-length:")
    if place >= 0:
        line_end = head.find(b"\r\n", place)
        length = int(head[place + 15 : line_end if line_end >= 0 else None])
        return len(answer) >= head_end + 4 + length
    if b"transfer-encoding: chunked" in head:
        return answer.endswith(b"0\r\n\r\n")
    return True
