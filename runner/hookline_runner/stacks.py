"""Where a running session hangs: the signals by which its process is asked, and what Python's own dump says.

A session process answers the first signal by itself, with tasks and lines of source. While its main thread is inside a
long call of C code it cannot; then the second one makes Python's `faulthandler` write what it finds, without running any
Python code, to a pipe of the zygote. Standard library only.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Final

from hookline_runner.cells import PROJECT_PLACE

ASK_SIGNAL: Final = signal.SIGRTMIN + 11  # hardly anybody else's
DUMP_SIGNAL: Final = signal.SIGRTMIN + 12
ANSWER_WAIT_S: Final = 1.0  # after which Python is asked for its dump
DUMP_WAIT_S: Final = 0.2  # a dump is written in a few milliseconds
MOST_STACKS: Final = 300
MOST_FRAMES: Final = 60  # of one
MOST_BYTES: Final = 1024 * 1024  # of an answer

_OURS: Final = "/hookline_runner/"
# The session's copy of the project, in a cell of its own and without one.
_COPY: Final = re.compile(rf"^(?:{re.escape(PROJECT_PLACE)}|.*?/work/\d+/project)/")
_HEAD: Final = re.compile(
    r"(Thread|Current thread) 0x([0-9a-f]+)(?: \[(.*)\])? \(most recent call first\):"
)
_FRAME: Final = re.compile(r'  File "(.*)", line (\d+|\?\?\?) in (.*)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Where one thread or task is; frames are file, line, function and line of source, the innermost last."""

    kind: str
    name: str
    frames: list[tuple[str, int, str, str]]


def parse_dump(text: str) -> list[Stack]:
    """The stacks in a dump of `faulthandler`; what is none is left out."""
    stacks: list[Stack] = []
    for line in text.splitlines():
        if (head := _HEAD.fullmatch(line)) and len(stacks) < MOST_STACKS:
            is_main = head[1] == "Current thread"  # the signal comes to the main thread
            name = "MainThread" if is_main else head[3] or f"0x{head[2].lstrip('0')}"
            stacks.append(Stack(kind="thread", name=name, frames=[]))
        elif stacks and (frame := _FRAME.fullmatch(line)) and _OURS not in frame[1]:
            number = int(frame[2]) if frame[2].isdecimal() else 0
            stacks[-1].frames.insert(0, (_COPY.sub("", frame[1]), number, frame[3], ""))
    return [stack for stack in stacks if stack.frames]


def taken_header(
    stacks: list[Stack], *, omitted: int = 0, is_dump: bool = False
) -> dict[str, object]:
    """What a STACK_TAKEN says; see docs/protocol.md."""
    rows = [[stack.kind, stack.name, stack.frames] for stack in stacks]
    return {"stacks": rows, "omitted": omitted, "dump": is_dump}
