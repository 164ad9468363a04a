"""A service of the command's own, which lives as long as the command."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO

from hookline import json_text
from hookline_cli.client import Service, error_of
from hookline_cli.failures import LocalServiceError
from hookline_cli.json_values import as_object, object_of
from hookline_cli.settings import temporary_service_environment
from hookline_cli.target import DEFAULT_HOME, find_target
from hookline_service.use_cases.private_files import ensure_home

_END_S = 20.0
_KEPT_LOG_LINES = 20
# Directories of a runner's home that are the same for every service, by content.
_SHARED = ("environments", "uv-cache")


@contextlib.contextmanager
def temporary_service(base: str | None) -> Generator[Service]:
    """A service on a temporary home and a free port of loopback, gone at the end with everything it wrote.

    Args:
        base: a home (by default the usual one) in whose `local` directory installed packages are kept, so that the next
            run finds them.

    Raises:
        LocalServiceError, AnswerError: it cannot start.
        HomeUnusableError: see `local_directory`.
    """
    shared = local_directory(base)
    home = Path(tempfile.mkdtemp(prefix="hookline-local-"))
    try:
        share_packages(home / "runner", shared)
        settings = {"home": str(home), "host": "127.0.0.1", "port": "0", "log_level": "warning"}
        environment = temporary_service_environment()
        with _running(settings, home / "service.log", environment, is_temporary=True):
            target = find_target(home=str(home), url=None, token=None)
            with Service(target) as service:
                yield service
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def own_service(home: Path, settings: Mapping[str, str]) -> Generator[str]:
    """A service on this home as `hookline up` starts it, stopped at the end; its URL.

    Its log is kept in `service.log` of the home.

    Raises:
        LocalServiceError, AnswerError, HomeUnusableError: it cannot start.
    """
    ensure_home(home)
    given = {"home": str(home), "log_level": "warning", **settings}
    with _running(given, home / "service.log", None, is_temporary=False) as url:
        yield url


def local_directory(base: str | None) -> Path:
    """Where what local runs have in common is kept: `local` in the home, which is made if there is none.

    Raises:
        HomeUnusableError: the home cannot be made.
    """
    home = Path(base or DEFAULT_HOME).expanduser().absolute()
    ensure_home(home)
    return home / "local"


def share_packages(runner_home: Path, shared: Path) -> None:
    """Have a runner's home use the environments in `shared`; where that cannot be written, it makes its own."""
    with contextlib.suppress(OSError):
        runner_home.mkdir(parents=True, exist_ok=True)
        for name in _SHARED:
            (shared / name).mkdir(parents=True, exist_ok=True)
            (runner_home / name).symlink_to(shared / name, target_is_directory=True)


@contextlib.contextmanager
def _running(
    settings: Mapping[str, str],
    log: Path,
    environment: Mapping[str, str] | None,
    *,
    is_temporary: bool,
) -> Generator[str]:
    config = json_text.write({"settings": settings, "is_temporary": is_temporary})
    with log.open("ab") as log_file:
        process = subprocess.Popen(
            [sys.executable, "-m", "hookline_cli.service_child", config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            env=environment,
            start_new_session=True,  # an interrupt at the terminal is for the command alone
        )
    try:
        yield _read_url(process, log)
    finally:
        _end(process)


def _read_url(process: subprocess.Popen[bytes], log: Path) -> str:
    """What the service says once it is up. Raises as `_running`."""
    line = _pipe(process.stdout).readline()
    try:
        told = as_object(line)
    except ValueError as exc:
        lines = log.read_text("utf-8", "replace").splitlines()[-_KEPT_LOG_LINES:]
        raise LocalServiceError("\n".join(lines)) from exc
    failure = object_of(told.get("error"))
    if failure is not None:
        raise error_of(failure)
    return str(told["url"])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the service end, which it does when its stdin is closed; kill it if it takes too long."""
    with contextlib.suppress(OSError):
        _pipe(process.stdin).close()
    try:
        process.wait(_END_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()
    finally:
        _pipe(process.stdout).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise LocalServiceError("it was started without a pipe")
    return stream
