"""The warm parent of a build's session processes: imports what they share, then forks them on demand.

Runs in the project's environment and inside the sandbox. It has one thread, waits in one place, and trusts nobody
below it. Standard library only.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType as PythonFrame
from typing import NoReturn

from hookline_runner import write_points
from hookline_runner.compiled import open_cache
from hookline_runner.processes import (
    adopt_orphans,
    adopted_children,
    children_of,
    die_with_parent,
    forbid_tracing,
    kill_tree,
)
from hookline_runner.session.autokitteh import watch_imports
from hookline_runner.warm_up import warm_up
from hookline_runner.work_directory import (
    COPY_TIME_NS,
    ProjectFiles,
    empty_directory,
    remove_anything,
)
from hookline_runner.zygote_messages import (
    MAX_MESSAGE_BYTES,
    SETUP_FAILED_STATUS,
    ZygoteConfig,
    decode_config,
    decode_message,
    encode_message,
)

_SPARE_DIRECTORIES = 8
_OPEN_FILES_LIMIT = 1024
_OOM_SCORE = "600"

Serve = Callable[..., object]


def main(control_fd: int) -> int:
    """Serve the host on the inherited control socket until it closes it."""
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    sys.argv = [""]
    adopt_orphans()
    _prefer_for_oom_kill()
    config = decode_config(control.recv(MAX_MESSAGE_BYTES))
    serve = _load_session_entry(config.session_entry)
    watch_imports()  # before anything imports it
    culprit = _preload(config.preload)
    if culprit is not None:
        control.send(encode_message("threads", culprit))
        os._exit(0)  # a usual exit would wait for the thread
    if config.warm_up and not _rehearse(serve, config):
        control.send(encode_message("cold"))
        os._exit(0)
    files = ProjectFiles(config.project_files)
    cache = open_cache(config.code_dir)
    cache.preload()
    cache.trust(files.contents, COPY_TIME_NS)
    zygote = Zygote(control, config, serve, files)
    forbid_tracing(forbid=True)  # what runs below must not reach the control socket
    gc.collect()
    gc.freeze()
    control.send(encode_message("ready"))
    try:
        zygote.run()
    finally:
        zygote.kill_all()
    return 0


class Zygote:
    """Forks session processes, and sees to it that nothing of them is left behind."""

    def __init__(
        self, control: socket.socket, config: ZygoteConfig, serve: Serve, files: ProjectFiles
    ) -> None:
        self._control = control
        self._config = config
        self._serve = serve
        self._files = files
        self._processes: dict[int, int] = {}  # number → pid
        self._numbers: dict[int, int] = {}  # pid → number
        self._directories: dict[int, int] = {}  # number → working directory, by number too
        self._spare_directories: list[int] = []
        self._last_number = 0
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Answer the host until it goes away."""
        signal.signal(signal.SIGCHLD, _ignore_signal)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
                self._reap()
            if self._control.fileno() in ready:
                message = self._control.recv(MAX_MESSAGE_BYTES)
                if not message:
                    return
                self._obey(message)

    def kill_all(self) -> None:
        """End every process below."""
        for pid in children_of(os.getpid()):
            kill_tree(pid)

    def _obey(self, message: bytes) -> None:
        order = decode_message(message)
        if order.word == "fork":
            for _ in range(order.number):
                self._fork()
            return
        pid = self._processes.get(order.number)
        if pid is None:
            return
        if order.word == "term":
            os.kill(pid, signal.SIGTERM)
        elif order.word == "kill":
            kill_tree(pid)
        elif order.word == "refresh":
            directory = self._path_of(self._directories[order.number])
            self._files.refresh(directory + "/project")
            empty_directory(directory + "/tmp")  # noqa: S108 - inside the session's own directory
            self._control.send(encode_message("refreshed", order.number))

    def _fork(self) -> None:
        self._last_number += 1
        number = self._last_number
        directory = self._take_directory()
        ours, theirs = socket.socketpair()
        out_read, out_write = os.pipe2(os.O_CLOEXEC)
        err_read, err_write = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (self._wake_read, self._wake_write, out_read, err_read):
                os.close(descriptor)
            self._control.close()
            ours.close()
            self._be_session(theirs, self._path_of(directory), (out_write, err_write))
        self._processes[number] = pid
        self._numbers[pid] = number
        self._directories[number] = directory
        theirs.close()
        os.close(out_write)
        os.close(err_write)
        message = encode_message("child", number, directory)
        write_points.reach("zygote child: before sending")
        socket.send_fds(self._control, [message], [ours.fileno(), out_read, err_read])
        write_points.reach("zygote child: after sending")
        ours.close()
        os.close(out_read)
        os.close(err_read)

    def _be_session(
        self, session_socket: socket.socket, directory: str, outputs: tuple[int, int]
    ) -> NoReturn:
        """The life of a session process; never returns to the zygote's loop."""
        status = SETUP_FAILED_STATUS
        try:
            os.setsid()
            forbid_tracing(forbid=False)
            die_with_parent()
            adopt_orphans()
            _redirect_output(*outputs)
            self._enter_directory(directory)
            _limit_resources(self._config)
            status = 1
            self._serve(
                session_socket,
                project_dir=directory + "/project",
                code_dir=self._config.code_dir,
                reuse=self._config.reuse,
            )
            status = 0
        except SystemExit as exc:
            status = exc.code if isinstance(exc.code, int) else 1
        except BaseException:  # noqa: BLE001 - the last handler of a process: it must end here, and say why
            _print_traceback()
        finally:
            _flush_output()
            os._exit(status & 0xFF)

    def _enter_directory(self, directory: str) -> None:
        if not os.path.isdir(directory):  # noqa: PTH112 - a hot path: no Path objects
            os.mkdir(directory, 0o700)  # noqa: PTH102 - as above
        self._files.refresh(directory + "/project")
        empty_directory(directory + "/tmp")  # noqa: S108 - inside the session's own directory
        os.environ["HOME"] = os.environ["TMPDIR"] = directory + "/tmp"  # noqa: TID251, S108 - set, not read
        os.chdir(directory + "/project")

    def _take_directory(self) -> int:
        return self._spare_directories.pop() if self._spare_directories else self._last_number

    def _path_of(self, directory: int) -> str:
        return f"{self._config.work_dir}/{directory}"

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
        if is_clean and len(self._spare_directories) < _SPARE_DIRECTORIES:
            self._spare_directories.append(directory)
        else:
            remove_anything(self._path_of(directory))


