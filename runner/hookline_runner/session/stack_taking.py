"""Says where the session hangs, when the process is asked by a signal: in all threads, and in the tasks of event loops."""

from __future__ import annotations

import asyncio
import json
import linecache
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType as PythonFrame
from typing import Any, Final

from hookline_runner.frames import FrameType
from hookline_runner.session.coroutines import frames_of
from hookline_runner.session.display import clean_text
from hookline_runner.session.link import Link
from hookline_runner.session.output import WAKER_NAME
from hookline_runner.session.recording import HERE
from hookline_runner.stacks import (
    ASK_SIGNAL,
    MOST_BYTES,
    MOST_FRAMES,
    MOST_STACKS,
    Stack,
    taken_header,
)

_OURS: Final = os.path.dirname(HERE)  # noqa: PTH120 - compared with the file names of code objects
_LONGEST_TEXT: Final = 300
_set_handler: Final = signal.signal  # kept: the session's own code gets another one
_current_frames: Final[Callable[[], dict[int, PythonFrame]]] = vars(sys)["_current_frames"]


class StackTaker:
    """Answers in the main thread, between two instructions of whatever runs there. Costs nothing unless it is asked."""

    __slots__ = ("_link", "_pid", "_prefix")

    def __init__(self, link: Link, project_dir: str) -> None:
        self._link = link
        self._prefix = project_dir.rstrip("/") + "/"
        self._pid = os.getpid()

    def install(self) -> None:
        """Listen to the signal; main thread only."""
        _set_handler(ASK_SIGNAL, self.answer)

    def answer(self, signum: int, frame: PythonFrame | None) -> None:
        """Send where everything is. Whatever goes wrong, the session goes on: then there is no answer."""
        del signum
        if os.getpid() != self._pid:
            return
        try:
            stacks = [*self._threads(frame), *self._tasks()]
            self._link.send(FrameType.STACK_TAKEN, _encode(stacks))
        except Exception:  # noqa: BLE001 - names and tasks are the session's own code, which must not hear of this
            return

    def _threads(self, frame: PythonFrame | None) -> Iterator[Stack]:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        main = threading.main_thread().ident or 0
        yield self._stack("thread", "MainThread", _outwards(frame))
        for ident, other in _current_frames().items():
            name = str(names.get(ident, ident))
            if ident != main and name != WAKER_NAME:
                yield self._stack("thread", name, _outwards(other))

    def _tasks(self) -> Iterator[Stack]:
        for task in sorted(_all_tasks(), key=lambda each: (len(each.get_name()), each.get_name())):
            stack = self._stack("task", task.get_name(), frames_of(task.get_coro()))
            if stack.frames:
                yield stack

    def _stack(self, kind: str, name: str, frames: list[PythonFrame]) -> Stack:
        shown = [
            self._shown(each) for each in frames if not each.f_code.co_filename.startswith(_OURS)
        ]
        if len(shown) > MOST_FRAMES:
            half = MOST_FRAMES // 2
            gap = ("", 0, f"… {len(shown) - 2 * half} more …", "")
            shown = [*shown[:half], gap, *shown[-half:]]
        return Stack(kind=kind, name=_text(name), frames=shown)

    def _shown(self, frame: PythonFrame) -> tuple[str, int, str, str]:
        path, line = frame.f_code.co_filename, frame.f_lineno or 0
        source = linecache.getline(path, line).strip() if line else ""
        name = frame.f_code.co_qualname
        return _text(path.removeprefix(self._prefix)), line, _text(name), _text(source)


def _encode(stacks: list[Stack]) -> str:
    """The answer, with as many stacks as it may hold."""
    most = MOST_STACKS
    while True:
        header = taken_header(stacks[:most], omitted=max(0, len(stacks) - most))
        text = json.dumps(header)
        if len(text) <= MOST_BYTES or most <= 1:
            return text
        most //= 2


def _all_tasks() -> set[asyncio.Task[Any]]:
    """Tasks of the loop that runs in the main thread."""
    loop = asyncio._get_running_loop()  # noqa: SLF001 - no public way asks without raising
    return set() if loop is None else asyncio.all_tasks(loop)


def _outwards(frame: PythonFrame | None) -> list[PythonFrame]:
    """The frames from the outermost to this one."""
    frames: list[PythonFrame] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def _text(text: str) -> str:
    return clean_text(text[:_LONGEST_TEXT])
