from __future__ import annotations

import pytest

from hookline_service.model.errors import ProjectNotFoundError
from hookline_service.use_cases.projects import delete_project, get_project
from tests.builders.service import a_service


async def test_a_project_is_found_by_name_and_by_id():
    service = a_service()
    await service.deploy()

    by_name = await get_project(service.store, "hello")

    assert await get_project(service.store, by_name.id) == by_name


@pytest.mark.parametrize("key", ["nope", "prj_nope"])
async def test_an_unknown_project_is_not_found(key):
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
