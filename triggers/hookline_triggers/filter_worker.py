"""A process that judges filters which may take long, so that it can be ended: ``python -m hookline_triggers.filter_worker SECONDS``.

It says `ready`, and then answers each request on its standard input, one after the other. A request is a line of JSON (`filter`, `type`,
`size`) and `size` bytes of data as `hookline.values` writes an event; an answer is a line of JSON (`match`, `reason`). What takes longer than the
seconds given ends it, whatever it is at, and so does the end of its input.
"""

from __future__ import annotations

import resource
import signal
import sys
from typing import BinaryIO

from hookline import json_text
from hookline.values import decode_answer
from hookline_triggers.filters import compile_filter

MEMORY_BYTES = 1024 * 1024 * 1024
"""What a process may take to judge filters."""


def serve(requests: BinaryIO, answers: BinaryIO, deadline_s: float) -> None:
    """Answer until the input ends."""
    compile_filter("true").matches({}, "")  # the engine takes a second to load
    answers.write(b"ready\n")
    answers.flush()
    while line := requests.readline():
        head = json_text.read(line)
        data = decode_answer(requests.read(head["size"]))
        signal.setitimer(
            signal.ITIMER_REAL, deadline_s
        )  # its signal ends a process, in compiled code too
        explained = compile_filter(head["filter"]).explain(data, head["type"])
        signal.setitimer(signal.ITIMER_REAL, 0)
        answer = {"match": explained.is_match, "reason": explained.reason}
        answers.write(json_text.write_bytes(answer) + b"\n")
        answers.flush()


def main() -> None:
    """Serve on standard input and output, within bounds."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    serve(sys.stdin.buffer, sys.stdout.buffer, float(sys.argv[1]))


if __name__ == "__main__":
    main()
