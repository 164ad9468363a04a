"""Filters that take long, in processes that can be ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from hookline_service.dispatcher import judging
from hookline_service.dispatcher.judging import WorkerJudge
from hookline_service.model.ids import ProjectId
from hookline_triggers.filters import Explanation, compile_filter

pytestmark = pytest.mark.slow

OURS, THEIRS = ProjectId("prj_ours"), ProjectId("prj_theirs")
SLOW = "data.a.map(x, x in data.b).size() > 0"
ENDLESS = [f"a{number}" for number in range(60_000)]


@pytest.fixture
async def judge() -> AsyncIterator[WorkerJudge]:
    judge = WorkerJudge()
    yield judge
    await judge.aclose()


async def _explain(
    judge: WorkerJudge, text: str, project: ProjectId = OURS, **data: Any
) -> Explanation:
    made = compile_filter(text)
    return await judge.explain(project, made, "post", lambda: data, 1_000_000)


async def test_a_filter_that_takes_long_is_judged_as_any_other(judge: WorkerJudge) -> None:
    few = ENDLESS[:300]

    is_match = await _explain(judge, "data.a.exists(x, x in data.b)", a=few, b=[few[-1]] * 300)
    is_none = await _explain(judge, "data.a.exists(x, x in data.b)", a=few, b=["b"] * 300)
    failed = await _explain(judge, "data.a.all(x, x in data.b && x.y)", a=few, b=few)

    assert is_match == Explanation(is_match=True)
    assert is_none == Explanation(is_match=False, reason="false")
    assert not failed.is_match
    assert failed.reason


async def test_a_filter_that_takes_too_long_takes_no_event_and_says_so(judge: WorkerJudge) -> None:
    endless = await _explain(judge, SLOW, a=ENDLESS, b=ENDLESS)
    after = await _explain(judge, "data.a.exists(x, x in data.b)", a=["a"] * 300, b=["a"] * 300)

    assert endless == Explanation(is_match=False, reason=judging._SLOW)
    assert after.is_match


async def test_others_have_their_turn_meanwhile(judge: WorkerJudge) -> None:
    ticks = 0
    done = anyio.Event()

    async def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            await anyio.sleep(0.01)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        await _explain(judge, SLOW, a=ENDLESS, b=ENDLESS)
        done.set()

    assert ticks > 10


async def test_the_filters_of_one_project_wait_for_each_other_and_no_other_projects_do(
    judge: WorkerJudge,
) -> None:
    ended: list[str] = []

    async def one(project: ProjectId, data: list[str]) -> None:
        await _explain(judge, SLOW, project, a=data, b=data)
        ended.append(project)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(one, OURS, ENDLESS)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(one, THEIRS, ["a"] * 300)

    assert ended.index(THEIRS) < 2


async def test_a_process_that_was_killed_is_replaced(judge: WorkerJudge) -> None:
    small = {"a": ["a"] * 300, "b": ["a"] * 300}
    await _explain(judge, SLOW, **small)
    judge._idle[0]._process.kill()

    killed = await _explain(judge, SLOW, **small)
    again = await _explain(judge, SLOW, **small)

    assert killed.reason == judging._ENDED
    assert again.is_match
