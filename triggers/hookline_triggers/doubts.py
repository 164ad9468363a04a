"""What a webhook's trigger says that no event can meet: told as a warning, for it is valid."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from hookline_triggers.cel_scan import Token, find_free_names, list_tokens, path_with_end
from hookline_triggers.definitions import TriggerDefinition, TriggerKind

_PLAIN: Final = re.compile(r"""(["'])([^"'\\\n]*)\1""")
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_MEMBERS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    (): ("body", "headers", "method", "raw_url", "trailers", "url"),
    ("body",): ("bytes", "form", "json", "text"),
    ("url",): ("path", "path_suffix", "query"),
}
_EQUAL: Final = ["=", "="]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why the trigger will never match, or what would be right. `key` is the key of the manifest that says it."""

    key: str
    problem: str
    hint: str


def find_doubts(definition: TriggerDefinition) -> tuple[Doubt, ...]:
    """What can never be met of a webhook's trigger; nothing for others. Its filter must have been checked."""
    if definition.kind is not TriggerKind.WEBHOOK:
        return ()
    return (*_doubts_of_type(definition.event_type), *_doubts_of_filter(definition.filter))


def _doubts_of_type(event_type: str) -> Iterator[Doubt]:
    if event_type != event_type.lower() and event_type.upper() in _METHODS:
        problem = f"no event has the type {event_type!r}: the type is the method in lower case"
        yield Doubt(key="event_type", problem=problem, hint=f"write {event_type.lower()}")


def _doubts_of_filter(text: str) -> Iterator[Doubt]:
    tokens = list_tokens(text)
    for index in sorted(find_free_names(tokens)):
        if tokens[index].text == "event_type":
            yield from _doubts_of_value(tokens, index, index + 1, "event_type", str.lower)
        elif tokens[index].text == "data":
            path, end = path_with_end(tokens, index)
            yield from _doubts_of_path(path)
            if path == ("method",):
                yield from _doubts_of_value(tokens, index, end, "data.method", str.upper)


def _doubts_of_value(
    tokens: list[Token], start: int, end: int, name: str, in_case: Callable[[str], str]
) -> Iterator[Doubt]:
    """The text that the name is compared with, if it is a method in the wrong case."""
    value = _compared_text(tokens, start, end)
    if value is None or value.upper() not in _METHODS or value == in_case(value):
        return
    problem = f"`{name}` is never {value!r}"
    yield Doubt(key="filter", problem=problem, hint=f"write `{name} == '{in_case(value)}'`")


def _compared_text(tokens: list[Token], start: int, end: int) -> str | None:
    behind = tokens[end : end + 3]
    before = tokens[max(0, start - 3) : start]
    for signs, text in ((behind[:2], behind[2:3]), (before[1:], before[:1])):
        if [token.text for token in signs] == _EQUAL and text and text[0].kind == "string":
            plain = _PLAIN.fullmatch(text[0].text)
            return plain[2] if plain else None
    return None


def _doubts_of_path(path: tuple[str, ...]) -> Iterator[Doubt]:
    for depth in range(min(len(path), 2)):
        known = _MEMBERS.get(path[:depth])
        if known is None or path[depth] in known:
            continue
        place = ".".join(("data", *path[:depth]))
        close = difflib.get_close_matches(path[depth], known, n=1)
        hint = f"did you mean `{place}.{close[0]}`?" if close else f"it has {', '.join(known)}"
        problem = f"`{place}` of a webhook's event has no {path[depth]!r}"
        yield Doubt(key="filter", problem=problem, hint=hint)
        return
