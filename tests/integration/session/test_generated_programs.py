"""Concurrent programs made up at random, killed at random: each replay takes the same path."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.session_peer import AttemptResult, SessionPeer
from tests.integration.session.handlers import PRELUDE

INTERPRETER = (
    PRELUDE
    + """
tries = collections.Counter()

@activity(retries=2, backoff=0.002, timeout=1)
async def flaky(label, count):
    tries[label] += 1
    await asyncio.sleep(0.001)
    if tries[label] <= count:
        raise ConnectionError(label)
    return label

class World:
    def __init__(self):
        self.trace = []
        self.subscriptions = [hookline.subscribe("orders"), hookline.subscribe("mail")]
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
        elif op == "add":
            world.trace.append(hookline.add_values("n", args[0]))
        elif op == "signal":
            hookline.signal("ses_1", args[0], len(world.trace))
        elif op == "next_signal":
            got = await hookline.next_signal(args[0], timeout=args[1] / 1000)
            world.trace.append(got and got.payload)
        elif op == "next_event":
            got = await hookline.next_event(world.subscriptions[args[0]:], timeout=args[1] / 1000)
            world.trace.append(got and got.n)
        elif op == "give_up":
            try:
                world.trace.append(await asyncio.wait_for(hookline.aio.next_signal(["a", "b"]), args[0] / 1000))
            except TimeoutError:
                world.trace.append("gave up")
        elif op == "blocked":
            got = hookline.next_signal(args[0], timeout=args[1] / 1000)
            world.trace.append(got and got.payload)
        elif op == "flaky":
            try:
                world.trace.append(await flaky(args[0], args[1]))
            except ConnectionError as exc:
                world.trace.append(repr(exc))
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
        ["add", chance.randint(1, 9)],
        ["signal", chance.choice("ab")],
        ["next_signal", chance.choice("ab"), chance.randint(1, 6)],
        ["next_event", chance.randint(0, 1), chance.randint(1, 6)],
        ["give_up", chance.randint(1, 6)],
        ["blocked", chance.choice("ab"), chance.randint(1, 3)],
        ["flaky", label, chance.randint(0, 3)],
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


def run_killing(peer: SessionPeer, chance: random.Random) -> AttemptResult:
    """Attempts until it is done; most are killed, and those that wait may be suspended."""
    for number in range(200):
        options: dict[str, Any] = {"hot_window_s": chance.choice([0.0, 0.003, 5.0])}
        if number < 10:
            options["kill_at"] = len(peer.entries) + chance.randint(1, 8)
            options["kill_before_recording"] = chance.random() < 0.3
        result = peer.run(**options)
        if result.done is not None:
            return result
        if chance.random() < 0.5:
            peer.service.bring_next()
    raise AssertionError("it does not come to an end")


@pytest.mark.parametrize("seed", range(40))
def test_a_killed_program_ends_in_a_trace_that_replays_exactly(tmp_path: Path, seed: int):
    chance = random.Random(seed)  # noqa: S311 - a seed that can be repeated
    program = [["gather", [make_program(chance) for _ in range(3)]], ["effect", "end"]]
    peer = SessionPeer(
        tmp_path,
        {"main.py": INTERPRETER},
        event={"id": None, "type": None, "data": {"program": program}},
    )
    topics = ["sub:orders1", "sub:mail2", "sig:a", "sig:b"]
    for n in range(chance.randint(0, 6)):
        topic = chance.choice(topics)
        peer.service.to_come.append((topic, {"n": n} if topic.startswith("sub:") else n))

    result = run_killing(peer, chance)
    length, calls = len(peer.entries), len(peer.service.applied)
    again = peer.run()

    assert again.result == result.result
    assert len(peer.entries) == length
    assert len(peer.service.applied) == calls
