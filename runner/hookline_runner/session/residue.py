"""What a session leaves behind in its process, and the process as it was before."""

from __future__ import annotations

import atexit
import contextlib
import gc
import locale
import logging
import os
import random
import resource
import signal
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hookline.activities import no_activity, restore_no_activity
from hookline_runner.cells import PROJECT_PLACE, SHARED_MEMORY_PLACE

_KEPT_VARIABLES: Final = frozenset(
    {"PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)
_SIGNALS: Final = tuple(
    number
    for number in signal.Signals
    if number not in {signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM}
)
_OWN_FINDERS: Final = "hookline_runner.session.loader"
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS: Final = (
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NPROC,
    resource.RLIMIT_STACK,
    resource.RLIMIT_AS,
    resource.RLIMIT_CPU,
)


def bare_environment(present: Mapping[str, str], home: str) -> dict[str, str]:
    """What a session sees of the process's own environment, `present`: only what programs cannot do without.

    `HOME` is the session's directory for temporary files, or `home` where it has none.
    """
    kept = {
        name: value
        for name, value in present.items()
        if name in _KEPT_VARIABLES or name.startswith("LC_")
    }
    return {**kept, "HOME": kept.get("TMPDIR", home)}


def change_environment(present: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Make the process's environment, which is `present`, exactly what is wanted."""
    for name in present.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if present.get(name) != value:
            os.environ[name] = value
    if present.get("TZ") != wanted.get("TZ"):
        time.tzset()  # else local times stay those of the zone at the start of the process


@dataclass(slots=True)
class _LoggerState:
    level: int
    handlers: list[logging.Handler]
    propagate: bool
    disabled: bool


class Baseline:
    """The state of a process before a session, to compare with and to go back to."""

    __slots__ = (
        "_argv",
        "_descriptors",
        "_directory",
        "_filters",
        "_handlers",
        "_hooks",
        "_limits",
        "_locale",
        "_loggers",
        "_path",
        "_recursion_limit",
        "_registered",
        "_switch_interval",
        "_umask",
        "environment",
    )

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self._directory = os.getcwd()  # noqa: PTH109 - a hot path: no Path objects
        self._descriptors = _open_descriptors()
        self._handlers = _signal_handlers()
        self._hooks = _hooks()
        self._limits = _limits()
        self._umask = _umask()
        self._locale = locale.setlocale(locale.LC_ALL)
        self._switch_interval = sys.getswitchinterval()
        self._path = list(sys.path)
        self._argv = list(sys.argv)
        self._recursion_limit = sys.getrecursionlimit()
        self._filters = list(warnings.filters)
        self._loggers = _logger_states()
        self._registered = no_activity()

    def find_residue(self, expected_environment: dict[str, str], own_threads: int) -> str | None:
        """Why the process cannot serve another session; None if it can."""
        findings = (
            (_count_threads() > 1 + own_threads, "a thread is still running"),
            (_has_children(), "a child process is still running"),
            (_has_shared_memory(self._directory), "shared memory is still there"),
            (_open_descriptors() != self._descriptors, "a file, socket or pipe is still open"),
            (dict(os.environ) != expected_environment, "environment variables were changed"),
            (_signal_handlers() != self._handlers, "a signal handler was set"),
            (_has_timer(), "a timer of signals is still set"),
            (_hooks() != self._hooks, "a hook of the interpreter was set"),
            (_limits() != self._limits, "a limit or the priority of the process was changed"),
        )
        return next((reason for is_left, reason in findings if is_left), None)

    def restore(self) -> None:
        """Put back what can be put back."""
        change_environment(dict(os.environ), self.environment)
        os.chdir(self._directory)
        os.umask(self._umask)
        sys.path[:] = self._path
        sys.argv[:] = self._argv
        sys.setrecursionlimit(self._recursion_limit)
        sys.setswitchinterval(self._switch_interval)
        gc.enable()
        if locale.setlocale(locale.LC_ALL) != self._locale:
            locale.setlocale(locale.LC_ALL, self._locale)
        if (decimal := sys.modules.get("decimal")) is not None:
            decimal.setcontext(decimal.DefaultContext.copy())
        if warnings.filters != self._filters:
            warnings.filters[:] = self._filters  # pyright: ignore[reportIndexIssue] - a list in fact
        restore_no_activity(self._registered)
        self._restore_loggers()
        random.seed()

    def _restore_loggers(self) -> None:
        for name, logger in logging.Logger.manager.loggerDict.items():
            if isinstance(logger, logging.Logger):
                state = self._loggers.get(name)
                if state is None:
                    state = _LoggerState(logging.NOTSET, [], propagate=True, disabled=False)
                if logger.level != state.level:
                    logger.setLevel(state.level)
                logger.handlers[:] = state.handlers
                logger.propagate = state.propagate
                logger.disabled = state.disabled


def run_exit_functions() -> None:
    """Call what was registered with `atexit`; its output still belongs to the session."""
    vars(atexit)["_run_exitfuncs"]()  # there is no public way


def count_exit_functions() -> int:
    """How many functions wait to be called at exit."""
    return int(vars(atexit)["_ncallbacks"]())  # there is no public way


def _open_descriptors() -> list[str] | None:
    try:
        return os.listdir("/proc/self/fd")  # noqa: PTH208 - a hot path: no Path objects
    except OSError:
        return None


def _count_threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - as above
    except OSError:
        return threading.active_count()


def _has_children() -> bool:
    """Finished ones are collected on the way."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, _status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
    return False


def _has_shared_memory(directory: str) -> bool:
    """Whether something is left in /dev/shm of a session that has one of its own."""
    return directory == PROJECT_PLACE and bool(os.listdir(SHARED_MEMORY_PLACE))  # noqa: PTH208 - a hot path


def _signal_handlers() -> list[Any]:
    return [signal.getsignal(number) for number in _SIGNALS]


def _has_timer() -> bool:
    return any(signal.getitimer(timer)[0] for timer in _TIMERS)


def _hooks() -> list[Any]:
    """What of the interpreter calls other code by itself; finders of this package come and go with a session."""
    return [
        sys.excepthook,
        sys.unraisablehook,
        threading.excepthook,
        sys.gettrace(),
        sys.getprofile(),
        *(finder for finder in sys.meta_path if type(finder).__module__ != _OWN_FINDERS),
        *sys.path_hooks,
    ]


def _limits() -> list[object]:
    return [*map(resource.getrlimit, _LIMITS), os.getpriority(os.PRIO_PROCESS, 0)]


def _umask() -> int:
    present = os.umask(0o077)
    os.umask(present)
    return present


def _logger_states() -> dict[str, _LoggerState]:
    return {
        name: _LoggerState(logger.level, list(logger.handlers), logger.propagate, logger.disabled)
        for name, logger in logging.Logger.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }
