"""An exception as its author should see it: the project's own frames, by their names in the project."""

from __future__ import annotations

import errno
import os
import resource
import traceback
from typing import Final

from hookline_runner.memory_limits import over_limit
from hookline_runner.zygote_messages import SANDBOX_HOSTNAME

_MAX_CHARACTERS: Final = 64 * 1024
_UNREACHABLE: Final = frozenset({errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS})
_SEEN: Final = ("/tmp/", "/proc/", "/dev/")  # noqa: S108 - the session's own
_ONLY_PROJECT: Final = "the code of a session sees its project's files, its own /tmp and the system's programs, and nothing else of this machine"


def describe(exc: BaseException, project_dir: str) -> dict[str, str]:
    """Type, message and traceback, for the `error` of a DONE frame."""
    kind = type(exc)
    note = _note_of(exc, project_dir)
    name = (
        kind.__qualname__
        if kind.__module__ in {"builtins", "hookline.errors"}
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    try:
        message = str(exc)
    except Exception:  # noqa: BLE001 - the exception's own code
        message = "(its message is not available)"
    if isinstance(exc, SystemExit) and isinstance(exc.code, int):
        message = f"the code asked to exit with status {exc.code}"
    if note:
        exc.add_note(note)
        message = f"{message}; {note}" if message else note
    return {
        "type": name,
        "message": _bounded(message),
        "traceback": _bounded(render(exc, project_dir)),
        "code": str(getattr(kind, "code", "")) if kind.__module__ == "hookline.errors" else "",
    }


def killed_by_itself(signal_name: str) -> dict[str, str]:
    """The `error` of a session that got a signal which nobody is known to have sent."""
    message = (
        f"the process got the signal {signal_name} though nobody asked the session to stop: "
        "its own code sent it, or a program that it started"
    )
    return {"type": "ProcessSignalError", "message": message, "traceback": "", "code": ""}


def _note_of(exc: BaseException, project_dir: str) -> str:
    """What its author may not know of the place where the code ran."""
    if isinstance(exc, MemoryError):
        limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
        if limit != resource.RLIM_INFINITY:
            return over_limit(limit)
    if isinstance(exc, OSError) and exc.errno in _UNREACHABLE and _is_contained():
        places = [os.fsdecode(each) for each in (exc.filename, exc.filename2) if _is_path(each)]
        seen = (project_dir.rstrip("/") + "/", *_SEEN)
        if any(os.path.isabs(place) and not place.startswith(seen) for place in places):  # noqa: PTH117 - as the system says it
            return _ONLY_PROJECT
    return ""


def _is_path(value: object) -> bool:
    return isinstance(value, str | bytes)


def _is_contained() -> bool:
    return os.uname().nodename == SANDBOX_HOSTNAME


def render(exc: BaseException, project_dir: str) -> str:
    """The traceback as text, with causes; frames outside the project are left out."""
    try:
        shown = traceback.TracebackException.from_exception(exc, compact=True)
        _trim(shown, project_dir.rstrip("/") + "/", set())
        return "".join(shown.format())
    except Exception:  # noqa: BLE001 - the exception's own code
        return f"{type(exc).__name__}: (its traceback is not available)\n"


def _trim(shown: traceback.TracebackException, prefix: str, seen: set[int]) -> None:
    if id(shown) in seen:
        return
    seen.add(id(shown))
    own = [frame for frame in shown.stack if frame.filename.startswith(prefix)]
    for frame in own:
        frame.filename = frame.filename.removeprefix(prefix)
    shown.stack = traceback.StackSummary.from_list(own)
    filename = getattr(shown, "filename", None)
    if filename:  # of a syntax error
        shown.filename = filename.removeprefix(prefix)
    related = [shown.__cause__, shown.__context__, *(getattr(shown, "exceptions", None) or ())]
    for other in related:
        if other is not None:
            _trim(other, prefix, seen)


def _bounded(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= _MAX_CHARACTERS:
        return text
    half = _MAX_CHARACTERS // 2
    return f"{text[:half]}\n… [cut: {len(text)} characters] …\n{text[-half:]}"
