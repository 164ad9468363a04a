"""Handlers of the bench that also run in kept processes."""

from __future__ import annotations

import time

import hookline


@hookline.activity
def mark() -> int:
    return time.time_ns()


def noop(event):
    print("done")


def steps(event):
    marks = []
    for _ in range(int(event.data.url.query["n"])):
        marks.append(mark())
    print(*marks)
