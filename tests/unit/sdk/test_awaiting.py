"""The waiting functions of `hookline`, awaited as they stand: outside a session, and under test."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hookline
from hookline import Event, Signal, host
from hookline.testing import Project

# `await` with the plain functions is for handlers; type checkers know only `hookline.aio`.
next_event: Any = hookline.next_event
next_signal: Any = hookline.next_signal
sleep: Any = hookline.sleep


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project(tmp_path) as made:
        yield made


@pytest.fixture
def _stand_in() -> Iterator[None]:
    host.uninstall()
    yield
    host.uninstall()


@pytest.mark.usefixtures("_stand_in")
def test_outside_a_session_nothing_comes_for_who_awaits() -> None:
    async def handler() -> list[object]:
        await sleep(0)
        in_place = [await next_event(one) for one in ("a", ["b"], [])]
        return [*in_place, await next_signal("x"), await functools.partial(next_signal, "y")()]

    assert asyncio.run(handler()) == [None] * 5


@pytest.mark.usefixtures("_stand_in")
def test_only_the_call_that_is_awaited_itself_gives_a_coroutine() -> None:
    async def other(value: object) -> object:
        return value

    async def handler() -> list[object]:
        return [
            next_event("a"),
            await other(next_event("a")),
            [next_signal("x"), await other(1)],
        ]

    assert asyncio.run(handler()) == [None, None, [None, 1]]


@pytest.mark.usefixtures("_stand_in")
def test_a_coroutine_that_no_loop_runs_waits_as_plain_code_does() -> None:
    async def handler() -> object:
        return await next_event("a")

    with pytest.raises(TypeError, match="NoneType"):
        handler().send(None)


def test_a_handler_under_test_awaits_them_as_they_stand(project: Project) -> None:
    async def handler(_event: Event) -> object:
        orders = hookline.subscribe("orders")
        ticks: list[int] = []

        async def tick() -> None:
            for number in range(3):
                await sleep(10)
                ticks.append(number)

        task = asyncio.get_running_loop().create_task(tick())
        first = await next_event(orders)
        second = await next_event([orders], timeout=60, full=True)
        late = await next_signal("go", timeout=60)
        await task
        return [first, second.data, late, ticks, await next_signal("go")]

    session = project.run(handler)
    assert session.waits_for == ["orders"]
    project.send("orders", {"n": 1})
    project.send("orders", {"n": 2})
    project.advance(60)
    project.signal(session, "go", 3)

    assert session.result == [{"n": 1}, {"n": 2}, None, [0, 1, 2], Signal("go", 3)]
