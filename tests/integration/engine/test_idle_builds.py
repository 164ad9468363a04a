"""A runner host asks which of its idle builds may go."""

from __future__ import annotations

import json
from typing import Any

import anyio
import anyio.lowlevel

from hookline_runner.frames import LINK_CHANNEL, FrameType
from hookline_service.model.projects import DeploymentState
from hookline_service.storage.protocols import Store
from tests.builders.engine import EngineRig, prepared, running_engine
from tests.builders.projects import a_release
from tests.fakes.refusing_store import RefusingStore
from tests.fakes.runner_host import FakeRunnerHost


async def unneeded_of(host: FakeRunnerHost, builds: list[str]) -> Any:
    await host.send(FrameType.IDLE_BUILDS, LINK_CHANNEL, {"builds": builds})
    with anyio.fail_after(10):
        while True:
            for frame in host.heard:
                if frame.type is FrameType.UNNEEDED:
                    return json.loads(frame.header)
            await anyio.lowlevel.checkpoint()


async def test_a_host_learns_which_builds_nothing_needs(rig: EngineRig) -> None:
    former = await prepared(rig.store, a_release())
    await rig.store.set_deployment_state(former.deployment.id, DeploymentState.INACTIVE)
    async with rig.host() as host:
        await rig.connected()
        answer = await unneeded_of(host, [rig.release.build.id, former.build.id, "bld_unknown"])

    assert answer == {"builds": [former.build.id, "bld_unknown"]}


async def test_while_the_store_cannot_be_read_nothing_may_go(store: Store) -> None:
    release = await prepared(store)
    refusing = RefusingStore(store)
    refusing.refuse_times("list_needed_builds", 1)
    async with running_engine(refusing, release) as rig, rig.host() as host:
        await rig.connected()
        await host.send(FrameType.IDLE_BUILDS, LINK_CHANNEL, {"builds": ["bld_1"]})
        answer = await unneeded_of(host, ["bld_2"])

    assert answer == {"builds": ["bld_2"]}
