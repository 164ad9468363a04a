"""How near an event came to a filter that did not take it: which of its conditions held, and what the first other one saw."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hookline_triggers.cel_headers import with_header_names
from hookline_triggers.cel_scan import Token, find_free_names, list_tokens, path_with_end
from hookline_triggers.conjuncts import Condition, list_conditions, one_line
from hookline_triggers.errors import FilterInvalidError
from hookline_triggers.event_fields import (
    Found,
    Place,
    guarded,
    kind_of,
    look_up,
    shortened,
    view_of,
)
from hookline_triggers.filters import Filter, compile_filter

_MOST_FIELDS: Final = 3
_LONGEST_CONDITION: Final = 200
_LONGEST_REASON: Final = 200
_PLAIN: Final = re.compile(r"""(["'])([^"'\\\n]*)\1""")
_ITEM: Final = re.compile(r"\[([0-9]{1,9})\]")
_KNOWN: Final[dict[str, object]] = {"true": True, "false": False, "null": None}
_NOTHING: Final = object()
_COMPARISONS: Final = ("==", "!=", "<=", ">=", "<", ">", "in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field that a condition names, as it is written there, and what is told of it; see `event_fields.view_of`."""

    path: str
    view: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """The first condition of a filter that did not hold on an event.

    `reason` is `false`, or what went wrong. `note` says why the values can never be equal, if that is so.
    """

    condition: str
    reason: str
    fields: tuple[Field, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a filter takes an event, and which of its conditions held, in their order; empty when it takes it."""

    is_match: bool
    held: tuple[bool, ...] = ()
    reason: str = ""


class Prober:
    """Judges the filter and each of its conditions. Raises `FilterInvalidError` when made of what is no filter."""

    def __init__(self, text: str) -> None:
        self._filter = compile_filter(text)
        self.conditions = list_conditions(text)
        self._parts = [_compiled(each) for each in self.conditions]

    def judge(self, data: Mapping[str, object], event_type: str) -> Verdict:
        """What the filter says of the event; a condition that fails on it does not hold."""
        explained = self._filter.explain(data, event_type)
        if explained.is_match:
            return Verdict(is_match=True)
        reasons = [_reason(part, data, event_type) for part in self._parts]
        held = tuple(not reason for reason in reasons)
        return Verdict(is_match=False, held=held, reason=explained.reason)

    def describe(self, data: Mapping[str, object], event_type: str, verdict: Verdict) -> Miss:
        """Why the event was not taken, for people."""
        number = next((at for at, is_held in enumerate(verdict.held) if not is_held), None)
        if number is None:  # each holds by itself
            return Miss(condition=_shown_condition(self._filter.text), reason=verdict.reason)
        condition = self.conditions[number]
        tokens = list_tokens(condition.text)
        named = list(_find_fields(tokens, data, event_type))
        reason = _reason(self._parts[number], data, event_type)
        return Miss(
            condition=_shown_condition(condition.line),
            reason=shortened(guarded(reason), _LONGEST_REASON),
            fields=tuple(Field(path=each.path, view=each.view) for each in named[:_MOST_FIELDS]),
            note=_note(tokens, named),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """A field between two tokens of a condition."""

    first: int
    end: int
    path: str
    view: str
    found: Found


def _compiled(condition: Condition) -> Filter | str:
    """The condition as a filter, or why it is none by itself."""
    try:
        return compile_filter(condition.text)
    except FilterInvalidError as exc:
        return exc.problem


def _reason(part: Filter | str, data: Mapping[str, object], event_type: str) -> str:
    """Why it does not hold; "" when it does."""
    if isinstance(part, str):
        return part
    explained = part.explain(data, event_type)
    return "" if explained.is_match else explained.reason


def _find_fields(
    tokens: list[Token], data: Mapping[str, object], event_type: str
) -> Sequence[_Named]:
    """The fields that are named outside of what a macro binds, each once, in their order."""
    named: dict[str, _Named] = {}
    meant = with_header_names(tokens)
    for first in sorted(find_free_names(tokens)):
        if tokens[first].text == "event_type":
            place, end, found = (), first + 1, Found(value=event_type)
        elif tokens[first].text == "data":
            place, end = _place(meant, first)
            found = look_up(data, place)
        else:
            continue
        path = one_line(tokens[first:end])
        view = view_of(place, found)
        one = _Named(first=first, end=end, path=shortened(path), view=view, found=found)
        named.setdefault(path, one)
    return list(named.values())


def _place(tokens: list[Token], first: int) -> tuple[Place, int]:
    """The constant members and numbers of items after a name, and the index behind them."""
    place: list[str | int] = []
    end = first + 1
    while True:
        path, end = path_with_end(tokens, end - 1)
        place += path
        item = _ITEM.fullmatch("".join(token.text for token in tokens[end : end + 3]))
        if item is None:
            return tuple(place), end
        place.append(int(item[1]))
        end += 3


def _note(tokens: list[Token], named: Sequence[_Named]) -> str:
    """Why a comparison of one field with what is written out cannot hold."""
    if len(named) != 1 or not named[0].found.is_there:
        return ""
    field = named[0]
    before, behind = tokens[: field.first], tokens[field.end :]
    if before and behind:
        return ""
    sign, literals = _compared(behind) if behind else _compared_before(before)
    if not literals or sign == "!=":
        return ""
    value = field.found.value
    kinds = sorted({kind_of(each) for each in literals})
    if kind_of(value) not in kinds and not (sign == "in" and kind_of(value) in ("a map", "a list")):
        side = one_line(behind or before).strip().removeprefix(sign).removesuffix(sign).strip()
        said = "holds none" if sign == "in" else f"is {' or '.join(kinds)}"
        return f"it is {kind_of(value)}, and {shortened(side)} {said}"
    return _difference(value, literals) if field.view.startswith('"') else ""


def _difference(value: object, literals: Sequence[object]) -> str:
    """How little a text differs from one that was wanted."""
    if not isinstance(value, str):
        return ""
    for each in literals:
        if isinstance(each, str) and each != value:
            if each.casefold() == value.casefold():
                return "they differ in upper and lower case only"
            if each.strip() == value.strip():
                return "they differ in blanks around them only"
    return ""


def _compared(tokens: Sequence[Token]) -> tuple[str, list[object]]:
    """The sign at the beginning, and what is written out behind it; nothing if that is all there is."""
    sign, size = _sign_at(tokens, 0)
    return (sign, _literals(tokens[size:], is_list=sign == "in")) if size else ("", [])


def _compared_before(tokens: Sequence[Token]) -> tuple[str, list[object]]:
    """The same, with the sign at the end."""
    for size in (2, 1):
        if len(tokens) > size:
            sign, found = _sign_at(tokens, len(tokens) - size)
            if found == size and sign != "in":
                return sign, _literals(tokens[:-size], is_list=False)
    return "", []


def _sign_at(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    """The comparison that stands there, and of how many tokens."""
    texts = [token.text for token in tokens[at : at + 2]]
    both = "".join(texts) if len(texts) == 2 else ""  # noqa: PLR2004 - such as `=`, `=`
    if both in _COMPARISONS and both != "in":
        return both, 2
    return (texts[0], 1) if texts and texts[0] in _COMPARISONS else ("", 0)


def _literals(tokens: Sequence[Token], *, is_list: bool) -> list[object]:
    """The values, if nothing but values is written."""
    if is_list:
        if len(tokens) < 3 or (tokens[0].text, tokens[-1].text) != ("[", "]"):  # noqa: PLR2004 - brackets and a value
            return []
        inner = tokens[1:-1]
        if any(token.text != "," for token in inner[1::2]):
            return []
        tokens = inner[::2]
    elif len(tokens) != 1 and not (len(tokens) == 2 and tokens[0].text == "-"):  # noqa: PLR2004 - a number with its sign
        return []
    else:
        tokens = tokens[-1:]
    values = [_value(token) for token in tokens]
    return [] if any(value is _NOTHING for value in values) else values


def _value(token: Token) -> object:
    plain = _PLAIN.fullmatch(token.text) if token.kind == "string" else None
    if plain is not None:
        return plain[2]
    if token.kind == "number":
        return 0  # its kind is what counts
    return _KNOWN.get(token.text, _NOTHING) if token.kind == "name" else _NOTHING


def _shown_condition(line: str) -> str:
    return shortened(" ".join(line.split()) if "\n" in line else line, _LONGEST_CONDITION)
