from __future__ import annotations

from typing import Any

import pytest

from hookline_triggers.match_summary import (
    MatchSummary,
    NearestMiss,
    TypeCount,
    describe_matches,
)
from hookline_triggers.near_misses import Field, Miss

KIND = 'data.body.json.kind == "Push"'


def _summary(**fields: Any) -> MatchSummary:
    counts = {name: fields.get("events", 0) for name in ("of_type", "judged")}
    return MatchSummary(**({"hours": 24} | counts | fields))


def _missed(view: str = '"push"', reason: str = "false", note: str = "", **fields: Any) -> str:
    miss = Miss(
        condition=KIND,
        reason=reason,
        fields=(Field(path="data.body.json.kind", view=view),),
        note=note,
    )
    nearest = NearestMiss(event_id="evt_1", held=0, miss=miss)
    given = {"events": 3, "has_filter": True, "conditions": (KIND,), "held": (0,), **fields}
    return describe_matches(_summary(nearest=nearest, **given))[1]


@pytest.mark.parametrize(
    ("summary", "line"),
    [
        (_summary(), "no event came to its source in the last 24 h"),
        (_summary(events=1, matched=1), "matched 1 of 1 event in the last 24 h"),
        (_summary(events=214), "matched 0 of 214 events in the last 24 h"),
        (
            _summary(events=10_000, is_cut=True, matched=7),
            "matched 7 of the newest 10000 events in the last 24 h",
        ),
        (
            _summary(events=9, of_type=1, judged=1, wanted_type="put"),
            'matched 0 of 9 events in the last 24 h; 1 of them has the type "put"',
        ),
        (
            _summary(events=900, judged=500, has_filter=True),
            "matched 0 of 900 events in the last 24 h; its filter was asked about the newest 500",
        ),
        (
            _summary(events=9, judged=0, has_filter=True),
            "9 events came in the last 24 h; there was no time to run its filter on them",
        ),
    ],
)
def test_the_first_line_says_how_many_of_how_many(summary: MatchSummary, line: str) -> None:
    assert describe_matches(summary)[0] == line


@pytest.mark.parametrize(
    ("types", "line"),
    [
        (("push", "ping"), 'its type is "Push", and events came with "push" (5), "ping" (5); did you mean "push"?'),
        (("other",), 'its type is "Push", and events came with "other" (5)'),
        (tuple("abcdefg"), 'its type is "Push", and events came with "a" (5), "b" (5), "c" (5), "d" (5), "e" (5), others'),
    ],
)  # fmt: skip
def test_a_type_that_never_came_is_told_with_those_that_did(
    types: tuple[str, ...], line: str
) -> None:
    counts = tuple(TypeCount(type=each, events=5) for each in types)

    lines = describe_matches(_summary(events=10, of_type=0, judged=0, wanted_type="Push", types=counts))  # fmt: skip

    assert lines[1:] == (line,)


def test_the_nearest_miss_is_told_with_what_it_saw() -> None:
    assert _missed() == f'nearest miss: evt_1 `{KIND}` was false (it is "push")'


def test_the_nearest_miss_is_told_with_its_note_and_its_error() -> None:
    noted = _missed(note="they differ in case only")
    failed = _missed('missing: `data.body` has no "json"', "no such key: 'json'")

    assert noted.endswith('was false (it is "push"; they differ in case only)')
    assert failed.endswith("failed: no such key: 'json' (`data.body` has no \"json\")")


def test_a_condition_that_never_held_is_named_when_there_are_several() -> None:
    summary = _summary(
        events=3, has_filter=True, conditions=("data.a", KIND, "data.b"), held=(3, 0, 0)
    )

    assert describe_matches(summary)[1:] == (
        f"this condition held for none of them: {KIND}",
        "this condition held for none of them: data.b",
    )


def test_no_condition_is_blamed_while_the_filter_takes_an_event() -> None:
    summary = _summary(events=3, matched=1, has_filter=True, conditions=("data.a", KIND), held=(2, 0))  # fmt: skip

    assert summary.never_held == ()


def test_many_conditions_that_never_held_are_not_all_named() -> None:
    texts = tuple(f"data.a{number} == '{'x' * 300}'" for number in range(9))

    lines = describe_matches(_summary(events=3, has_filter=True, conditions=texts, held=(0,) * 9))

    assert len(lines) == 7
    assert lines[-1] == "nor did 4 more"
    assert max(map(len, lines)) < 300


def test_events_on_which_the_filter_was_too_much_work_are_told() -> None:
    lines = describe_matches(_summary(events=3, unjudged=1, has_filter=True))

    assert lines[-1] == "the filter was too much work on 1 event, and takes no such event"
