"""Handlers of the bench. `mark` is a recorded activity that says when it ran, on a clock that all processes share."""

from __future__ import annotations

import socket
import time

import hookline


@hookline.activity
def mark() -> int:
    return time.time_ns()


@hookline.activity
def tell_and_block(port: int, text: str) -> None:
    """Say by a datagram that this session runs here now; cut off, it is said again by the next attempt."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as messenger:
        messenger.sendto(text.encode(), ("127.0.0.1", port))
    time.sleep(3600)


def noop(event):
    print("done")


def first_line(event):
    print(time.time_ns())


def steps(event):
    marks = []
    for _ in range(int(event.data.url.query["n"])):
        marks.append(mark())
    print(*marks)


def sleeper(event):
    time.sleep(float(event.data.url.query["s"]))
    print(mark())


def blocked(event):
    recorded = mark()
    tell_and_block(int(event.data.url.query["port"]), str(recorded))


def long(event):
    for _ in range(int(event.data.url.query["n"])):
        mark()
    for _ in range(int(event.data.url.query["wakes"])):
        time.sleep(2)
        print(mark())
