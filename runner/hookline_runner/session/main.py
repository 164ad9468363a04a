"""Where a session's process begins: serve one attempt, or one after the other."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from typing import Final

from hookline_runner.compiled import open_cache
from hookline_runner.frames import FrameType
from hookline_runner.session.attempt import Attempt, Makers, Start
from hookline_runner.session.autokitteh import watch_imports
from hookline_runner.session.branches import INSIDE, current
from hookline_runner.session.capture import release_outlets
from hookline_runner.session.link import Link
from hookline_runner.session.loader import ModuleSet, ProjectFinder
from hookline_runner.session.output import Waker
from hookline_runner.session.residue import (
    Baseline,
    bare_environment,
    change_environment,
    count_exit_functions,
    run_exit_functions,
)
from hookline_runner.session.stack_taking import StackTaker
from hookline_runner.session.stopping import StopSwitch

_CHILD_STATUS: Final = 0


def serve(
    sock: socket.socket,
    *,
    project_dir: str,
    code_dir: str,
    reuse: bool,
    makers: Makers = Makers(),  # noqa: B008 - it is frozen
) -> None:
    """Run the attempts that come over the socket; returns when the process has served.

    Args:
        sock: The session's end of a stream socket; blocking.
        project_dir: The private working copy of the project's files; becomes the working directory. No part of it
            is a link.
        code_dir: Where the compiled modules are; see `compiled`.
        reuse: Go on to another attempt when the last one left the process as it found it.
        makers: What attempts are made of.
    """
    sock.setblocking(True)
    os.chdir(project_dir)
    process = _SessionProcess(Link(sock), project_dir, code_dir, makers, reuse=reuse)
    while process.serve_one():
        pass


class _SessionProcess:
    """What outlives an attempt in a process."""

    def __init__(
        self, link: Link, project_dir: str, code_dir: str, makers: Makers, *, reuse: bool
    ) -> None:
        self._link = link
        self._makers = makers
        self._project_dir = project_dir
        self._finder = ProjectFinder(project_dir, open_cache(code_dir), rewritten=True)
        self._modules = ModuleSet(project_dir, self._finder)
        self._stop = StopSwitch(link.read_available, link.interrupt)
        self._waker = Waker()
        self._pid = os.getpid()
        present = dict(os.environ)
        self._environment = bare_environment(present, project_dir)
        change_environment(present, self._environment)
        watch_imports()
        self._exit_functions = count_exit_functions()
        self._baseline = Baseline() if reuse else None
        self._has_ended = False
        self._masks = threading.local()  # of signals, before a fork
        self._stop.shield(_SessionProcess._hold, _SessionProcess._go_on, _SessionProcess._let_go)
        self._stop.shield(StackTaker.answer)
        StackTaker(link, project_dir).install()
        os.register_at_fork(
            before=self._hold, after_in_parent=self._go_on, after_in_child=self._let_go
        )

    def serve_one(self) -> bool:
        """Serve one attempt; true if another may follow."""
        start = self._receive_start()
        if start is None:  # so nothing runs that could use the link
            self._has_ended = True
            self._link.close()
            return False
        self._link.begin_attempt(self._stop.note_reason)
        self._stop.reset()
        attempt = Attempt(
            start, self._link, self._project_dir, self._stop, self._waker, self._makers
        )
        if not attempt.receive_journal():
            return False
        variables: dict[str, str] = start.header.get("variables") or {}
        environment = {**self._environment, **variables}
        change_environment(self._environment, environment)
        self._finder.use(rewritten=start.is_durable)
        self._modules.install()
        attempt.install()
        self._stop.install()
        ending = attempt.run()
        signal.signal(signal.SIGTERM, signal.SIG_DFL if self._baseline else signal.SIG_IGN)
        self._leave_if_child()
        dirty = self._find_residue(environment)
        attempt.finish(ending, dirty)
        attempt.uninstall()
        if self._baseline is None or dirty is not None:
            return False
        self._modules.uninstall()
        self._baseline.restore()
        return True

    def _find_residue(self, environment: dict[str, str]) -> str | None:
        """Why the process cannot serve another session; functions registered for its exit are called."""
        dirty = None
        if self._baseline is not None:
            dirty = self._baseline.find_residue(environment, self._waker.thread_count)
        if count_exit_functions() != self._exit_functions:
            run_exit_functions()
            dirty = dirty or "functions were registered for the exit of the process"
        return dirty if self._baseline is not None else None

    def _receive_start(self) -> Start | None:
        while True:
            frame = self._link.receive()
            if frame is None:
                return None
            if frame.type is FrameType.START:
                return Start(json.loads(frame.header), frame.payload)

    def _hold(self) -> None:
        """Before a fork: a child that is told to end before it is rid of our handler would forget it."""
        self._masks.former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _go_on(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.former)

    def _let_go(self) -> None:
        """In a child that the session's code forked: it is no part of the session any more."""
        try:
            if not self._has_ended:
                self._has_ended = (
                    True  # for its own children: the descriptors may be others' by then
                )
                self._link.close()
                release_outlets()
                current.set(INSIDE)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
        finally:
            self._go_on()

    def _leave_if_child(self) -> None:
        if os.getpid() != self._pid:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stdout.flush()
            os._exit(_CHILD_STATUS)
