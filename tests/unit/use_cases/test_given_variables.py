from __future__ import annotations

import json

import pytest

from hookline_service.manifest.files import ArchiveInvalidError
from hookline_service.model.errors import ProjectInvalidError
from hookline_service.use_cases.deploy import Deployed, Deployer, DeployRequest
from hookline_service.use_cases.given_variables import GIVEN_FILE, read_given
from hookline_service.use_cases.variables import NewVariable, list_variables, set_variable
from tests.builders.service import ServiceInMemory, a_service, a_tar

MANIFEST = """
project:
  name: gate
  vars:
    - {name: SECRET, secret: true, required: true}
    - {name: LIMIT, value: "5"}
  connections:
    - {name: chat, integration: slack}
  triggers:
    - {name: incoming, type: webhook, call: "main.py:on_call"}
"""
FILES = {"hookline.yaml": MANIFEST, "main.py": "def on_call(event):\n    pass\n"}


async def _deploy(service: ServiceInMemory, given: object = None, **wanted) -> Deployed:
    services = service.services
    deployer = Deployer(
        store=services.store,
        preparer=services.preparer,
        box=services.box,
        clock=services.clock,
        settings=services.settings,
        lock=services.schedule_lock,
        on_schedules_changed=services.on_schedules_changed,
        on_project_changed=services.on_project_changed,
    )

    async def progress(_: str) -> None:
        return

    files = FILES if given is None else {**FILES, GIVEN_FILE: json.dumps(given)}
    return await deployer.deploy(DeployRequest(archive=a_tar(files), **wanted), progress)


async def _values(service: ServiceInMemory) -> dict[str, tuple[str, bool]]:
    project = await service.store.find_project("gate")
    assert project is not None
    shown = await list_variables(service.store, service.services.box, project.id, reveal=True)
    return {
        f"{one.variable.scope}/{one.variable.name}": (one.value, one.variable.is_secret)
        for one in shown
    }


async def test_a_first_deploy_finds_the_required_value_that_goes_with_it():
    service = a_service()

    await _deploy(service, {"SECRET": "s3cret", "LIMIT": "7", "chat/token": "xoxb"})

    assert await _values(service) == {
        "/SECRET": ("s3cret", True),
        "/LIMIT": ("7", False),
        "chat/token": ("xoxb", True),
    }


async def test_the_build_is_the_same_whatever_values_are_given():
    service = a_service()
    first = await _deploy(service, {"SECRET": "one"})

    second = await _deploy(service, {"SECRET": "two"})

    assert second.build_id == first.build_id
    assert (await _values(service))["/SECRET"] == ("two", True)


async def test_a_failed_deploy_keeps_no_value():
    service = a_service()
    await _deploy(service, {"SECRET": "one"})

    with pytest.raises(ProjectInvalidError):
        await _deploy(service, {"SECRET": "two", "SECERT": "x"})

    assert (await _values(service))["/SECRET"] == ("one", True)


async def test_a_dry_run_checks_with_the_values_and_keeps_none():
    service = a_service()

    await _deploy(service, {"SECRET": "one"}, is_dry_run=True)

    assert await service.store.list_projects() == []


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        ("SECERT", "given for 'SECERT', which the manifest does not declare", "'SECRET'"),
        ("caht/token", "there is no connection 'caht'", "did you mean 'chat/token'?"),
        ("WHOLLY_OTHER", "does not declare", "declare it under `vars`; there are SECRET, LIMIT"),
        ("", "does not declare", "declare it"),
    ],
)
async def test_a_value_for_what_is_not_declared_is_a_finding(key: str, message: str, hint: str):
    with pytest.raises(ProjectInvalidError) as caught:
        await _deploy(a_service(), {"SECRET": "one", key: "x"})

    finding = next(one for one in caught.value.findings if one.code == "var.undeclared")
    assert message in finding.message
    assert hint in finding.hint


@pytest.mark.parametrize("content", [b"nope", b"[]", b'{"A": 1}', b'{"A": "\\u0000"}', b"\xff"])
def test_what_is_no_object_of_texts_is_refused(content: bytes):
    with pytest.raises(ArchiveInvalidError, match=r"variables\.json"):
        read_given(content)


async def test_a_variable_set_by_hand_is_what_the_manifest_declares():
    service = a_service()
    await _deploy(service, {"SECRET": "one"})
    project = await service.store.find_project("gate")
    assert project is not None
    await service.store.delete_variable(project.id, "", "SECRET")

    new = NewVariable(scope="", name="SECRET", value="again")
    shown = await set_variable(
        service.store, service.services.box, service.services.clock, project.id, new
    )

    assert shown.variable.is_secret


async def test_a_name_that_the_connections_helper_does_not_read_is_doubted():
    service = a_service()
    await _deploy(service, {"SECRET": "one"})
    project = await service.store.find_project("gate")
    assert project is not None
    services = service.services

    shown = [
        await set_variable(
            service.store,
            services.box,
            services.clock,
            project.id,
            NewVariable(scope="chat", name=name, value="x"),
        )
        for name in ("private_bot_token", "api_key")
    ]

    assert [one.doubt for one in shown] == [
        "",
        "the helper of slack reads private_bot_token, not api_key",
    ]