def _ignore_signal(number: int, frame: PythonFrame | None) -> None:
    """A handler must be there for the wake-up descriptor to be written."""
    del number, frame


def _rehearse(serve: Serve, config: ZygoteConfig) -> bool:
    """Warm this process up; false if that left traces."""
    directory = Path(config.work_dir, "warm-up")
    try:
        is_clean = warm_up(serve, directory)
    except BaseException as exc:  # noqa: BLE001 - a rehearsal must never cost a real session
        _note(f"not warmed up: {type(exc).__name__}: {exc}")
        is_clean = False
    remove_anything(str(directory))
    return is_clean and not _has_threads()


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


def _limit_resources(config: ZygoteConfig) -> None:
    limits = {
        resource.RLIMIT_DATA: config.memory_limit_bytes,
        resource.RLIMIT_FSIZE: config.file_limit_bytes,
        resource.RLIMIT_NPROC: config.process_limit,
        resource.RLIMIT_NOFILE: _OPEN_FILES_LIMIT,
    }
    for kind, limit in limits.items():
        _, hard = resource.getrlimit(kind)
        if limit and (hard == resource.RLIM_INFINITY or limit < hard):
            resource.setrlimit(kind, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _redirect_output(out_write: int, err_write: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(out_write, 1)
    os.dup2(err_write, 2)
    for descriptor in (null, out_write, err_write):
        os.close(descriptor)


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def _print_traceback() -> None:
    import traceback  # noqa: PLC0415 - only when a process dies

    with contextlib.suppress(OSError, ValueError):
        traceback.print_exc()


def _note(text: str) -> None:
    sys.stderr.write(json.dumps(text) + "\n")
