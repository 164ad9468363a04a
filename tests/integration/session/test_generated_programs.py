"""Concurrent programs made up at random, killed at random: each replay takes the same path."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.session_peer import SessionPeer
from tests.integration.session.handlers import PRELUDE

INTERPRETER = (
    PRELUDE
    + """
class World:
    def __init__(self):
        self.trace = []
        self.queue = asyncio.Queue()
        self.lock = asyncio.Lock()

async def run(world, program):
    for op, *args in program:
        if op == "slow":
            world.trace.append(await slow(args[0], args[1] / 1000))
        elif op == "effect":
            world.trace.append(effect(args[0]))
        elif op == "ride":
            world.trace.append(random.random())
        elif op == "sleep":
            await asyncio.sleep(args[0] / 1000)
            world.trace.append("slept")
        elif op == "yield":
            await asyncio.sleep(0)
        elif op == "gather":
            await asyncio.gather(*(run(world, inner) for inner in args[0]))
        elif op == "first":
            tasks = [asyncio.create_task(run(world, inner)) for inner in args[0]]
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            world.trace.append(len(done))
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        elif op == "timeout":
            try:
                async with asyncio.timeout(args[0] / 1000):
                    await run(world, args[1])
                world.trace.append("in time")
            except TimeoutError:
                world.trace.append("too late")
        elif op == "put":
            world.queue.put_nowait(len(world.trace))
        elif op == "get":
            try:
                world.trace.append(await asyncio.wait_for(world.queue.get(), args[0] / 1000))
            except TimeoutError:
                world.trace.append("empty")
        elif op == "locked":
            async with world.lock:
                await run(world, args[0])
        elif op == "fails":
            try:
                fail(args[0], ValueError(args[0]))
            except ValueError as exc:
                world.trace.append(repr(exc))

async def handler(event):
    world = World()
    await run(world, event.data["program"])
    return world.trace
"""
)


def make_program(chance: random.Random, depth: int = 0) -> list[Any]:
    return [make_step(chance, depth) for _ in range(chance.randint(1, 4))]


def make_step(chance: random.Random, depth: int) -> list[Any]:
    label = f"l{chance.getrandbits(40):x}"
    simple: list[list[Any]] = [
        ["slow", label, chance.randint(0, 6)],
        ["slow", label, chance.randint(0, 6)],
        ["effect", label],
        ["ride"],
        ["sleep", chance.randint(0, 6)],
        ["yield"],
        ["put"],
        ["get", chance.randint(1, 6)],
        ["fails", label],
    ]
    if depth >= 3 or chance.random() < 0.5:
        return chance.choice(simple)
    many = [make_program(chance, depth + 1) for _ in range(chance.randint(1, 3))]
    return chance.choice(
        [
            ["gather", many],
            ["gather", many],
            ["first", many],
            ["timeout", chance.randint(1, 8), many[0]],
            ["locked", many[0]] if depth == 0 else ["yield"],
        ]
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_killed_program_ends_in_a_trace_that_replays_exactly(tmp_path: Path, seed: int):
    chance = random.Random(seed)  # noqa: S311 - a seed that can be repeated
    program = [["gather", [make_program(chance) for _ in range(3)]], ["effect", "end"]]
    peer = SessionPeer(
        tmp_path,
        {"main.py": INTERPRETER},
        event={"id": None, "type": None, "data": {"program": program}},
    )

    result = peer.run(kill_at=chance.randint(1, 8))
    for _ in range(10):
        if result.done is None:
            kill_at = len(peer.entries) + chance.randint(1, 8)
            result = peer.run(kill_at=kill_at, kill_before_recording=chance.random() < 0.3)
    if result.done is None:
        result = peer.run()
    length = len(peer.entries)
    again = peer.run()

    assert result.done is not None
    assert again.result == result.result
    assert len(peer.entries) == length
