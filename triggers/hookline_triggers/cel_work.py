"""How much work a filter is on an event, before it is done: the engine cannot be interrupted.

A unit is about what the engine takes for one item of a list, a microsecond or two. It is an upper bound, and a rough one: what
is below `INLINE` is done at once in some milliseconds, and what is above it where it can be ended.
"""

from __future__ import annotations

import marshal
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, cast

from hookline_triggers.cel_hoist import Hoisting
from hookline_triggers.cel_patterns import CHEAP, units_of_pattern, written_patterns
from hookline_triggers.cel_scan import Token

INLINE: Final = 10_000
ENDLESS: Final = 1 << 40
_BYTES_PER_UNIT: Final = 16
_TOKENS_PER_STEP: Final = 8
_PATTERN_PER_ITEM: Final = 32  # what a pattern costs a piece of text, beside being compiled
_SHORT: Final = 100  # characters of a text that costs nothing to copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What the text of a filter says about its work.

    `steps` grows with its length. `paths` are looked up once, under `names`. `loops_over_all` says that a loop names what may be as
    large as all of the data, `has_pairs` that a function compares each item with each, and `is_unknown` that a pattern comes from the data. `patterns` are the units that it takes
    to compile each of those that are written out once; a loop over something in the filter itself goes round `written` times at most.
    """

    steps: int = 0
    paths: tuple[tuple[str, ...], ...] = ()
    names: tuple[str, ...] = ()
    has_loops: bool = False
    loops_over_all: bool = False
    has_pairs: bool = False
    is_unknown: bool = False
    patterns: int = 0
    written: int = 0

    @property
    def is_plain(self) -> bool:
        """True if the work grows with the data at most, and so is little on what is not large."""
        return not (self.has_loops or self.has_pairs or self.is_unknown or self.patterns > CHEAP)

    def lifted(self, data: Mapping[str, object]) -> dict[str, object] | None:
        """The values of the paths by name; None if one is not there."""
        found: dict[str, object] = {}
        for name, path in zip(self.names, self.paths, strict=True):
            value: Any = data  # Any: JSON of any shape
            for key in path:
                if not isinstance(value, dict) or key not in value:
                    return None
                value = cast("dict[str, Any]", value)[key]
            found[name] = value
        return found

    def work(self, needed: Mapping[str, object]) -> int:
        """About how many units the filter takes on these data, which are what it looks at."""
        size = _units(needed)
        work = size
        if self.is_unknown:
            return ENDLESS
        if self.has_pairs:
            work += size * size
        if self.has_loops:
            lifted = self.lifted(needed)
            is_over_all = self.loops_over_all or lifted is None
            large = (
                size if is_over_all else sum(_units_to_copy(one) for one in (lifted or {}).values())
            )
            if large:
                work += large * _longest(needed, size)
        return self.steps * work + self._work_of_patterns(needed, size)

    def _work_of_patterns(self, needed: Mapping[str, object], size: int) -> int:
        if not self.patterns:
            return 0
        turns = 1
        if self.has_loops:
            turns = self.written + (size if self.loops_over_all else _longest(needed, size))
        return self.patterns * turns + self.patterns * size // _PATTERN_PER_ITEM


NOTHING: Final = Weight()


def weigh(tokens: list[Token], hoisting: Hoisting, functions: Collection[str]) -> Weight:
    """What the text says; `functions` are those that it calls."""
    return Weight(
        steps=1 + len(tokens) // _TOKENS_PER_STEP,
        paths=hoisting.paths,
        names=tuple(hoisting.name_of(number) for number in range(len(hoisting.paths))),
        has_loops=hoisting.has_loops,
        loops_over_all=hoisting.names_data or hoisting.is_nested,
        has_pairs=any(name.startswith(("sets.", "lists.")) for name in functions),
        is_unknown=_has_pattern_of_data(tokens),
        patterns=sum(map(units_of_pattern, written_patterns(tokens))),
        written=sum(token.text == "," for token in tokens) + 1,
    )


def _has_pattern_of_data(tokens: list[Token]) -> bool:
    """Whether `matches` is called with anything but a text written out."""
    calls = sum(
        token.text == "matches" and following.text == "(" for token, following in pairwise(tokens)
    )
    return calls > sum(1 for _ in written_patterns(tokens))


def _units(value: object) -> int:
    try:
        return (
            1 + len(marshal.dumps(cast("Any", value))) // _BYTES_PER_UNIT
        )  # the cheapest look there is
    except ValueError:  # too deep: the engine is not asked
        return 1


def _units_to_copy(value: Any) -> int:  # Any: as above
    """0 for what costs next to nothing."""
    if isinstance(value, str | bytes):
        return 0 if len(value) <= _SHORT else _units(value)
    return _units(cast("Any", value)) if isinstance(value, list | dict) else 0


def _longest(value: object, most: int) -> int:
    """The length of the longest list or map, looked for among so many items at most; then that number."""
    longest = 1
    left = most
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            items = list(cast("dict[str, object]", one).values())
        elif isinstance(one, list):
            items = cast("list[object]", one)
        else:
            continue
        longest = max(longest, len(items))
        left -= len(items)
        if left < 0:
            return most
        waiting += items
    return longest
