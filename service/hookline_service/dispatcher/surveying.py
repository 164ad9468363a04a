"""Asking a filter about many recorded events, for whoever wonders why it takes none: in a process of its own, within bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import anyio

from hookline import json_text
from hookline.errors import RateLimitedError
from hookline_service.dispatcher.filter_process import FilterProcess
from hookline_service.model.events import Event
from hookline_service.model.ids import EventId
from hookline_triggers.near_misses import Field, Miss

BUDGET_S: Final = 10.0
_EVENT_S: Final = 1.0
_QUEUE_S: Final = 5.0
_MOST_PROCESSES: Final = 3
_MODULE: Final = "hookline_triggers.miss_worker"


@dataclass(slots=True, kw_only=True)
class Survey:
    """What a filter says of the events that were shown to it, `judged` of them.

    `held` says for each of the `conditions` how often it held among those that were not taken. `nearest` is the first event for which
    most of them held, `best` of them. `unjudged` are those on which it was too much work.
    """

    judged: int = 0
    matched: int = 0
    unjudged: int = 0
    conditions: tuple[str, ...] = ()
    held: list[int] = field(default_factory=list[int])
    nearest: EventId | None = None
    best: int = -1
    miss: Miss | None = None


class Surveyor(Protocol):
    """Shows events to filters."""

    async def survey(self, text: str, events: AsyncIterator[Event]) -> Survey:
        """What the filter of this text says of the events, as many as there is time for. Raises `RateLimitedError` when others wait."""
        ...


class WorkerSurveyor:
    """One survey at a time, of ten seconds at most: nobody but the one who asked waits for it."""

    def __init__(self, *, budget_s: float = BUDGET_S, event_s: float = _EVENT_S) -> None:
        self._room = anyio.Lock()
        self._budget_s = budget_s
        self._event_s = event_s

    async def survey(self, text: str, events: AsyncIterator[Event]) -> Survey:
        """See `Surveyor.survey`."""
        with anyio.move_on_after(_QUEUE_S) as queue:
            async with self._room:
                queue.deadline = float("inf")
                survey = Survey()
                with anyio.move_on_after(self._budget_s):
                    await self._show(survey, text, events)
                return survey
        raise RateLimitedError(
            "another trigger's events are being looked at; try again in a few seconds"
        )

    async def _show(self, survey: Survey, text: str, events: AsyncIterator[Event]) -> None:
        for _ in range(_MOST_PROCESSES):
            process = await FilterProcess.start(_MODULE, self._event_s)
            try:
                if await self._show_to(process, survey, text, events):
                    return
            finally:
                with anyio.CancelScope(shield=True):
                    await process.aclose()

    async def _show_to(
        self, process: FilterProcess, survey: Survey, text: str, events: AsyncIterator[Event]
    ) -> bool:
        """Whether all events were shown; false when one of them ended the process."""
        head = await process.ask(json_text.write_bytes({"filter": text}) + b"\n")
        if head is None:
            return False
        survey.conditions = tuple(json_text.read(head)["conditions"])
        survey.held = survey.held or [0] * len(survey.conditions)
        async for event in events:
            line = await process.ask(_request(event))
            survey.judged += 1
            if line is None:
                survey.unjudged += 1
                return False
            _count(survey, event, json_text.read(line))
        return True


def _request(event: Event) -> bytes:
    body = event.body
    head = {
        "type": event.type,
        "data": len(event.data),
        "body": None if body is None else len(body),
    }
    return json_text.write_bytes(head) + b"\n" + event.data + (body or b"")


def _count(survey: Survey, event: Event, answer: dict[str, Any]) -> None:
    if answer["match"]:
        survey.matched += 1
        return
    held: list[bool] = answer["held"]
    survey.held = [count + is_held for count, is_held in zip(survey.held, held, strict=True)]
    if sum(held) > survey.best and "miss" in answer:
        survey.best, survey.nearest = sum(held), event.id
        survey.miss = _miss_of(answer["miss"])


def _miss_of(answer: dict[str, Any]) -> Miss:
    fields = tuple(Field(path=each["path"], view=each["view"]) for each in answer["fields"])
    return Miss(
        condition=answer["condition"], reason=answer["reason"], fields=fields, note=answer["note"]
    )
