"""Patterns in the manner of `.gitignore`, matched in time that a hostile pattern cannot stretch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_ANY_DEPTH = "**"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    parts: tuple[str, ...]
    is_negated: bool
    is_directory_only: bool


class IgnorePatterns:
    """Which paths a list of patterns leaves out.

    As in `.gitignore`: `*` and `?` stay within one name, `**` spans directories, `[a-z]` is a set; a trailing `/` means
    directories only; a pattern with a `/` elsewhere counts from the root; `!` takes paths back in; the last pattern
    that matches decides. What lies in a directory left out stays out.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        parsed = [_parse(pattern) for pattern in patterns]
        self._patterns = [pattern for pattern in parsed if pattern is not None]
        self._directories: dict[tuple[str, ...], bool] = {(): False}

    def leaves_out(self, path: str, *, is_directory: bool = False) -> bool:
        """True if this path, relative with `/`, is left out, or lies in a directory that is."""
        parts = tuple(path.split("/"))
        if is_directory:
            return self._leaves_out_directory(parts)
        return self._leaves_out_directory(parts[:-1]) or self._matches(parts, is_directory=False)

    def _leaves_out_directory(self, parts: tuple[str, ...]) -> bool:
        """The verdict on a directory, kept for the files in it."""
        depth = len(parts)
        while parts[:depth] not in self._directories:
            depth -= 1
        for place in range(depth + 1, len(parts) + 1):
            above = self._directories[parts[: place - 1]]
            verdict = above or self._matches(parts[:place], is_directory=True)
            self._directories[parts[:place]] = verdict
        return self._directories[parts]

    def _matches(self, parts: tuple[str, ...], *, is_directory: bool) -> bool:
        for pattern in reversed(self._patterns):
            if pattern.is_directory_only and not is_directory:
                continue
            if _parts_match(pattern.parts, parts):
                return not pattern.is_negated
        return False


def _parse(text: str) -> _Pattern | None:
    body = text.strip()
    if not body or body.startswith("#"):
        return None
    is_negated = body.startswith("!")
    body = body.removeprefix("!")
    is_directory_only = body.endswith("/")
    body = body.rstrip("/")
    parts = [part for part in body.split("/") if part]
    if not parts:
        return None
    if "/" not in body:
        parts.insert(0, _ANY_DEPTH)
    return _Pattern(
        parts=_without_repeats(parts), is_negated=is_negated, is_directory_only=is_directory_only
    )


def _without_repeats(parts: list[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for part in parts:
        if part != _ANY_DEPTH or kept[-1:] != [_ANY_DEPTH]:
            kept.append(part)
    return tuple(kept)


def _parts_match(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Match directory by directory; `**` takes any number of them, and at the end at least one."""
    reachable = {0}
    for index, part in enumerate(pattern):
        if part == _ANY_DEPTH:
            least = 1 if index == len(pattern) - 1 else 0
            first = min(reachable, default=len(parts) + 1) + least
            reachable = set(range(first, len(parts) + 1))
        else:
            reachable = {
                place + 1
                for place in reachable
                if place < len(parts) and _name_matches(part, parts[place])
            }
        if not reachable:
            return False
    return len(parts) in reachable


def _name_matches(pattern: str, name: str) -> bool:
    """Match one name, in time of the product of both lengths."""
    pieces = _split(pattern)
    place, piece, star, mark = 0, 0, -1, 0
    while place < len(name):
        if piece < len(pieces) and pieces[piece] == "*":
            star, mark = piece, place
            piece += 1
        elif piece < len(pieces) and _piece_matches(pieces[piece], name[place]):
            piece += 1
            place += 1
        elif star >= 0:
            mark += 1
            piece, place = star + 1, mark
        else:
            return False
    return all(one == "*" for one in pieces[piece:])


@lru_cache(maxsize=1024)
def _split(pattern: str) -> tuple[str, ...]:
    """`*`, `?`, a set in brackets, or a character, which an escape leaves with its backslash."""
    pieces: list[str] = []
    place = 0
    while place < len(pattern):
        if pattern[place] == "\\" and place + 1 < len(pattern):
            end = place + 2
        elif pattern[place] == "[":
            close = pattern.find("]", place + 2)
            end = close + 1 if close > 0 else place + 1
        else:
            end = place + 1
        pieces.append(pattern[place:end])
        place = end
    return tuple(pieces)


def _piece_matches(piece: str, char: str) -> bool:
    if piece == "?":
        return True
    if len(piece) > 2 and piece[0] == "[":  # noqa: PLR2004 - brackets around at least one character
        return _set_matches(piece[1:-1], char)
    return piece.removeprefix("\\") == char if len(piece) > 1 else piece == char


def _set_matches(body: str, char: str) -> bool:
    is_negated = body[:1] in {"!", "^"}
    body = body[1:] if is_negated else body
    found = False
    place = 0
    while place < len(body):
        if body[place + 1 : place + 2] == "-" and place + 2 < len(body):
            found = found or body[place] <= char <= body[place + 2]
            place += 3
        else:
            found = found or body[place] == char
            place += 1
    return found != is_negated
