from __future__ import annotations

import pytest

from hookline_service.model.errors import DeploymentNotFoundError
from hookline_service.model.ids import DeploymentId
from hookline_service.model.projects import DeploymentState
from hookline_service.use_cases.deployments import activate_deployment
from tests.builders.service import PROJECT, ServiceInMemory, a_service


async def _activate(service: ServiceInMemory, deployment_id: str):
    services = service.services
    return await activate_deployment(
        services.store, services.schedule_lock, services.clock, DeploymentId(deployment_id)
    )


async def test_activating_an_older_deployment_brings_its_triggers_back():
    service = a_service()
    first = await service.deploy()
    manifest = PROJECT["hookline.yaml"].replace("name: nightly", "name: weekly")
    await service.deploy({**PROJECT, "hookline.yaml": manifest})

    deployment = await _activate(service, first["deployment"])

    names = {each.definition.name for each in await service.store.list_triggers(None)}
    assert deployment.state is DeploymentState.ACTIVE
    assert names == {"incoming", "nightly"}


async def test_a_rolled_back_webhook_has_the_url_it_had():
    service = a_service()
    first = await service.deploy()
    await service.deploy({**PROJECT, "other.py": ""})

    await _activate(service, first["deployment"])

    (webhook,) = [each for each in await service.store.list_triggers(None) if each.slug]
    assert first["triggers"][0]["url"].endswith(webhook.slug)


async def test_the_deployment_that_was_active_is_so_no_more():
    service = a_service()
    first = await service.deploy()
    second = await service.deploy({**PROJECT, "other.py": ""})

    await _activate(service, first["deployment"])

    former = await service.store.get_deployment(DeploymentId(second["deployment"]))
    assert former.state is DeploymentState.INACTIVE


async def test_activating_the_active_one_changes_nothing():
    service = a_service()
    first = await service.deploy()
    before = await service.store.list_triggers(None)

    await _activate(service, first["deployment"])

    assert await service.store.list_triggers(None) == before


async def test_an_unknown_deployment_is_told_so():
    with pytest.raises(DeploymentNotFoundError):
        await _activate(a_service(), "dep_nope")


async def test_activating_an_older_deployment_brings_its_connections_back():
    service = a_service()
    manifest = (
        PROJECT["hookline.yaml"] + "  connections:\n    - name: chat\n      integration: slack\n"
    )
    first = await service.deploy({**PROJECT, "hookline.yaml": manifest})
    await service.deploy()

    deployment = await _activate(service, first["deployment"])

    (connection,) = await service.store.list_connections(deployment.project_id)
    assert (connection.name, connection.integration) == ("chat", "slack")
