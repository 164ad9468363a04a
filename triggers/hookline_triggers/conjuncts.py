"""A filter's conditions: the parts that `&&` joins at its top, each of which must hold. Read from tokens, as `cel_scan` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hookline_triggers.cel_scan import Token, list_tokens

MOST_CONDITIONS: Final = 32
_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One part of a filter: as its author wrote it, and the same on one line, without comments."""

    text: str
    line: str


def list_conditions(text: str) -> tuple[Condition, ...]:
    """The parts that must all hold, in their order; of more than 32 the last ones are one. None for an empty filter.

    What `||` or `?:` joins at the top is one part, and so is what lies within a call or a negation. Parentheses around
    parts joined by `&&` make no difference. The text must be a filter that was accepted.
    """
    tokens = list_tokens(text)
    if not tokens or [token.text for token in tokens] == ["."]:
        return ()
    parts = _split(tokens)
    if len(parts) > MOST_CONDITIONS:
        kept = parts[: MOST_CONDITIONS - 1]
        rest = _unite(tokens, parts[MOST_CONDITIONS - 1 :])
        parts = [*kept, rest] if rest else [tokens]
    return tuple(_condition(text, part) for part in parts)


def _split(tokens: list[Token]) -> list[list[Token]]:
    """The parts, flat; without recursion, for parentheses may be many."""
    found: list[list[Token]] = []
    waiting = [tokens]
    while waiting:
        part = waiting.pop()
        inner = _unwrapped(part)
        pieces = _pieces(inner)
        if len(pieces) > 1:
            waiting += reversed(pieces)
        else:
            found.append(part if _is_joined(inner) else inner)
    return found


def _pieces(tokens: list[Token]) -> list[list[Token]]:
    """What `&&` joins; the tokens themselves when something binds less at the top."""
    pieces: list[list[Token]] = [[]]
    depth = 0
    for index, token in enumerate(tokens):
        if token.kind == "sign":
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
            if depth == 0 and token.text in "|?":
                return [tokens]
            if depth == 0 and token.text == "&":
                if _text_at(tokens, index + 1) == "&":
                    pieces.append([])
                continue
        pieces[-1].append(token)
    return pieces


def _is_joined(tokens: list[Token]) -> bool:
    """Whether `||` or `?:` stands at the top."""
    depth = 0
    for token in tokens:
        if token.kind == "sign":
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
            if depth == 0 and token.text in "|?":
                return True
    return False


def _unwrapped(tokens: list[Token]) -> list[Token]:
    """The tokens without parentheses around all of them."""
    closing = _closings(tokens)
    first, last = 0, len(tokens) - 1
    while first < last and tokens[first].text == "(" and closing.get(first) == last:
        first, last = first + 1, last - 1
    return tokens[first : last + 1]


def _closings(tokens: Sequence[Token]) -> dict[int, int]:
    """The index of the closing sign for that of each opening one."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind == "sign" and token.text in _OPENING:
            opened.append(index)
        elif token.kind == "sign" and token.text in _CLOSING and opened:
            found[opened.pop()] = index
    return found


def _unite(tokens: list[Token], parts: list[list[Token]]) -> list[Token]:
    """The tokens from the first of these parts to the end, if they make sense by themselves."""
    first = parts[0][0].start
    rest = [token for token in tokens if token.start >= first]
    depth = 0
    for token in rest:
        if token.kind == "sign":
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
            if depth < 0:
                return []
    return rest


def _condition(text: str, tokens: list[Token]) -> Condition:
    end = tokens[-1].start + len(tokens[-1].text)
    return Condition(text=text[tokens[0].start : end], line=one_line(tokens))


def one_line(tokens: Sequence[Token]) -> str:
    """The tokens with one blank wherever there was anything between them."""
    words: list[str] = []
    end = tokens[0].start if tokens else 0
    for token in tokens:
        words.append(" " + token.text if token.start > end else token.text)
        end = token.start + len(token.text)
    return "".join(words)


def _text_at(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].text if index < len(tokens) else ""
