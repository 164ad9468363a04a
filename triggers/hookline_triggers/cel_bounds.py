"""How much work a filter may be: refused is what could hold up the service, or fill its memory, on some event.

The engine cannot be interrupted, and has no limits of its own. So the text decides: loops lie within each other only along the data
(a list of an item of a list), and nothing is doubled again and again. Read from tokens, as `cel_scan` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hookline_triggers.cel_scan import Token

LOOPS: Final = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})
"""The macros whose body is done for each item."""
_MOST_NESTED: Final = 3
_MOST_GROWTH: Final = 100
_MOST_SUMS_IN_LOOP: Final = 2
_SHORT: Final = 100  # characters of a text that may be added again and again


@dataclass(frozen=True, slots=True)
class Excess:
    """What is too much, and the token where it is."""

    problem: str
    token: Token


@dataclass(frozen=True, slots=True)
class Body:
    """What is between the parentheses of a macro: `range_` are the tokens it goes over, `bind` has none."""

    name: str
    token: Token
    first: int
    last: int
    variable: str
    range_: tuple[str, ...] | None  # None: no plain path


def find_excess(tokens: list[Token]) -> Excess | None:
    """The first thing in a filter that may be too much work; None when it is bounded."""
    bodies = find_bodies(tokens)
    sums = [index for index in range(len(tokens)) if _is_growing_sum(tokens, index)]
    growth = 1 + sum(not _around(bodies, index) for index in sums)
    for body in bodies:
        excess = _excess_of_loop(bodies, body, sums)
        if excess is not None:
            return excess
        if body.name in {"map", "bind"}:
            inside = sum(body.first <= index <= body.last for index in sums)
            growth *= 1 + inside + _count_elements(tokens, body)
    if growth > _MOST_GROWTH:
        token = bodies[-1].token if bodies else tokens[sums[-1]]
        return Excess("too much is put together here: values could grow without limit", token)
    return None


def _excess_of_loop(bodies: list[Body], body: Body, sums: list[int]) -> Excess | None:
    if body.name not in LOOPS:
        return None
    most = 0 if body.name == "map" else _MOST_SUMS_IN_LOOP
    if sum(body.first <= index <= body.last for index in sums) > most:
        return Excess(f"`+` of values within {body.name}() may be too much work", body.token)
    outer = [each for each in _around(bodies, body.first - 1) if each.name in LOOPS]
    if not outer:
        return None
    is_along = body.range_ is not None and body.range_[0] == outer[-1].variable
    if len(outer) >= _MOST_NESTED or not is_along or any(each.range_ is None for each in outer):
        problem = (
            f"{body.name}() within {outer[-1].name}() may only go over a list in {outer[-1].variable}, "
            f"and loops may be nested at most {_MOST_NESTED} deep: anything else may be too much work"
        )
        return Excess(problem, body.token)
    return None


def _around(bodies: list[Body], index: int) -> list[Body]:
    """The macros in whose parentheses the token is, from the outside in."""
    return [body for body in bodies if body.first <= index <= body.last]


def find_bodies(tokens: list[Token]) -> list[Body]:
    """The bodies of macros, in the order in which they begin."""
    closing = _closing_signs(tokens)
    bodies: list[Body] = []
    for index, token in enumerate(tokens):
        is_bind = token.text == "bind"
        if not (is_bind or token.text in LOOPS) or token.kind != "name":
            continue
        if not (_is(tokens, index - 1, ".") and _is(tokens, index + 1, "(")):
            continue
        variable = tokens[index + 2].text if index + 2 < len(tokens) else ""
        range_ = None if is_bind else _path_before(tokens, index - 1)
        last = closing.get(index + 1, len(tokens))
        bodies.append(Body(token.text, token, index + 2, last, variable, range_))
    return bodies


def _closing_signs(tokens: list[Token]) -> dict[int, int]:
    """The index of the sign that closes what each opening sign opens."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind == "sign" and token.text in "([{":
            opened.append(index)
        elif token.kind == "sign" and token.text in ")]}" and opened:
            closing[opened.pop()] = index
    return closing


def _path_before(tokens: list[Token], index: int) -> tuple[str, ...] | None:
    """The plain path before a dot (`data.a["b"]`), from its first name; None when it is anything else."""
    path: list[str] = []
    while True:
        if _is(tokens, index - 1, "]") and _is(tokens, index - 3, "["):
            path.append(tokens[index - 2].text)
            index -= 3
            continue
        if index < 1 or tokens[index - 1].kind != "name":
            return None
        path.append(tokens[index - 1].text)
        if not _is(tokens, index - 2, "."):
            return tuple(reversed(path))
        index -= 2


def _is_growing_sum(tokens: list[Token], index: int) -> bool:
    """Whether it is a `+` whose right side is no number and no short text."""
    if not _is(tokens, index, "+") or index + 1 >= len(tokens):
        return False
    right = tokens[index + 1]
    is_short = right.kind == "number" or (right.kind == "string" and len(right.text) <= _SHORT)
    return not is_short or _is(tokens, index + 2, ".")


def _count_elements(tokens: list[Token], body: Body) -> int:
    """The elements of lists and maps written inside, at most: those of constants as well."""
    depth = 0
    count = 0
    for index in range(body.first, min(body.last, len(tokens))):
        token = tokens[index]
        if token.kind != "sign":
            continue
        is_literal = token.text == "{" or (token.text == "[" and not _is_index(tokens, index))
        if is_literal or (depth and token.text in "([{"):
            depth += 1
            count += is_literal
        elif depth and token.text in ")]}":
            depth -= 1
        count += depth > 0 and token.text == ","
    return count


def _is_index(tokens: list[Token], index: int) -> bool:
    left = tokens[index - 1] if index else None
    return left is not None and (left.kind in {"name", "string"} or left.text in ")]}")


def _is(tokens: list[Token], index: int, sign: str) -> bool:
    return 0 <= index < len(tokens) and tokens[index].kind == "sign" and tokens[index].text == sign
