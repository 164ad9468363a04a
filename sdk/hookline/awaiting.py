"""Whether a waiting function of `hookline` is awaited where it is called: then it waits as its namesake in `hookline.aio` does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from opcode import opmap
from types import FrameType
from typing import Any, Final, cast

AIO_MARK: Final = "__hookline_aio__"
"""Attribute of a waiting function of `hookline`: the coroutine function of `hookline.aio` that does the same."""

_AWAIT: Final = opmap["GET_AWAITABLE"]
_CACHE: Final = 0  # what follows an instruction that the interpreter makes faster
_INSTRUCTION_BYTES: Final = 2
_frame: Final = cast("Callable[[int], FrameType]", vars(sys)["_getframe"])


def awaited_form(function: Callable[..., object]) -> Callable[..., Any] | None:
    """The coroutine function to be called instead, when what calls `function` does so as `await function(…)`.

    To be asked by `function` itself. None where no event loop of asyncio runs, and for every other form of call.
    """
    if not _is_awaited(_frame(2)) or not _is_in_loop():
        return None
    return cast("Callable[..., Any] | None", getattr(function, AIO_MARK, None))


def _is_awaited(caller: FrameType) -> bool:
    """Whether the result of the call that this frame makes just now is awaited next, with nothing done to it before."""
    code = caller.f_code.co_code
    after = caller.f_lasti + _INSTRUCTION_BYTES
    while after < len(code) and code[after] == _CACHE:
        after += _INSTRUCTION_BYTES
    return after < len(code) and code[after] == _AWAIT


def _is_in_loop() -> bool:
    asyncio = sys.modules.get("asyncio")  # not imported here: it takes a tenth of a second
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001 - the quiet way to ask
