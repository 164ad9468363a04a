"""Finds in a long text what no CEL expression has, because the engine takes its time over each token of it.

Read from tokens, as `cel_scan` does. What is found is certain; what is not found, the engine finds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from hookline_triggers.cel_scan import Token, iterate_tokens

LONG: Final = 100  # tokens; the engine reads fewer in a millisecond or two
_MOST_DEPTH: Final = 50
_MOST_OPERATORS: Final = 1_000
_MOST_SIGNS_BEFORE_VALUE: Final = 10
_CLOSED_BY: Final = {"(": ")", "[": "]", "{": "}"}
_PAIRS: Final = frozenset({"==", "!=", "<=", ">=", "&&", "||"})
_NO_OPERATORS: Final = frozenset("()[]{},.")
_OPTIONAL_BEFORE: Final = frozenset(".[{,")


@dataclass(frozen=True, slots=True)
class Disorder:
    """Where it begins and ends, counted in characters; the problem, or nothing when the place says it."""

    at: int
    end: int
    problem: str = ""


def find_disorder(text: str) -> Disorder | None:
    """The first thing that a long text cannot have; None when it is short, or may be sound. What follows is not read."""
    tokens = iterate_tokens(text)
    first = list(islice(tokens, LONG + 1))
    return _Walk(text).go(chain(first, tokens)) if len(first) > LONG else None


class _Walk:
    """One way through the tokens."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._opened: list[str] = []
        self._operators = 0
        self._questions = 0
        self._signs = 0  # `!` and `-` one after the other, before a value
        self._last = ""
        self._ends_value = False

    def go(self, tokens: Iterable[Token]) -> Disorder | None:
        for token in tokens:
            found = self._take_sign(token) if token.kind == "sign" else self._take_word(token)
            if found is not None:
                return found
            self._last = token.text
        is_over = self._ends_value and not self._opened and self._questions <= 0
        return None if is_over else Disorder(len(self._text), len(self._text))

    def _take_word(self, token: Token) -> Disorder | None:
        if token.text == "in" and self._last != ".":
            is_lost = not self._ends_value
            self._ends_value = False
        else:
            is_lost = self._ends_value
            self._ends_value = True
        self._signs = 0
        return _disorder(token) if is_lost else None

    def _take_sign(self, token: Token) -> Disorder | None:
        if token.text in _CLOSED_BY:
            return self._open(token)
        if token.text in _CLOSED_BY.values():
            return self._close(token)
        if token.text == "," and not self._opened:
            return _disorder(token)
        return self._operate(token)

    def _open(self, token: Token) -> Disorder | None:
        is_call = token.text == "(" and _is_name(self._last)
        is_index = token.text == "["
        is_message = token.text == "{" and _is_name(self._last)
        if self._ends_value and not (is_call or is_index or is_message):
            return _disorder(token)
        self._opened.append(token.text)
        self._ends_value, self._signs = False, 0
        if len(self._opened) > _MOST_DEPTH:
            problem = f"brackets are nested more than {_MOST_DEPTH} deep"
            return _disorder(token, problem)
        return None

    def _close(self, token: Token) -> Disorder | None:
        if not self._opened or _CLOSED_BY[self._opened.pop()] != token.text:
            return _disorder(token)
        self._ends_value, self._signs = True, 0
        return None

    def _operate(self, token: Token) -> Disorder | None:
        if self._last + token.text in _PAIRS and not self._ends_value:
            return None  # its second half
        is_before = token.text in "!-" and not self._ends_value
        self._signs = self._signs + 1 if is_before else 0
        self._operators += token.text not in _NO_OPERATORS
        is_optional = token.text == "?" and self._last in _OPTIONAL_BEFORE
        self._questions += token.text == "?" and not is_optional
        self._questions -= token.text == ":"
        self._ends_value = False
        if self._signs > _MOST_SIGNS_BEFORE_VALUE:
            problem = f"more than {_MOST_SIGNS_BEFORE_VALUE} `{token.text}` stand before one value"
            return _disorder(token, problem)
        if self._operators > _MOST_OPERATORS:
            return _disorder(token, f"it has more than {_MOST_OPERATORS:,} operators")
        return None


def _disorder(token: Token, problem: str = "") -> Disorder:
    return Disorder(token.start, token.start + len(token.text), problem)


def _is_name(text: str) -> bool:
    return bool(text) and (text[0].isalpha() or text[0] == "_") and text[-1] not in "\"'"
