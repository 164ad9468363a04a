"""Why a trigger takes the events that come, or does not: its type and filter held against those of the last day."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from hookline_service.engine.masking import Mask, mask_of
from hookline_service.model.errors import EventNotFoundError
from hookline_service.model.events import Arrival, Event, connection_source, trigger_source
from hookline_service.model.ids import EventId
from hookline_service.model.projects import Trigger
from hookline_service.model.secret import MASK
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.secrets import SecretBox
from hookline_service.use_cases.variables import open_variable
from hookline_triggers.definitions import TriggerDefinition, TriggerKind
from hookline_triggers.match_summary import MatchSummary, NearestMiss, TypeCount
from hookline_triggers.near_misses import Field, Miss

HOURS: Final = 24
MOST_COUNTED: Final = 10_000
MOST_JUDGED: Final = 500
MOST_BYTES: Final = 16 * 1024 * 1024
_MOST_TYPES: Final = 20


class Surveyed(Protocol):
    """What a filter said; see `dispatcher.surveying.Survey`."""

    judged: int
    matched: int
    unjudged: int
    conditions: tuple[str, ...]
    held: list[int]
    nearest: EventId | None
    best: int
    miss: Miss | None


class Surveying(Protocol):
    """Shows events to filters."""

    async def survey(self, text: str, events: AsyncIterator[Event]) -> Surveyed:
        """See `dispatcher.surveying.Surveyor.survey`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReader:
    """Judges by the trigger as it is now, whatever was in force when an event came; no secret of the project is in what it says."""

    store: Store
    surveyor: Surveying
    box: SecretBox

    async def read(self, trigger: Trigger, now: datetime) -> MatchSummary:
        """What the trigger makes of the events of the last day: see `MatchSummary`.

        Up to 10 000 events are counted, and the newest 500 of the right type, or 16 MB of them, shown to its filter.

        Raises:
            RateLimitedError: others ask the same of other triggers.
        """
        definition = trigger.definition
        since = now - timedelta(hours=HOURS)
        arrivals = await self.store.list_arrivals(
            trigger.project_id, _source_of(trigger), since, MOST_COUNTED + 1
        )
        summary, of_type = _count(definition, arrivals)
        cover = await self._cover(trigger)
        if summary.has_filter and of_type:
            survey = await self.surveyor.survey(definition.filter, self._events(of_type))
            summary = _with_survey(summary, survey, cover)
        return replace(summary, types=tuple(cover.type(each) for each in summary.types))

    async def _events(self, arrivals: Sequence[Arrival]) -> AsyncIterator[Event]:
        size = 0
        is_first = True
        for each in arrivals[:MOST_JUDGED]:
            try:
                event = await self.store.get_event(each.id)
            except EventNotFoundError:
                continue  # its time was over
            size += len(event.data) + len(event.body or b"")
            if size > MOST_BYTES and not is_first:
                return
            is_first = False
            yield event

    async def _cover(self, trigger: Trigger) -> _Cover:
        variables = await self.store.list_variables(trigger.project_id)
        secrets = frozenset(open_variable(self.box, each) for each in variables if each.is_secret)
        # Masks are costly to make: that of the secrets is the one which sessions have, too.
        masks = [mask_of(secrets)]
        if trigger.slug:
            masks.append(mask_of(frozenset([trigger.slug])))
        return _Cover(masks=masks, secrets=secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cover:
    """Covers secrets of the project, and the unguessable part of the trigger's URL."""

    masks: Sequence[Mask]
    secrets: frozenset[str]

    def text(self, text: str) -> str:
        for mask in self.masks:
            text = mask.cover(text)
        return text

    def type(self, count: TypeCount) -> TypeCount:
        return replace(count, type=self.text(count.type))

    def miss(self, miss: Miss) -> Miss:
        cover = self.text
        return Miss(
            condition=cover(miss.condition),
            reason=cover(miss.reason),
            note=cover(miss.note),
            fields=tuple(
                Field(path=cover(each.path), view=self._view(each.view)) for each in miss.fields
            ),
        )

    def _view(self, view: str) -> str:
        # A mask does not look for the shortest of secrets.
        return MASK if view.strip('"') in self.secrets else self.text(view)


def _count(
    definition: TriggerDefinition, arrivals: Sequence[Arrival]
) -> tuple[MatchSummary, Sequence[Arrival]]:
    """What is known without reading the events, and which of them have the right type."""
    counted = arrivals[:MOST_COUNTED]
    wanted = "" if definition.event_type == "*" else definition.event_type
    of_type = [each for each in counted if wanted in ("", each.type)]
    summary = MatchSummary(
        hours=HOURS,
        wanted_type=wanted,
        has_filter=definition.filter.strip() not in ("", "."),
        events=len(counted),
        is_cut=len(arrivals) > MOST_COUNTED,
        types=_types(counted),
        of_type=len(of_type),
        judged=len(of_type),
        matched=len(of_type),
    )
    return summary, of_type


def _with_survey(summary: MatchSummary, survey: Surveyed, cover: _Cover) -> MatchSummary:
    nearest = None
    if survey.nearest is not None and survey.miss is not None:
        nearest = NearestMiss(
            event_id=survey.nearest, held=survey.best, miss=cover.miss(survey.miss)
        )
    return replace(
        summary,
        judged=survey.judged,
        matched=survey.matched,
        unjudged=survey.unjudged,
        conditions=tuple(cover.text(each) for each in survey.conditions),
        held=tuple(survey.held),
        nearest=nearest,
    )


def _source_of(trigger: Trigger) -> str:
    if trigger.definition.kind is TriggerKind.CONNECTION:
        return connection_source(trigger.definition.connection)
    return trigger_source(trigger.id)


def _types(arrivals: Sequence[Arrival]) -> tuple[TypeCount, ...]:
    counts = Counter(each.type for each in arrivals)
    return tuple(
        TypeCount(type=type_, events=number) for type_, number in counts.most_common(_MOST_TYPES)
    )
