"""The fork that makes a session's process, and what that process does before and after it serves.

Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from hookline_runner.cells import Cells
from hookline_runner.processes import adopt_orphans, die_with_parent, forbid_tracing
from hookline_runner.work_directory import (
    NOTES_SUFFIX,
    Left,
    ProjectFiles,
    clear_directory,
    empty_directory,
)
from hookline_runner.zygote_messages import SETUP_FAILED_STATUS, ZygoteConfig

_OPEN_FILES_LIMIT = 1024
_OWN_ENTRIES = frozenset({"project", "project" + NOTES_SUFFIX, "tmp"})  # of a working directory

Serve = Callable[..., object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """A new process: its socket, and where what it writes can be read."""

    pid: int
    connection: socket.socket
    stdout: int
    stderr: int


class Forks:
    """Makes session processes of this one. `keep_back` names descriptors of this process that they do not get."""

    def __init__(self, config: ZygoteConfig, serve: Serve, files: ProjectFiles) -> None:
        self._config = config
        self._serve = serve
        self._files = files
        self._cells = Cells(
            walls=config.walls,
            work_dir=config.work_dir,
            shared_memory_bytes=config.shared_memory_bytes,
        )
        self._kept_back: list[int] = []

    def keep_back(self, *descriptors: int) -> None:
        """Close these in every process made from now on."""
        self._kept_back += descriptors

    def fork(self, directory: str, *, is_whole: bool = False) -> Forked:
        """Make a process that works in this directory, which need not exist; `is_whole`: `clear` left nothing in it."""
        ours, theirs = socket.socketpair()
        out_read, out_write = os.pipe2(os.O_CLOEXEC)
        err_read, err_write = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (*self._kept_back, out_read, err_read):
                os.close(descriptor)
            ours.close()
            self._be_session(theirs, directory, (out_write, err_write), is_whole=is_whole)
        theirs.close()
        os.close(out_write)
        os.close(err_write)
        return Forked(pid=pid, connection=ours, stdout=out_read, stderr=err_read)

    def refresh(self, directory: str) -> None:
        """Make a working directory equal to the project's files, and its temporary directory empty."""
        self._files.refresh(directory + "/project")
        empty_directory(directory + "/tmp")  # noqa: S108 - inside the session's own directory

    def clear(self, directory: str) -> Left:
        """Remove what a session left in its working directory, if it is little; much stays for others to remove.

        Only where a wall keeps all others out does it stay as it is found here.
        """
        try:
            entries = os.listdir(directory)  # noqa: PTH208 - a hot path: no Path objects
            if not _OWN_ENTRIES.issuperset(entries) or not clear_directory(directory + "/tmp"):  # noqa: S108 - as above
                return Left.MUCH
            left = self._files.clear(directory + "/project")
        except OSError:
            return Left.MUCH
        return Left.GAPS if left is Left.NOTHING and not self._cells.is_private else left

    def _be_session(
        self,
        session_socket: socket.socket,
        directory: str,
        outputs: tuple[int, int],
        *,
        is_whole: bool,
    ) -> NoReturn:
        """The life of a session process; never returns to the zygote's loop."""
        status = SETUP_FAILED_STATUS
        try:
            os.setsid()
            die_with_parent()
            adopt_orphans()
            _redirect_output(*outputs)
            project_dir = self._enter_directory(directory, is_whole=is_whole)
            _limit_resources(self._config)
            status = 1
            self._serve(
                session_socket,
                project_dir=project_dir,
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

    def _enter_directory(self, directory: str, *, is_whole: bool) -> str:
        """Put the directory in order and wall this process in with it; where the project's files are from now on."""
        if not os.path.isdir(directory):  # noqa: PTH112 - a hot path: no Path objects
            os.mkdir(directory, 0o700)  # noqa: PTH102 - as above
        if not is_whole:
            self.refresh(directory)
        # Those who could reach it are walled in themselves; one that the zygote could not look through could hide children.
        forbid_tracing(forbid=False)
        project_dir, temporary = self._cells.enter(directory)
        os.environ["HOME"] = os.environ["TMPDIR"] = temporary  # noqa: TID251 - set, not read
        os.chdir(project_dir)
        return project_dir


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
        try:  # noqa: SIM105 - a hot path
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass


def _print_traceback() -> None:
    import traceback  # noqa: PLC0415 - only when a process dies

    with contextlib.suppress(OSError, ValueError):
        traceback.print_exc()
