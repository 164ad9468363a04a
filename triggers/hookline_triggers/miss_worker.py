"""A process that judges one filter on many events and tells how near they came: ``python -m hookline_triggers.miss_worker SECONDS``.

It says `ready`, reads the filter as a line of JSON (`filter`), and answers with its conditions (`conditions`). Then it answers each event on its
standard input, one after the other: a line of JSON (`type`, `data` and `body`, their sizes in bytes, `body` null without one), then both as the
service stores them. An answer is a line of JSON (`match`, `held`, and `miss` when no earlier event came nearer). What takes longer than the seconds
given ends it, whatever it is at, and so does the end of its input. It steps back for everybody else.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

from hookline import json_text
from hookline_triggers.filter_worker import MEMORY_BYTES
from hookline_triggers.matching import data_for_filters
from hookline_triggers.near_misses import Prober

_NICE = 10


def serve(requests: BinaryIO, answers: BinaryIO, deadline_s: float) -> None:
    """Answer until the input ends."""
    answers.write(b"ready\n")
    answers.flush()
    prober = Prober(json_text.read(requests.readline())["filter"])
    _answer(answers, {"conditions": [each.line for each in prober.conditions]})
    best = -1
    while line := requests.readline():
        head = json_text.read(line)
        data = requests.read(head["data"])
        body = None if head["body"] is None else requests.read(head["body"])
        # The signal of the timer ends a process, in compiled code too.
        signal.setitimer(signal.ITIMER_REAL, deadline_s)
        seen = data_for_filters(json_text.read(data), body)
        answer, best = _judged(prober, head["type"], seen, best)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _answer(answers, answer)


def main() -> None:
    """Serve on standard input and output, within bounds."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.nice(_NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer, float(sys.argv[1]))


def _judged(
    prober: Prober,
    event_type: str,
    data: Mapping[str, Any],  # Any: JSON of any shape
    best: int,
) -> tuple[dict[str, object], int]:
    """The answer, and how many conditions held at most so far."""
    verdict = prober.judge(data, event_type)
    answer: dict[str, object] = {"match": verdict.is_match, "held": list(verdict.held)}
    if not verdict.is_match and sum(verdict.held) > best:
        answer["miss"] = asdict(prober.describe(data, event_type, verdict))
        best = sum(verdict.held)
    return answer, best


def _answer(answers: BinaryIO, answer: object) -> None:
    answers.write(json_text.write_bytes(answer) + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()
