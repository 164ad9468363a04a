"""What a loop of a filter need not look up in each turn: paths into `data` become variables of their own.

The engine copies a variable whenever it is named. `data.items.exists(i, i.id == data.one)` would copy the whole event for each item, and
so take time in the square of its size. Read from tokens, as `cel_scan` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hookline_triggers.cel_bounds import LOOPS, Body, find_bodies
from hookline_triggers.cel_scan import Token, find_free_names, path_with_end

PREFIX: Final = "hookline_lifted_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hoisting:
    """The tokens with names in the place of paths, and the path that each name stands for.

    `has_loops` says whether anything is done once for each item. Of loops, `names_data` says whether one still names `data` itself,
    and `is_nested` whether one lies in another.
    """

    tokens: tuple[Token, ...]
    paths: tuple[tuple[str, ...], ...]
    has_loops: bool
    names_data: bool
    is_nested: bool

    def name_of(self, number: int) -> str:
        """The variable of the path of this number."""
        return f"{PREFIX}{number}"


def hoist(tokens: list[Token]) -> Hoisting:
    """Take the paths into `data` out of loops."""
    loops = [body for body in find_bodies(tokens) if body.name in LOOPS]
    numbers: dict[tuple[str, ...], int] = {}
    lifted: list[Token] = []
    names_data = False
    free = find_free_names(tokens)
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.text != "data" or index not in free or not _is_in(loops, index):
            lifted.append(token)
            index += 1
            continue
        path, end = path_with_end(tokens, index)
        if not path or _is_asked_for(tokens, index):
            names_data = True
            lifted.append(token)
            index += 1
            continue
        number = numbers.setdefault(path, len(numbers))
        lifted.append(Token("name", f"{PREFIX}{number}", token.start))
        index = end
    return Hoisting(
        tokens=tuple(lifted),
        paths=tuple(numbers),
        has_loops=bool(loops),
        names_data=names_data,
        is_nested=any(_is_in(loops, body.first - 1) for body in loops),
    )


def _is_in(loops: list[Body], index: int) -> bool:
    return any(body.first <= index <= body.last for body in loops)


def _is_asked_for(tokens: list[Token], index: int) -> bool:
    """Whether it is the argument of `has`, which takes a path and no variable."""
    return index > 1 and tokens[index - 1].text == "(" and tokens[index - 2].text == "has"
