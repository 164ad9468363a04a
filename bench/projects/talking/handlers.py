"""Handlers of the bench that use what a session can ask of the service."""

from __future__ import annotations

import time

import hookline


@hookline.activity
def mark() -> int:
    return time.time_ns()


def answer(event):
    hookline.http_outcome(json={"number": event.data.body.json["order"]["number"]})


def listener(event):
    topic = hookline.subscribe("topic")
    print("listening")
    for _ in range(int(event.data.url.query["n"])):
        hookline.next_event(topic)
        print(mark())


def one_of_many(event):
    topic = hookline.subscribe("topic")
    print("heard", hookline.next_event(topic).url.query["ring"])


def adder(event):
    begun = mark()
    for _ in range(int(event.data.url.query["n"])):
        hookline.add_values("sum", 1)
    print(begun, mark())


def total(event):
    print(hookline.get_value("sum"))
