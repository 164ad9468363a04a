"""Where a coroutine waits: the frames of what awaits each other."""

from __future__ import annotations

import gc
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any, Final

_LONGEST_CHAIN: Final = 10_000
_KINDS: Final = (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await"))
_WITH_FRAMES: Final = (CoroutineType, GeneratorType, AsyncGeneratorType)


def frames_of(coroutine: object) -> list[FrameType]:
    """The frames of a coroutine and of what it awaits, the innermost last; empty if it has not begun or is over."""
    frames: list[FrameType] = []
    at: Any = coroutine  # of any kind that can be awaited
    for _ in range(_LONGEST_CHAIN):
        kind, awaited = next((each for each in _KINDS if hasattr(at, each[1])), ("", ""))
        if kind:
            frame: FrameType | None = getattr(at, f"{kind}_frame", None)
            if frame is not None and _has_begun(at, kind):
                frames.append(frame)
            at = getattr(at, awaited)
        else:  # a wrapper that does not say of what: a step of an asynchronous generator, say
            at = _wrapped(at)
        if at is None:
            break
    return frames


def _wrapped(at: Any) -> Any:
    referents: list[Any] = gc.get_referents(at)
    return next((each for each in referents if type(each) in _WITH_FRAMES), None)


def _has_begun(
    at: Any, kind: str
) -> bool:  # Any: coroutines of compiled code have these attributes, too
    if kind == "ag":
        return True
    return bool(getattr(at, f"{kind}_suspended", True) or getattr(at, f"{kind}_running", False))
