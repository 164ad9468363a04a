"""Patterns of `matches` that are written out in a filter: the engine compiles them anew at each call, which may take long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hookline_triggers.cel_engine import compile_program, run_program
from hookline_triggers.cel_scan import Token

CHEAP: Final = 3_000
"""Units of `cel_work` up to which a pattern may be compiled without a thought: some milliseconds."""

_MOST: Final = 80_000  # the engine gives up a pattern that has become too large, after that long
_CALL: Final = 15
_CLASS: Final = 200  # of all of Unicode, such as \w
_COUNT: Final = re.compile(r"\{(\d{0,6})(?:,(\d{0,6}))?\}")


def written_patterns(tokens: list[Token]) -> Iterator[Token]:
    """The texts that `matches` is called with, where they are written out."""
    for index, token in enumerate(tokens):
        if token.text == "matches" and index + 3 < len(tokens) and tokens[index + 1].text == "(":
            pattern, after = tokens[index + 2 : index + 4]
            if pattern.kind == "string" and after.text == ")":
                yield pattern


def units_of_pattern(pattern: Token) -> int:
    """About how many units of `cel_work` it takes to compile the pattern, at most; what is repeated counts as often."""
    text = pattern.text
    if text[:1].lower() != "r":
        text = text.replace("\\\\", "\\")
    units = _CALL + len(text) + _CLASS * text.count("\\")
    for least, most in _COUNT.findall(text):
        units *= max(1, int(least or 1), int(most or 1))
        if units >= _MOST:
            return _MOST
    return units


def find_bad_pattern(tokens: list[Token]) -> Token | None:
    """The first pattern that the engine cannot read, of those that are soon tried."""
    left = CHEAP
    for pattern in written_patterns(tokens):
        left -= units_of_pattern(pattern)
        if left < 0:
            return None
        try:
            run_program(compile_program(f'"".matches({pattern.text})'), {}, {})
        except (RuntimeError, ValueError):
            return pattern
    return None
