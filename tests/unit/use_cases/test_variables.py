from __future__ import annotations

import pytest

from hookline_service.model.errors import VariableNotFoundError
from hookline_service.model.secret import MASK
from hookline_service.use_cases.variables import (
    NewVariable,
    VariableInvalidError,
    delete_variable,
    list_variables,
    set_variable,
)
from tests.builders.service import ServiceInMemory, a_service


async def _deployed():
    service = a_service()
    await service.deploy()
    project = await service.store.find_project("hello")
    assert project is not None
    return service, project.id


async def _set(service: ServiceInMemory, project_id, **fields):
    services = service.services
    new = NewVariable(**{"scope": "", "name": "X", "value": "1", **fields})
    return await set_variable(services.store, services.box, services.clock, project_id, new)


async def test_the_answer_to_setting_a_secret_is_stars():
    service, project_id = await _deployed()

    shown = await _set(service, project_id, value="hunter2", is_secret=True)

    assert shown.value == MASK
    assert b"hunter2" not in shown.variable.value


async def test_a_secret_stays_one_when_only_its_value_is_set():
    service, project_id = await _deployed()

    shown = await _set(service, project_id, name="API_KEY", value="other")

    assert shown.variable.is_secret


async def test_listing_one_scope_leaves_the_others_out():
    service, project_id = await _deployed()

    shown = await list_variables(service.store, service.services.box, project_id, scope="chat")

    assert shown == []


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "X-Y"},
        {"name": "A=B"},
        {"name": "Ä"},
        {"name": "X" * 129},
        {"value": "a\0b"},
        {"value": "x" * 65_537},
        {"scope": "absent"},
    ],
)
async def test_what_no_environment_can_hold_is_refused(fields):
    service, project_id = await _deployed()

    with pytest.raises(VariableInvalidError):
        await _set(service, project_id, **fields)


async def test_deleting_what_is_not_there_is_told():
    service, project_id = await _deployed()

    with pytest.raises(VariableNotFoundError):
        await delete_variable(service.store, project_id, "", "NOPE")
