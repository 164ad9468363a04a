from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest

from hookline.errors import UnavailableError
from hookline_service.model.errors import ProjectNotFoundError
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import Session
from hookline_service.use_cases.projects import create_project, delete_project, get_project
from tests.builders.moments import next_moment
from tests.builders.service import a_service


async def test_a_project_is_found_by_name_and_by_id():
    service = a_service()
    await service.deploy()

    by_name = await get_project(service.store, "hello")

    assert await get_project(service.store, by_name.id) == by_name


@pytest.mark.parametrize("key", ["nope", "prj_nope"])
async def test_an_unknown_project_is_not_found(key: str):
    with pytest.raises(ProjectNotFoundError):
        await get_project(a_service().store, key)


async def test_deleting_a_project_stops_what_it_runs_and_leaves_nothing():
    service = a_service()
    deployed = await service.deploy()
    async with service.client() as client:
        await client.post(deployed["triggers"][0]["url"])
    project = await get_project(service.store, "hello")

    await delete_project(service.store, service.engine, project)

    assert await service.store.list_projects() == []
    assert await service.store.list_triggers(None) == []


@dataclass
class SlowStops:
    """An engine in which no stop comes through before so many are asked for at once."""

    engine: Any
    together: int
    asked: int = 0

    def __post_init__(self) -> None:
        self.is_enough = anyio.Event()

    async def stop(self, session_id: SessionId, **fields: Any) -> Session:
        self.asked += 1
        if self.asked == self.together:
            self.is_enough.set()
        await self.is_enough.wait()
        return await self.engine.stop(session_id, **fields)


async def test_many_sessions_of_a_project_are_stopped_together():
    service = a_service()
    deployed = await service.deploy()
    async with service.client() as client:
        await client.post(deployed["triggers"][0]["url"])
    project = await get_project(service.store, "hello")
    (started, _) = service.engine.started[0]
    copies = [
        replace(
            started,
            id=SessionId(f"ses_{number:03}"),
            created_at=next_moment(),
        )
        for number in range(250)
    ]
    await service.store.add_sessions(copies)
    engine: Any = SlowStops(service.engine, together=50)

    with anyio.fail_after(10):
        await delete_project(service.store, engine, project)

    assert engine.asked == 251
    assert await service.store.list_projects() == []


async def test_a_project_is_not_deleted_when_a_session_cannot_be_stopped():
    service = a_service()
    deployed = await service.deploy()
    async with service.client() as client:
        await client.post(deployed["triggers"][0]["url"])
    project = await get_project(service.store, "hello")

    class Refusing:
        async def stop(self, *_: Any, **__: Any) -> Session:
            raise UnavailableError("not now")

    engine: Any = Refusing()
    with pytest.raises(UnavailableError, match="not now"):
        await delete_project(service.store, engine, project)

    assert await service.store.list_projects() == [project]


async def test_of_a_misspelt_project_the_one_like_it_is_named():
    service = a_service()
    await create_project(service.store, service.clock, "bad")

    with pytest.raises(ProjectNotFoundError) as refused:
        await get_project(service.store, "bda")

    assert refused.value.message == "project 'bda' not found; did you mean 'bad'?"
