"""The door to the CEL engine, which is loaded with the first filter: its package brings a whole command line along."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from cel import Program


def compile_program(text: str) -> Program:
    """The program of an expression; raises ValueError with the engine's message."""
    return _engine().compile(text)


def run_program(
    program: Program,
    variables: Mapping[str, object],
    functions: Mapping[str, Callable[..., object]],
) -> object:
    """What the program gives for these variables; raises what the engine raises."""
    context = _engine().Context(dict(variables), dict(functions) or None)
    return program.execute(context)


def list_extensions() -> dict[str, dict[str, Callable[..., object]]]:
    """The engine's own libraries: their functions by name."""
    _engine()
    from cel.stdlib import EXTENSIONS  # noqa: PLC0415 - see the head of this module

    return cast("dict[str, dict[str, Callable[..., object]]]", EXTENSIONS)  # typed loosely there


@cache
def _engine() -> Any:  # Any: a module
    import cel  # noqa: PLC0415 - see the head of this module

    # The engine logs the arguments of a function that failed; these are payload.
    logging.getLogger("cel").setLevel(logging.CRITICAL + 1)
    return cel
