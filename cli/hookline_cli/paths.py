"""Paths on the command line: what lies there is looked at before it is used, and what cannot be used is named."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

import click

from hookline_cli.failures import FileUnusableError

_MOST_BYTES = 1024 * 1024 * 1024
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_OWN_STREAMS = ("/dev/", "/proc/")  # /dev/stdin, and what a shell makes of <(command)


class GivenDirectory(click.ParamType[Path]):
    """A directory that is there and may be looked into.

    Args:
        hint: What to do when nothing is there; `{path}` stands for what was given.
    """

    name = "directory"

    def __init__(self, hint: str = "") -> None:
        self._hint = hint

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """See `click.ParamType.convert`."""
        path = Path(value)
        problem = problem_of_directory(path)
        if problem is not None:
            hint = self._hint if _is_missing(path) else ""
            self.fail(f"{path}: {problem}{hint.format(path=shlex.quote(str(path)))}", param, ctx)
        return path


class GivenFile(click.ParamType[Path]):
    """A file that is there and may be read, or a stream that a shell has made."""

    name = "file"

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """See `click.ParamType.convert`."""
        path = Path(value)
        problem = problem_of_file(path)
        if problem is not None:
            self.fail(f"{path}: {problem}", param, ctx)
        return path


class DirectoryToMake(click.ParamType[Path]):
    """A directory that is there, or can be made where nothing is."""

    name = "directory"

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """See `click.ParamType.convert`."""
        path = Path(value)
        for place in (path, *path.parents):
            try:
                mode = place.stat().st_mode
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as exc:
                self.fail(f"{path}: {_reason(exc)}", param, ctx)
            if not stat.S_ISDIR(mode):
                self.fail(f"{place}: is {kind_of(mode)}; give a directory", param, ctx)
            break
        return path


def problem_of_directory(path: Path) -> str | None:
    """Why this is no directory that can be used, with what would be one; None if it is."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as exc:
        return _reason(exc)
    if not stat.S_ISDIR(mode):
        return f"is {kind_of(mode)}; give a directory"
    return None if os.access(path, os.R_OK | os.X_OK) else "this account is not allowed to read it"


def problem_of_file(path: Path) -> str | None:
    """Why nothing can be read from this, with what could be; None if it can.

    A named pipe, whose writer may never come, and a device, which may never end, are none.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as exc:
        return _reason(exc)
    is_stream = stat.S_ISFIFO(mode) and path.is_absolute() and str(path).startswith(_OWN_STREAMS)
    is_quiet = stat.S_ISCHR(mode) and (path.samefile(os.devnull) or _is_terminal(path))
    if not stat.S_ISREG(mode) and not is_stream and not is_quiet:
        return f"is {kind_of(mode)}; give a file"
    return None if os.access(path, os.R_OK) else "this account is not allowed to read it"


def kind_of(mode: int) -> str:
    """What a file of this mode is, in words, as "a socket"."""
    return next((name for is_one, name in _KINDS if is_one(mode)), "a file")


def read_file(path: Path) -> bytes:
    """What is in the file.

    Raises:
        FileUnusableError: it cannot be read, is no file, or has more than a command line could carry.
    """
    problem = problem_of_file(path)
    if problem is not None:
        raise FileUnusableError(path, problem)
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as exc:
        raise FileUnusableError(path, exc.strerror or "cannot be read") from exc
    if len(content) > _MOST_BYTES:
        raise FileUnusableError(path, "has more than 1 GiB")
    return content


def resolved(path: Path) -> Path:
    """The path without links.

    Raises:
        FileUnusableError: its links lead in a circle, or it is longer than paths may be.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as exc:
        raise FileUnusableError(path, _reason(exc)) from exc


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except (OSError, RuntimeError, ValueError):
        pass
    return False


def _is_terminal(path: Path) -> bool:
    return str(path) == "/dev/stdin" and os.isatty(0)


def _reason(error: Exception) -> str:
    if isinstance(error, RuntimeError):  # what pathlib makes of ELOOP
        return "its symbolic links lead in a circle"
    if isinstance(error, FileNotFoundError):
        return "no such file or directory"
    strerror = error.strerror if isinstance(error, OSError) else None
    return (strerror or "cannot be a path").lower()
