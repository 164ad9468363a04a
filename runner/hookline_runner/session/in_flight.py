"""What is in flight: what a session has started, and would lose if its process ended now.

The one place that says whether the process of a waiting session may be given up. It may not while

- work goes on by itself: a thread that is no daemon, a job of an executor, a child process, a timer of signals;
- the event loop has work outside: bytes to be written, a socket that listens, a descriptor that the code watches itself,
  a task that was begun inside an activity;
- a task waits for something that is no time, no event, no signal and no other task, and there is anything outside that may
  bring it: a connection, a thread, a callback that a library has set.

A connection on which no task waits, such as one that a pool keeps open, does not count: it is opened again when it is
needed. So waits that only the service ends never hold a process, and everything else does for as long as it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from types import CodeType, FrameType
from typing import Any, Final, Protocol, cast, runtime_checkable

from hookline_runner.processes import children_of
from hookline_runner.session.coroutines import frames_of
from hookline_runner.session.output import WAKER_NAME

_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
# Loops in which a worker thread waits for its next job: the end of the file's name, and the function.
_IDLE_WORKERS: Final = (
    ("/concurrent/futures/thread.py", "_worker"),
    ("/anyio/_backends/_asyncio.py", "run"),
)
_BLOCKING: Final = ("/threading.py", "/queue.py")  # through which they wait
_HELPERS: Final = (
    ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
    ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
)
_ASYNCIO_TASKS: Final = "/asyncio/tasks.py"

_enumerate: Final = threading.enumerate  # kept: user code may replace the functions
_current_frames: Final = vars(sys)["_current_frames"]  # there is no public way
_listdir: Final = os.listdir


@runtime_checkable
class WatchedLoop(Protocol):
    """What is asked of an event loop."""

    @property
    def descriptors(self) -> Iterable[selectors.SelectorKey]:
        """What it watches for others than itself."""
        ...

    def has_ready(self) -> bool:
        """Whether callbacks wait to be run."""
        ...

    def has_foreign_timers(self) -> bool:
        """Whether a timer is set that is not the session's own, but a library's."""
        ...

    def has_signal_handlers(self) -> bool:
        """Whether it calls back for signals."""
        ...

    def is_of_session(self, task: asyncio.Task[Any]) -> bool:
        """Whether the session's own code began it, and not the inside of an activity."""
        ...


class OwnFuture(asyncio.Future[Any]):
    """A future of ours: what it waits for is in the journal, or comes from the service."""


class InFlight:
    """What one attempt has in flight. Asked in the main thread only."""

    __slots__ = ("_native_before",)

    def __init__(self) -> None:
        self._native_before = 0

    def begin(self) -> None:
        """The function is about to be called. Threads that Python does not know, and are there now, wait for work."""
        self._native_before = _count_native()

    def find(self) -> str | None:
        """What would be lost if the process ended now, for people; None if nothing would."""
        return find_work() or self._find_in_loop()

    def may_be_called(self, loop: WatchedLoop) -> bool:
        """Whether anything outside the session's own tasks and timers may call back into this loop."""
        return (
            any(True for _ in loop.descriptors)
            or loop.has_foreign_timers()
            or loop.has_signal_handlers()
            or any(True for _ in _other_threads())
            or _count_native() > self._native_before
            or find_work() is not None
        )

    def _find_in_loop(self) -> str | None:
        loop = asyncio._get_running_loop()  # noqa: SLF001 - the quiet way to ask
        if loop is None:
            return None
        running = asyncio.current_task(loop)
        tasks = [task for task in asyncio.all_tasks(loop) if task is not running]
        if not isinstance(loop, WatchedLoop):
            return "an event loop of another kind has tasks" if tasks else None
        unsettled = _find_unsettled(loop, tasks)
        if unsettled is not None and (_is_foreign(loop, unsettled) or self.may_be_called(loop)):
            return _describe(loop, unsettled)
        return next(filter(None, map(_work_of, loop.descriptors)), None)


def find_work() -> str | None:
    """What of the session goes on whatever it waits for, for people; None if nothing does."""
    for thread in _other_threads():
        if not thread.daemon:
            return f"the thread {thread.name!r} is running"
    for pid in _children():
        return f"the child process {pid} is running"
    if any(signal.getitimer(timer)[0] for timer in _TIMERS):
        return "a timer of signals is set"
    return None


# Threads and processes


def find_waited_thread() -> threading.Thread | None:
    """A thread that Python waits for before a program ends; a worker without a job is none."""
    return next((thread for thread in _other_threads() if not thread.daemon), None)


def daemons() -> list[threading.Thread]:
    """Daemon threads that are running."""
    return [thread for thread in _other_threads() if thread.daemon]


