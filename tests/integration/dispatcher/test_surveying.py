"""Many events and one filter, in a process that can be ended."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest

from hookline.errors import RateLimitedError
from hookline_service.dispatcher import surveying
from hookline_service.dispatcher.surveying import Survey, WorkerSurveyor
from hookline_service.model.events import Event
from tests.builders.events import an_event
from tests.builders.projects import a_definition, a_release

pytestmark = pytest.mark.slow

RELEASE = a_release(definitions=[a_definition()])
FILTER = 'data.method == "POST" && data.body.json.kind == "Push"'
SLOW = "data.body.json.a.map(x, x in data.body.json.b).size() > 0"
ENDLESS = [f"a{number}" for number in range(60_000)]


def _event(**body: Any) -> Event:
    return an_event(RELEASE.triggers[0], body=json.dumps(body).encode())


async def _each(events: Sequence[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event


async def _survey(text: str, *events: Event, surveyor: WorkerSurveyor | None = None) -> Survey:
    return await (surveyor or WorkerSurveyor()).survey(text, _each(events))


async def test_a_filter_is_asked_about_each_event_and_the_newest_of_the_nearest_is_described() -> (
    None
):
    far = an_event(RELEASE.triggers[0], data=b'{"method": "GET"}', body=None)
    near, as_near, taken = _event(kind="push"), _event(kind="ping"), _event(kind="Push")

    survey = await _survey(FILTER, far, near, as_near, taken)

    assert (survey.judged, survey.matched, survey.unjudged) == (4, 1, 0)
    assert survey.conditions == ('data.method == "POST"', 'data.body.json.kind == "Push"')
    assert survey.held == [2, 0]
    assert (survey.nearest, survey.best) == (near.id, 1)
    assert survey.miss is not None
    assert [each.view for each in survey.miss.fields] == ['"push"']


async def test_an_event_that_takes_too_long_is_told_and_the_others_are_judged() -> None:
    surveyor = WorkerSurveyor(budget_s=60)

    survey = await _survey(
        SLOW, _event(a=ENDLESS, b=ENDLESS), _event(a=["a"], b=[]), surveyor=surveyor
    )

    assert (survey.judged, survey.matched, survey.unjudged) == (2, 1, 1)


async def test_a_survey_ends_when_its_time_is_over() -> None:
    events = [_event(a=ENDLESS, b=ENDLESS)] * 5

    survey = await _survey(SLOW, *events, surveyor=WorkerSurveyor(budget_s=3, event_s=60))

    assert survey.judged == 0


async def test_events_that_end_one_process_after_the_other_end_the_survey() -> None:
    events = [_event(a=ENDLESS, b=ENDLESS)] * 9

    survey = await _survey(SLOW, *events, surveyor=WorkerSurveyor(budget_s=300, event_s=0.1))

    assert (survey.judged, survey.unjudged) == (3, 3)


async def test_one_who_would_wait_for_long_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    surveyor = WorkerSurveyor(budget_s=300)
    going_on, may_end = anyio.Event(), anyio.Event()

    async def slow_events() -> AsyncIterator[Event]:
        going_on.set()
        await may_end.wait()
        yield _event(kind="Push")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(surveyor.survey, FILTER, slow_events())
        await going_on.wait()
        monkeypatch.setattr(surveying, "_QUEUE_S", 0.0)
        with pytest.raises(RateLimitedError):
            await _survey(FILTER, _event(), surveyor=surveyor)
        may_end.set()
        monkeypatch.undo()

    assert (await _survey(FILTER, _event(kind="Push"), surveyor=surveyor)).matched == 1
