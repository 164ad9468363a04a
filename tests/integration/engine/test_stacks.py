"""Where a session hangs is asked of its process, and whatever that says ends nobody's attempt."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from hookline_runner.frames import FrameType
from hookline_service.engine.protocol import StackReport
from hookline_service.model.errors import SessionFinalError, StackNotTakenError
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import SessionState
from tests.builders.engine import EngineRig
from tests.fakes.runner_host import FakeRunnerHost, Seen

GOOD: dict[str, Any] = {
    "stacks": [["thread", "MainThread", [["main.py", 3, "handler", "loop()"]]]],
    "omitted": 0,
    "dump": False,
}
HOSTILE = [
    b"{",
    b"[]",
    b"{}",
    b'{"stacks":7,"omitted":0,"dump":false}',
    json.dumps(GOOD | {"stacks": [["thread"]]}).encode(),
    json.dumps(GOOD | {"stacks": [["thread", 7, []]]}).encode(),
    json.dumps(GOOD | {"stacks": [["thread", "a", [["f", -1, "g", ""]]]]}).encode(),
    json.dumps(GOOD | {"stacks": [["thread", "a", [["f", 10**30, "g", ""]]]]}).encode(),
    b"[" * 100_000,
]


async def ask(rig: EngineRig, host: FakeRunnerHost, seen: Seen, header: bytes) -> list[StackReport]:
    """Ask, and have the process answer with this header."""
    reports: list[StackReport] = []
    before = seen.stack_requests

    async def get() -> None:
        reports.append(await rig.engine.stacks.get_stack(SessionId(seen.session)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(get)
        await seen.until(lambda seen: seen.stack_requests > before)
        await host.send_raw(FrameType.STACK_TAKEN, seen.channel, header)
    return reports


async def test_the_answer_of_the_process_is_the_report(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        [report] = await ask(rig, host, seen, json.dumps(GOOD).encode())
        many = [["task", "t" * 900, [["f" * 600, 1, "g", "s"]] * 130]] * 9 + [
            ["task", "t", []]
        ] * 400
        [large] = await ask(rig, host, seen, json.dumps(GOOD | {"stacks": many}).encode())
        await host.done(seen)
        await rig.until(session)
        with pytest.raises(SessionFinalError):
            await rig.engine.stacks.get_stack(session.id)

    assert report.stacks[0].frames[0].source == "loop()"
    assert (len(large.stacks), len(large.stacks[0].frames)) == (300, 110)
    assert len(large.stacks[0].name) == len(large.stacks[0].frames[0].file) == 400


@pytest.mark.parametrize("header", HOSTILE)
async def test_an_answer_that_cannot_be_read_is_none_and_ends_nothing(
    rig: EngineRig, header: bytes
) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await host.send_raw(FrameType.STACK_TAKEN, seen.channel, header)
        with pytest.raises(ExceptionGroup) as refused:
            await ask(rig, host, seen, header)
        [report] = await ask(rig, host, seen, json.dumps(GOOD).encode())
        await host.done(seen)
        ended = await rig.until(session)

    assert refused.group_contains(StackNotTakenError)
    assert report.stacks
    assert ended.state is SessionState.COMPLETED
    assert ended.attempt == 1


async def test_a_host_of_an_older_version_is_not_asked(rig: EngineRig) -> None:
    host = rig.host()
    host.features = []
    async with host:
        session = await rig.start()
        seen = await host.next_start()
        with pytest.raises(StackNotTakenError, match="older than this service"):
            await rig.engine.stacks.get_stack(session.id)
        await host.done(seen)
        await rig.until(session)
