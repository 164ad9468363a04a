"""The warm parent of a build's session processes: imports what they share, then forks them on demand.

Runs in the project's environment and inside the sandbox. It has one thread, waits in one place, and trusts nobody
below it. Standard library only.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType as PythonFrame

from hookline_runner import write_points
from hookline_runner.compiled import open_cache
from hookline_runner.early_copies import (
    MemoryRange,
    find_own_memory,
    find_writable_memory,
    pin,
)
from hookline_runner.forks import Forks, Serve
from hookline_runner.processes import (
    adopt_orphans,
    adopted_children,
    children_of,
    forbid_tracing,
    kill_tree,
)
from hookline_runner.removal import remove_anything
from hookline_runner.seccomp import FILTERED, Filter, build_filter, install
from hookline_runner.session.autokitteh import watch_imports
from hookline_runner.stacks import ASK_SIGNAL, DUMP_SIGNAL, DUMP_WAIT_S
from hookline_runner.warm_up import start_frame, warm_up
from hookline_runner.work_directory import COPY_TIME_NS, Left, ProjectFiles
from hookline_runner.zygote_messages import (
    MAX_MESSAGE_BYTES,
    ZygoteConfig,
    decode_config,
    decode_message,
    encode_message,
)

_SPARE_DIRECTORIES = 8
_OOM_SCORE = "600"
_FEW_PROCESSORS = 4
_PIPE_BYTES = 64 * 1024


def main(control_fd: int) -> int:
    """Serve the host on the inherited control socket until it closes it."""
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    _forget_start()
    adopt_orphans()
    _prefer_for_oom_kill()
    config = _receive_config(control)
    serve = _load_session_entry(config.session_entry)
    watch_imports()  # before anything imports it
    culprit = _preload(config.preload)
    if culprit is not None:
        control.send(encode_message("threads", culprit))
        os._exit(0)  # a usual exit would wait for the thread
    rehearsal = Path(config.work_dir, "warm-up")
    if config.warm_up and not _rehearse(serve, rehearsal):
        control.send(encode_message("cold"))
        os._exit(0)
    files = _load_files(config)
    forks = Forks(config, serve, files)
    zygote = Zygote(control, config.work_dir, forks)
    forbid_tracing(forbid=True)  # what runs below must not reach the control socket
    gc.collect()
    gc.freeze()
    if _copies_early(config):
        _pin_memory(forks, serve, config, rehearsal)
    remove_anything(str(rehearsal))
    _give_up_own_calls(config)
    control.send(encode_message("ready"))
    try:
        zygote.run()
    finally:
        zygote.kill_all()
    return 0


class Zygote:
    """Forks session processes, and sees to it that nothing of them is left behind."""

    def __init__(self, control: socket.socket, work_dir: str, forks: Forks) -> None:
        self._control = control
        self._work_dir = work_dir
        self._forks = forks
        self._processes: dict[int, int] = {}  # number → pid
        self._numbers: dict[int, int] = {}  # pid → number
        self._directories: dict[int, int] = {}  # number → working directory, by number too
        self._spare_directories: list[tuple[int, bool]] = []  # and whether all is in order there
        self._last_number = 0
        self._owed_forks = 0
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._dumps_read, dumps_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._dump_due: tuple[float, int] | None = None  # when to read what was said, and of which
        forks.keep_back(control.fileno(), self._wake_read, self._wake_write, self._dumps_read)
        signal.signal(ASK_SIGNAL, _ignore_signal)  # until a process can answer
        faulthandler.register(DUMP_SIGNAL, file=dumps_write, all_threads=True)

    def run(self) -> None:
        """Answer the host until it goes away."""
        signal.signal(signal.SIGCHLD, _ignore_signal)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(self._poll_ms())}
            if self._wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
                self._reap()
            if self._control.fileno() in ready:
                message = self._control.recv(MAX_MESSAGE_BYTES)
                if not message:
                    return
                self._obey(message)
            if self._dump_due is not None and time.monotonic() >= self._dump_due[0]:
                self._pass_on_dump(self._dump_due[1])
            if self._owed_forks:  # one at a time: an order to kill must not wait for a thousand
                self._owed_forks -= 1
                self._fork()

    def kill_all(self) -> None:
        """End every process below."""
        for pid in children_of(os.getpid()):
            kill_tree(pid)

    def _obey(self, message: bytes) -> None:
        order = decode_message(message)
        if order.word == "fork":
            self._owed_forks += order.number
            return
        pid = self._processes.get(order.number)
        if pid is None:
            return
        if order.word == "term":
            os.kill(pid, signal.SIGTERM)
        elif order.word == "kill":
            kill_tree(pid)
        elif order.word == "stack":
            os.kill(pid, ASK_SIGNAL)
        elif order.word == "dump":
            self._dump(order.number, pid)
        elif order.word == "refresh":
            self._forks.refresh(self._path_of(self._directories[order.number]))
            self._control.send(encode_message("refreshed", order.number))

    def _poll_ms(self) -> float | None:
        """How long to wait for orders."""
        if self._owed_forks:
            return 0
        if self._dump_due is None:
            return None
        return max(0.0, 1000 * (self._dump_due[0] - time.monotonic())) + 1

    def _dump(self, number: int, pid: int) -> None:
        """Have Python write where that process hangs; what earlier ones wrote since is nobody's."""
        if self._dump_due is not None:
            return
        _read_all(self._dumps_read)
        os.kill(pid, DUMP_SIGNAL)
        self._dump_due = (time.monotonic() + DUMP_WAIT_S, number)

    def _pass_on_dump(self, number: int) -> None:
        self._dump_due = None
        text = _read_all(self._dumps_read).decode("ascii", "replace").replace("\0", "?")
        self._control.send(
            encode_message("dumped", number, text.encode("ascii", "replace").decode())
        )

    def _fork(self) -> None:
        self._last_number += 1
        number = self._last_number
        directory, is_whole = self._take_directory()
        child = self._forks.fork(self._path_of(directory), is_whole=is_whole)
        self._processes[number] = child.pid
        self._numbers[child.pid] = number
        self._directories[number] = directory
        message = encode_message("child", number, directory, child.pid)
        descriptors = [child.connection.fileno(), child.stdout, child.stderr]
        write_points.reach("zygote child: before sending")
        socket.send_fds(self._control, [message], descriptors)
        write_points.reach("zygote child: after sending")
        child.connection.close()
        os.close(child.stdout)
        os.close(child.stderr)

    def _take_directory(self) -> tuple[int, bool]:
        return (
            self._spare_directories.pop() if self._spare_directories else (self._last_number, False)
        )

    def _path_of(self, directory: int) -> str:
        return f"{self._work_dir}/{directory}"

    def _reap(self) -> None:
        """Report the processes that ended, and end what they left behind."""
        gone: list[tuple[int, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._numbers:
                gone.append((pid, status))
        for pid, _ in gone:
            self._processes.pop(self._numbers[pid])
        left_behind = [
            pid for pid in adopted_children() if self._numbers.get(pid) not in self._processes
        ]
        for pid in left_behind:
            kill_tree(pid)
        for pid, status in gone:
            self._report_exit(pid, status, is_clean=not left_behind)

    def _report_exit(self, pid: int, status: int, *, is_clean: bool) -> None:
        number = self._numbers.pop(pid)
        directory = self._directories.pop(number)
        code = os.waitstatus_to_exitcode(status)
        values = (code, None) if code >= 0 else (None, -code)
        self._control.send(encode_message("exit", number, *values))
        left = self._forks.clear(self._path_of(directory))
        if left is Left.MUCH:
            self._control.send(encode_message("left", directory))
        elif is_clean and len(self._spare_directories) < _SPARE_DIRECTORIES:
            self._spare_directories.append((directory, left is Left.NOTHING))
        else:
            remove_anything(self._path_of(directory))


def _read_all(descriptor: int) -> bytes:
    """What stands in the pipe now, up to what it holds."""
    try:
        return os.read(descriptor, _PIPE_BYTES)
    except BlockingIOError:
        return b""


def _ignore_signal(number: int, frame: PythonFrame | None) -> None:
    """A handler must be there for the wake-up descriptor to be written."""
    del number, frame


def _rehearse(serve: Serve, directory: Path) -> bool:
    """Warm this process up; false if that left traces."""
    try:
        is_clean = warm_up(serve, directory)
    except BaseException as exc:  # noqa: BLE001 - a rehearsal must never cost a real session
        _note(f"not warmed up: {type(exc).__name__}: {exc}")
        is_clean = False
    return is_clean and not _has_threads()


def _forget_start() -> None:
    """How it was started is nothing for what it imports, nor for sessions."""
    sys.argv = [""]
    os.environ.pop("LD_BIND_NOW", None)  # noqa: TID251 - put there by the host, for the dynamic linker


def _load_files(config: ZygoteConfig) -> ProjectFiles:
    """The project's files, and their compiled modules in memory."""
    files = ProjectFiles(config.project_files)
    cache = open_cache(config.code_dir)
    cache.preload()
    cache.trust(files.contents, COPY_TIME_NS)
    return files


def _give_up_own_calls(config: ZygoteConfig) -> None:
    """From now on nobody here needs the system calls that sessions must not have. Raises `OSError`."""
    if FILTERED in config.walls and not install(build_filter(Filter.SESSION)):
        raise OSError("the filter of sessions cannot be put in force")


def _receive_config(control: socket.socket) -> ZygoteConfig:
    config = decode_config(control.recv(MAX_MESSAGE_BYTES))
    return replace(config, work_dir=os.path.realpath(config.work_dir))


def _copies_early(config: ZygoteConfig) -> bool:
    """Whether forks should copy at once what will be written to.

    That saves more time than it takes, but the time that it takes is the zygote's: with many processors, which run many
    sessions at once, forks would come too slowly. Kept processes need few forks, and a system lets few zygotes pin memory.
    """
    has_many = len(os.sched_getaffinity(0)) > _FEW_PROCESSORS
    return config.warm_up and not config.reuse and not has_many


def _pin_memory(forks: Forks, serve: Serve, config: ZygoteConfig, rehearsal: Path) -> None:
    """Have forks copy early, if that can be had; sessions start without it as well."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        forks.keep_back(*pin(_scout(serve, config, rehearsal)))


def _scout(serve: Serve, config: ZygoteConfig, rehearsal: Path) -> list[MemoryRange]:
    """The memory that a first session process copied while it lived; it runs the rehearsed function.

    Raises:
        OSError, ValueError, TypeError: it was not found out.
    """
    mappings = find_writable_memory()

    def serve_and_tell(connection: socket.socket, **options: object) -> None:
        serve(connection, **options)
        os.write(1, json.dumps(find_own_memory(mappings)).encode() + b"\n")

    files = ProjectFiles(str(rehearsal / "project"))
    place = replace(config, code_dir=str(rehearsal / "code"))
    open_cache(place.code_dir).trust(files.contents, COPY_TIME_NS)
    child = Forks(place, serve_and_tell, files).fork(str(rehearsal))
    with child.connection, os.fdopen(child.stdout, "rb") as told, os.fdopen(child.stderr, "rb"):
        with contextlib.suppress(OSError):  # it has died
            child.connection.sendall(start_frame(is_durable=True))
            child.connection.shutdown(socket.SHUT_WR)
        answer, *_ = told.read().split(b"\n")  # a package may say something, too
    os.waitpid(child.pid, 0)
    return [MemoryRange(*fields) for fields in json.loads(answer)]


def _load_session_entry(name: str) -> Serve:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _preload(names: tuple[str, ...]) -> str | None:
    """Import modules; the name of the first that started a thread, or None."""
    for name in names:
        try:
            _import(name)
        except BaseException as exc:  # noqa: BLE001 - foreign code: whatever it raises, the session will see again
            _note(f"not preloaded: {name}: {type(exc).__name__}: {exc}")
        if _has_threads():
            return name
    return None


def _has_threads() -> bool:
    return len(os.listdir("/proc/self/task")) > 1  # noqa: PTH208 - counts native threads too


def _import(name: str) -> None:
    """Import `module`, or of `module:name` the sub-module of that name if it is one."""
    module_name, _, attribute = name.partition(":")
    module = importlib.import_module(module_name)
    if attribute and hasattr(module, "__path__") and not hasattr(module, attribute):
        importlib.import_module(f"{module_name}.{attribute}")


def _prefer_for_oom_kill() -> None:
    """When memory runs out, user code goes before the service."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")


def _note(text: str) -> None:
    sys.stderr.write(json.dumps(text) + "\n")
