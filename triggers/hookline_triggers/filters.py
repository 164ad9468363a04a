"""Filters: CEL expressions over an event's `data` and `event_type` that say whether a trigger takes it."""

from __future__ import annotations

import marshal
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from hookline_triggers.cel_bounds import find_excess
from hookline_triggers.cel_engine import compile_program, run_program
from hookline_triggers.cel_faults import find_fault, find_fault_at
from hookline_triggers.cel_functions import RENAMED, find_functions, known_functions
from hookline_triggers.cel_headers import with_header_names
from hookline_triggers.cel_hoist import hoist
from hookline_triggers.cel_order import Disorder, find_disorder
from hookline_triggers.cel_patterns import find_bad_pattern
from hookline_triggers.cel_scan import (
    Paths,
    References,
    Token,
    find_foreign_sign,
    find_references,
    list_tokens,
    spell_for_engine,
)
from hookline_triggers.cel_work import NOTHING, Weight, weigh
from hookline_triggers.errors import FilterInvalidError

if TYPE_CHECKING:
    from cel import Program

_INT64 = 2**63
_LEAVES = frozenset({str, bool, float, bytes, type(None)})
_MAX_TEXT = 8192
_MAX_DEPTH = 1000
_LONGEST_SIGN = 3  # characters of an operator of some other language, such as `===`
_VARIABLES = ("data", "event_type")
_FAULTS = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError),
    *(RuntimeError, TypeError, ValueError),
)
_HINTS = {
    "type": "event_type",
    "event": "data",
    "body": "data.body",
    "headers": "data.headers",
    "None": "null",
    "True": "true",
    "False": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Whether a filter took an event, and if not, why: `false`, or what went wrong."""

    is_match: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A filter that was understood; made by `compile_filter`. Safe to share."""

    text: str
    _program: Program | None = field(repr=False, compare=False)
    _plain: Program | None = field(repr=False, compare=False, default=None)
    _weight: Weight = field(repr=False, compare=False, default=NOTHING)
    _functions: dict[str, Callable[..., object]] = field(repr=False, compare=False)
    _paths: Paths = field(repr=False, compare=False)

    @property
    def is_plain(self) -> bool:
        """True if it is little work on any data that are not large."""
        return self._program is None or self._weight.is_plain

    def work(self, data: Mapping[str, object]) -> int:
        """About how much work the filter is on these data; see `cel_work`."""
        if self._program is None:
            return 0
        return self._weight.work(_pruned(data, self._paths))

    def needed(self, data: Mapping[str, object]) -> dict[str, object]:
        """The part of the data that the filter looks at."""
        return _pruned(data, self._paths)

    def matches(self, data: Mapping[str, object], event_type: str) -> bool:
        """Whether the event passes; false when the expression fails on it. Never raises."""
        return self.explain(data, event_type).is_match

    def explain(self, data: Mapping[str, object], event_type: str) -> Explanation:
        """See `matches`; with the reason."""
        if self._program is None:
            return Explanation(is_match=True)
        try:
            result = self._evaluate(self._program, data, event_type)
        except KeyError as exc:
            return Explanation(is_match=False, reason=f"no such key: {exc}")
        except _FAULTS as exc:
            return Explanation(is_match=False, reason=f"{type(exc).__name__}: {_first_line(exc)}")
        if result is True:
            return Explanation(is_match=True)
        return Explanation(is_match=False, reason="false" if result is False else _no_bool(result))

    def _evaluate(self, program: Program, data: Mapping[str, object], event_type: str) -> object:
        needed = _pruned(data, self._paths)
        if not _is_shallow(needed):
            raise ValueError("the data are nested too deep")
        known = cast("dict[str, object]", _in_64_bits(needed))
        variables: dict[str, object] = {"data": known, "event_type": event_type}
        lifted = self._weight.lifted(known)
        if (
            lifted is None and self._plain is not None
        ):  # a path that is not there is for the engine to judge
            program = self._plain
        return run_program(program, variables | (lifted or {}), self._functions)


def compile_filter(text: str) -> Filter:
    """The filter that a CEL text means; an empty text, or `.`, matches everything.

    Raises:
        FilterInvalidError: it does not parse, names something that is not there, or gives no truth value.
    """
    if text.strip() in ("", "."):
        return Filter(text=text, _program=None, _functions={}, _paths=frozenset())
    if len(text) > _MAX_TEXT:
        raise FilterInvalidError(text, f"it is longer than {_MAX_TEXT} characters")
    made = _compile_once(text)
    if isinstance(made, FilterInvalidError):
        raise made.fresh_copy()
    return made


@lru_cache(maxsize=4096)
def _compile_once(text: str) -> Filter | FilterInvalidError:
    """The filter, or why it is none: that costs as much to find out."""
    try:
        return _compile(text)
    except FilterInvalidError as exc:
        return exc.fresh_copy()


def _compile(text: str) -> Filter:
    disorder = find_disorder(text)
    foreign = find_foreign_sign(text if disorder is None else text[: disorder.at])
    if (
        foreign is not None
    ):  # the engine takes its time over each one; what comes after the first tells nothing
        _parse(text, text[: foreign + _LONGEST_SIGN])
    if disorder is not None:
        raise _refusal_of(text, disorder)
    _parse(text, text)
    tokens = with_header_names(list_tokens(text))
    references = find_references(tokens)
    _check_names(text, references)
    _check_bounds(text, tokens)
    _check_patterns(text, tokens)
    hoisting = hoist(tokens)
    program = _program_of(text, list(hoisting.tokens))
    made = Filter(
        text=text,
        _program=program,
        _plain=_program_of(text, tokens) if hoisting.paths else None,
        _weight=weigh(tokens, hoisting, {token.text for token in references.functions}),
        _functions=find_functions({token.text for token in references.functions}),
        _paths=references.data_paths,
    )
    _check_result(made, is_constant=not references.variables)
    return made


def _parse(text: str, part: str) -> None:
    """Refuse the text if the grammar of its part, from the beginning, is wrong."""
    try:
        compile_program(part)
    except ValueError as exc:
        fault = find_fault(part, str(exc))
        raise FilterInvalidError(
            text, fault.problem, hint=fault.hint, line=fault.line, column=fault.column
        ) from exc


def _refusal_of(text: str, disorder: Disorder) -> FilterInvalidError:
    fault = find_fault_at(text[: disorder.end], disorder.at)
    problem, hint = (disorder.problem, "") if disorder.problem else (fault.problem, fault.hint)
    return FilterInvalidError(text, problem, hint=hint, line=fault.line, column=fault.column)


def _check_bounds(text: str, tokens: list[Token]) -> None:
    excess = find_excess(tokens)
    if excess is not None:
        line, column = _place(text, excess.token)
        raise FilterInvalidError(text, excess.problem, line=line, column=column)


def _check_patterns(text: str, tokens: list[Token]) -> None:
    bad = find_bad_pattern(tokens)
    if bad is not None:
        line, column = _place(text, bad)
        problem = f"{bad.text[:100]} is not a regular expression that is supported here"
        hint = (
            "its syntax is that of RE2: without look-around and back references, and not too large"
        )
        raise FilterInvalidError(text, problem, hint=hint, line=line, column=column)


def _program_of(text: str, tokens: list[Token]) -> Program:
    try:
        return compile_program(spell_for_engine(tokens, RENAMED))
    except ValueError as exc:
        raise FilterInvalidError(text, _first_line(exc)) from exc


def _check_names(text: str, references: References) -> None:
    unknown = [token for token in references.variables if token.text not in _VARIABLES]
    known = known_functions()
    uncallable = [token for token in references.functions if token.text not in known]
    if not unknown and not uncallable:
        return
    first = min([*unknown, *uncallable], key=lambda token: token.start)
    problem = f"undeclared reference to {first.text!r}"
    if first in unknown:
        hint = _HINTS.get(first.text)
        problem += f"; did you mean {hint}?" if hint else "; only data and event_type are in scope"
    else:
        problem += "; there is no such function"
    line, column = _place(text, first)
    names = dict.fromkeys(token.text for token in [*unknown, *uncallable])
    raise FilterInvalidError(text, problem, line=line, column=column, undeclared=tuple(names))


def _check_result(made: Filter, *, is_constant: bool) -> None:
    """Refuse what gives no truth value even on an empty event, and what fails without looking at one."""
    explained = made.explain({}, "")
    if explained.is_match or explained.reason == "false":
        return
    if is_constant or explained.reason.startswith(_NO_BOOL):
        raise FilterInvalidError(made.text, explained.reason)


_NO_BOOL = "the result is not true or false but "


def _no_bool(result: object) -> str:
    return f"{_NO_BOOL}{type(result).__name__}"


def _place(text: str, token: Token) -> tuple[int, int]:
    before = text[: token.start]
    return before.count("\n") + 1, token.start - (before.rfind("\n") + 1) + 1


def _first_line(exc: BaseException) -> str:
    return str(exc).partition("\n")[0].partition(". ")[0][:200]


def _in_64_bits(value: object) -> object:
    """The value as CEL knows numbers: a whole one beyond 64 bits is the nearest double, infinite beyond them all."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return {key: one if type(one) in _LEAVES else _in_64_bits(one) for key, one in members}
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [one if type(one) in _LEAVES else _in_64_bits(one) for one in items]
    if not isinstance(value, int) or -_INT64 <= value < _INT64:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_shallow(value: object) -> bool:
    """Whether the engine can take the value without overflowing its stack."""
    try:
        # The cheapest walk there is; it goes 2000 deep. Any, because its refusals are what is asked for.
        marshal.dumps(cast("Any", value))
    except ValueError:  # too deep, or of a type that marshal does not know
        return _is_within_depth(value)
    return True


def _is_within_depth(value: object) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [child for parent in level for child in _children_of(parent)]
        if not level:
            return True
    return False


def _children_of(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(cast("dict[object, object]", value).values())
    return cast("list[object]", value) if isinstance(value, list) else []


def _pruned(data: Mapping[str, object], paths: Paths) -> dict[str, object]:
    """Only what the paths lead to: handing a whole event to the engine costs more than the filter."""
    if () in paths:
        return dict(data)
    kept: dict[str, object] = {}
    for path in sorted(paths):
        _copy_path(data, kept, path)
    return kept


def _copy_path(
    source: Mapping[str, object], target: dict[str, object], path: tuple[str, ...]
) -> None:
    for depth, key in enumerate(path):
        if key not in source:
            return
        value = source[key]
        if depth == len(path) - 1 or not isinstance(value, dict):
            target[key] = value
            return
        if target.get(key) is value:
            return
        inner = target.setdefault(key, {})
        source, target = cast("dict[str, object]", value), cast("dict[str, object]", inner)
