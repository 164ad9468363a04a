"""What the owner of a trigger is told about the events of a time: how many it takes, and why not the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hookline_triggers.event_fields import closest, quoted, shortened
from hookline_triggers.near_misses import Miss

_MOST_TYPES = 5
_LONGEST_TYPE = 40
_MOST_NEVER_HELD = 5
_LONGEST_CONDITION = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeCount:
    """A type of events, and how many of them came."""

    type: str
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestMiss:
    """The event for which the most conditions of the filter held, `held` of them."""

    event_id: str
    held: int
    miss: Miss


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchSummary:
    """What came to a trigger's source, and what its type and filter make of it.

    `events` came, counted up to a limit: beyond it `is_cut`. `types` says of which types, the most frequent twenty first. `of_type` of them have
    the type that the trigger wants, and the newest `judged` of these were shown to its filter: it took `matched`. It could not be
    asked about `unjudged` of them, on which it was too much work. `held` says for each of the `conditions` how often it held among those it did not take.
    """

    hours: int
    wanted_type: str = ""
    has_filter: bool = False
    events: int = 0
    is_cut: bool = False
    types: tuple[TypeCount, ...] = ()
    of_type: int = 0
    judged: int = 0
    matched: int = 0
    unjudged: int = 0
    conditions: tuple[str, ...] = ()
    held: tuple[int, ...] = ()
    nearest: NearestMiss | None = None

    @property
    def never_held(self) -> tuple[str, ...]:
        """The conditions that held for none of the events; nothing while the filter took one."""
        if self.matched or self.judged == self.unjudged:
            return ()
        pairs = zip(self.conditions, self.held, strict=True)
        return tuple(condition for condition, held in pairs if not held)


def describe_matches(summary: MatchSummary) -> tuple[str, ...]:
    """The same in words: a sentence or two, each on a line of its own."""
    return tuple(_lines(summary))


def _lines(summary: MatchSummary) -> Iterator[str]:
    if not summary.events:
        yield f"no event came to its source in the last {summary.hours} h"
        return
    yield _counted(summary)
    if summary.wanted_type and not summary.of_type:
        yield _wrong_type(summary)
    if summary.nearest is not None:
        yield _nearest(summary.nearest, len(summary.conditions))
    if len(summary.conditions) > 1:
        yield from _never_held(summary.never_held)
    if summary.unjudged:
        yield f"the filter was too much work on {_number(summary.unjudged, 'event')}, and takes no such event"


def _never_held(conditions: Sequence[str]) -> Iterator[str]:
    for condition in conditions[:_MOST_NEVER_HELD]:
        yield f"this condition held for none of them: {shortened(condition, _LONGEST_CONDITION)}"
    if len(conditions) > _MOST_NEVER_HELD:
        yield f"nor did {len(conditions) - _MOST_NEVER_HELD} more"


def _counted(summary: MatchSummary) -> str:
    newest = "the newest " if summary.is_cut else ""
    came = f"matched {summary.matched} of {newest}{_number(summary.events, 'event')} in the last {summary.hours} h"
    if summary.wanted_type and summary.of_type != summary.events and summary.of_type:
        came += f"; {summary.of_type} of them {_have(summary.of_type)} the type {_type(summary.wanted_type)}"
    if summary.has_filter and not summary.judged and summary.of_type:
        return f"{newest}{_number(summary.events, 'event')} came in the last {summary.hours} h; there was no time to run its filter on them"
    if summary.has_filter and summary.judged < summary.of_type:
        came += f"; its filter was asked about the newest {summary.judged}"
    return came


def _wrong_type(summary: MatchSummary) -> str:
    shown = [f"{_type(each.type)} ({each.events})" for each in summary.types[:_MOST_TYPES]]
    if len(summary.types) > _MOST_TYPES:
        shown.append("others")
    said = f"its type is {_type(summary.wanted_type)}, and events came with {', '.join(shown)}"
    close = closest(summary.wanted_type, [each.type for each in summary.types])
    return f"{said}; did you mean {_type(close)}?" if close else said


def _nearest(nearest: NearestMiss, conditions: int) -> str:
    miss = nearest.miss
    said = f"nearest miss: {nearest.event_id} `{miss.condition}` {_outcome(miss)}"
    if conditions > 1:
        said += f"; {nearest.held} of {conditions} conditions held"
    return said


def _outcome(miss: Miss) -> str:
    views = [each.view for each in miss.fields]
    if len(views) == 1:
        is_missing = views[0].startswith("missing: ")
        seen = views[0].removeprefix("missing: ") if is_missing else f"it is {views[0]}"
    else:
        seen = ", ".join(f"{each.path} is {each.view}" for each in miss.fields)
    facts = "; ".join(part for part in (seen, miss.note) if part)
    what = "was false" if miss.reason == "false" else f"failed: {miss.reason}"
    return f"{what} ({facts})" if facts else what


def _type(text: str) -> str:
    return quoted(shortened(text, _LONGEST_TYPE))


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
