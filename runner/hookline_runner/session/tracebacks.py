"""An exception as its author should see it: the project's own frames, by their names in the project."""

from __future__ import annotations

import traceback
from typing import Final

_MAX_CHARACTERS: Final = 64 * 1024


def describe(exc: BaseException, project_dir: str) -> dict[str, str]:
    """Type, message and traceback, for the `error` of a DONE frame."""
    kind = type(exc)
    name = (
        kind.__qualname__
        if kind.__module__ in {"builtins", "hookline.errors"}
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    try:
        message = str(exc)
    except Exception:  # noqa: BLE001 - the exception's own code
        message = "(its message cannot be had)"
    return {
        "type": name,
        "message": _bounded(message),
        "traceback": _bounded(render(exc, project_dir)),
        "code": str(getattr(kind, "code", "")) if kind.__module__ == "hookline.errors" else "",
    }


def render(exc: BaseException, project_dir: str) -> str:
    """The traceback as text, with causes; frames outside the project are left out."""
    try:
        shown = traceback.TracebackException.from_exception(exc, compact=True)
        _trim(shown, project_dir.rstrip("/") + "/", set())
        return "".join(shown.format())
    except Exception:  # noqa: BLE001 - the exception's own code
        return f"{type(exc).__name__}: (its traceback cannot be had)\n"


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