def _other_threads() -> Iterator[threading.Thread]:
    """Threads but this one, the main one and ours, without workers that have no job."""
    threads = _enumerate()
    if len(threads) == 1:
        return
    frames: dict[int, FrameType] | None = None
    for thread in threads:
        if thread in (threading.main_thread(), threading.current_thread()):
            continue
        if thread.name == WAKER_NAME or not thread.is_alive():
            continue
        if frames is None:
            frames = cast("dict[int, FrameType]", _current_frames())
        if not _is_idle_worker(frames.get(thread.ident or 0)):
            yield thread


def _is_idle_worker(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_filename.endswith(_BLOCKING):
        frame = frame.f_back
    return frame is not None and any(_is(frame.f_code, *each) for each in _IDLE_WORKERS)


def _is(code: CodeType, file: str, name: str) -> bool:
    return code.co_name == name and code.co_filename.endswith(file)


def _count_native() -> int:
    try:
        return len(_listdir("/proc/self/task")) - len(_enumerate())
    except OSError:
        return 0


def _children() -> Iterator[int]:
    """Child processes that run, but for those that `multiprocessing` keeps for itself."""
    helpers = {
        getattr(getattr(sys.modules.get(module), name, None), attribute, None)
        for module, name, attribute in _HELPERS
    }
    for pid in children_of(os.getpid()):
        if pid not in helpers and not _has_ended(pid):
            yield pid


def _has_ended(pid: int) -> bool:
    """Whether a child has ended, and was only not asked for yet."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - without Path objects
            return file.read().rpartition(b")")[2].split()[0] in {b"Z", b"X"}
    except (OSError, IndexError):
        return True


# Descriptors


def _work_of(key: selectors.SelectorKey) -> str | None:
    """What a watched descriptor has under way by itself; None for a connection that only might bring something."""
    reader, writer = cast("tuple[Any, Any]", key.data)
    if writer is not None and not writer.cancelled():
        return "something is being sent over a connection"
    callback = getattr(reader, "_callback", None)  # there is no public way
    transport = getattr(callback, "__self__", None)
    if isinstance(transport, asyncio.BaseTransport):
        return None
    if _listens(key.fd):
        return "a socket listens for connections"
    return "a file descriptor is watched"


def _listens(descriptor: int) -> bool:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        return bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False


# Tasks


def _find_unsettled(loop: WatchedLoop, tasks: list[asyncio.Task[Any]]) -> asyncio.Task[Any] | None:
    """A task that may wait for something outside; one that a library began before any other."""
    foreign = (task for task in tasks if _is_foreign(loop, task))
    return next(foreign, None) or next((task for task in tasks if not _is_settled_task(task)), None)


def _is_foreign(loop: WatchedLoop, task: asyncio.Task[Any]) -> bool:
    return not loop.is_of_session(task)


def _describe(loop: WatchedLoop, task: asyncio.Task[Any]) -> str:
    name, frames = task.get_name(), frames_of(task.get_coro())
    if frames:
        file = frames[0].f_code.co_filename.rpartition("/")[2]
        name = f"{name!r} at {file}:{frames[0].f_lineno}"
    if _is_foreign(loop, task):
        return f"the task {name}, which was begun inside an activity, is running"
    return f"the task {name} waits for what may come from outside"


def _is_settled_task(task: asyncio.Task[Any]) -> bool:
    """Whether all that this task waits for is the session's own, or another task, which is looked at by itself."""
    waited: object = getattr(task, "_fut_waiter", None)  # there is no public way
    chain = frames_of(task.get_coro())
    if waited is None:
        return (
            not chain
        )  # one that has not begun has nothing under way; one that is about to go on may have
    return _is_settled(waited) or _is_settled_frame(chain)


def _is_settled(waited: object) -> bool:
    if isinstance(waited, OwnFuture | asyncio.Task):
        return True
    parts: object = getattr(waited, "_children", None)  # of `gather`
    if isinstance(parts, list):
        return all(_is_settled(part) or part.done() for part in cast("list[Any]", parts))
    return False


def _is_settled_frame(chain: list[FrameType]) -> bool:
    """Whether the task waits in a function of asyncio of which it is known what ends the wait."""
    if not chain:
        return False
    code, found = chain[-1].f_code, chain[-1].f_locals
    if code.co_qualname == "TaskGroup.__aexit__":  # its tasks
        return True
    match code.co_name if code.co_filename.endswith(_ASYNCIO_TASKS) else "":
        case "sleep":
            return True  # by a timer of the session
        case "_wait":
            return all(_is_settled(each) or each.done() for each in found.get("fs", (None,)))
        case "wait_for":
            return _is_settled(found.get("fut"))
        case _:
            return False
