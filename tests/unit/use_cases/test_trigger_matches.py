"""What a trigger makes of the last day: which events count, how many are looked at, and that no secret is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from hookline_service.dispatcher.surveying import Survey
from hookline_service.model.events import Event
from hookline_service.model.ids import EventId
from hookline_service.model.projects import Release, Trigger
from hookline_service.model.secret import MASK, Secret
from hookline_service.use_cases import trigger_matches
from hookline_service.use_cases.secrets import SecretBox, SecretPlace
from hookline_service.use_cases.trigger_matches import MatchReader
from hookline_triggers.definitions import TriggerKind
from hookline_triggers.match_summary import MatchSummary, TypeCount
from hookline_triggers.near_misses import Field, Miss
from tests.builders.events import an_event
from tests.builders.moments import after
from tests.builders.projects import a_definition, a_project, a_release, a_variable
from tests.fakes.memory_store import MemoryStore

NOW = after(3600)
BOX = SecretBox((bytes(range(32)),))


class Shown:
    """Takes what it is shown, and finds the same miss whatever that is."""

    def __init__(self, miss: Miss | None = None) -> None:
        self.events: list[EventId] = []
        self.asked: list[str] = []
        self.miss = miss

    async def survey(self, text: str, events: AsyncIterator[Event]) -> Survey:
        self.asked.append(text)
        self.events += [event.id async for event in events]
        nearest = self.events[0] if self.miss is not None else None
        judged = len(self.events)
        return Survey(
            judged=judged, conditions=(text,), held=[0], nearest=nearest, best=0, miss=self.miss
        )


async def _deployed(store: MemoryStore, **definition: Any) -> tuple[Release, Trigger]:
    project = a_project()
    place = SecretPlace(project_id=project.id, scope="", name="KEY")
    short = SecretPlace(project_id=project.id, scope="", name="PIN")
    secrets = (
        a_variable(project.id, name="KEY", is_secret=True, value=BOX.seal(place, Secret("correct-horse"))),
        a_variable(project.id, name="PIN", is_secret=True, value=BOX.seal(short, Secret("4711"))),
    )  # fmt: skip
    release = a_release(project, definitions=[a_definition(**definition)], variables_set=secrets)
    await store.apply_release(release)
    return release, release.triggers[0]


async def _record(store: MemoryStore, of: Trigger | Release, **fields: Any) -> EventId:
    event = an_event(of, **fields)
    await store.record_event(event, [])
    return event.id


async def _read(store: MemoryStore, trigger: Trigger, shown: Shown | None = None) -> MatchSummary:
    reader = MatchReader(store=store, surveyor=shown or Shown(), box=BOX)
    return await reader.read(trigger, NOW)


async def test_a_trigger_without_a_filter_takes_every_event_of_its_type_and_nobody_is_asked() -> (
    None
):
    store, shown = MemoryStore(), Shown()
    _, trigger = await _deployed(store, event_type="post")
    for type_ in ("post", "get", "post"):
        await _record(store, trigger, type=type_)

    summary = await _read(store, trigger, shown)

    assert (summary.events, summary.of_type, summary.judged, summary.matched) == (3, 2, 2, 2)
    assert summary.types == (TypeCount(type="post", events=2), TypeCount(type="get", events=1))
    assert shown.asked == []


@pytest.mark.parametrize("anything", ["", "*"])
async def test_a_trigger_of_any_type_takes_all_types(anything: str) -> None:
    store = MemoryStore()
    _, trigger = await _deployed(store, event_type=anything)
    await _record(store, trigger, type="*")
    await _record(store, trigger, type="post")

    assert (await _read(store, trigger)).of_type == 2


async def test_only_events_of_the_right_type_are_shown_to_the_filter_the_newest_first() -> None:
    store, shown = MemoryStore(), Shown()
    _, trigger = await _deployed(store, event_type="post", filter="data.a == 1")
    first = await _record(store, trigger)
    await _record(store, trigger, type="get")
    last = await _record(store, trigger)

    summary = await _read(store, trigger, shown)

    assert shown.events == [last, first]
    assert (summary.events, summary.of_type, summary.judged, summary.matched) == (3, 2, 2, 0)


async def test_a_connections_trigger_is_told_of_the_connections_events() -> None:
    store = MemoryStore()
    release, trigger = await _deployed(store, kind=TriggerKind.CONNECTION, connection="chat")
    await _record(store, release, source="connection:chat")
    await _record(store, release, source="connection:other")
    await _record(store, release)

    assert (await _read(store, trigger)).events == 1


async def test_events_of_days_before_do_not_count() -> None:
    store = MemoryStore()
    _, trigger = await _deployed(store)
    await _record(store, trigger, created_at=NOW - timedelta(hours=25))
    await _record(store, trigger)

    assert (await _read(store, trigger)).events == 1


async def test_no_more_events_are_looked_at_than_the_bounds_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    _, trigger = await _deployed(store, filter="data.a == 1")
    ids = [await _record(store, trigger, body=b"x" * 100) for _ in range(9)]
    monkeypatch.setattr(trigger_matches, "MOST_COUNTED", 8)
    monkeypatch.setattr(trigger_matches, "MOST_JUDGED", 5)
    by_number, by_size = Shown(), Shown()

    summary = await _read(store, trigger, by_number)
    monkeypatch.setattr(trigger_matches, "MOST_BYTES", 300)
    await _read(store, trigger, by_size)

    assert (summary.events, summary.is_cut, summary.judged) == (8, True, 5)
    assert by_number.events == ids[:3:-1]
    assert by_size.events == ids[:6:-1]


async def test_one_event_is_looked_at_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    store, shown = MemoryStore(), Shown()
    _, trigger = await _deployed(store, filter="data.a == 1")
    await _record(store, trigger)
    last = await _record(store, trigger)
    monkeypatch.setattr(trigger_matches, "MOST_BYTES", 1)

    await _read(store, trigger, shown)

    assert shown.events == [last]


async def test_secrets_of_the_project_and_the_slug_of_the_webhook_are_covered() -> None:
    store = MemoryStore()
    _, trigger = await _deployed(store, filter='data.a == "correct-horse"')
    await _record(store, trigger, type="correct-horse")
    fields = (
        Field(path='data["correct-horse"]', view='"so correct-horse it is"'),
        Field(path="data.b", view="4711"),
        Field(path="data.c", view='"4711"'),
        Field(path="data.d", view=f'"/webhooks/{trigger.slug}"'),
        Field(path="data.e", view='"and correct-h…"'),
    )
    miss = Miss(condition="a correct-horse", reason="no correct-horse", fields=fields)

    summary = await _read(store, trigger, Shown(miss))

    assert "correct-h" not in repr(summary)
    assert summary.nearest is not None
    views = [each.view for each in summary.nearest.miss.fields]
    assert views == [
        f'"so {MASK} it is"', MASK, MASK, f'"/webhooks/{MASK}"', f'"and {MASK}…"'
    ]  # fmt: skip
