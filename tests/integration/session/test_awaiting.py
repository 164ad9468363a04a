"""The waiting functions of `hookline`, awaited as they stand: in an `async` handler that is durable, and in one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.session_peer import SessionPeer
from tests.integration.session.handlers import PRELUDE


@pytest.fixture(params=[True, False], ids=["durable", "plain"])
def durable(request: pytest.FixtureRequest) -> bool:
    return request.param


def peer_of(tmp_path: Path, code: str, *, durable: bool) -> SessionPeer:
    return SessionPeer(tmp_path, {"main.py": PRELUDE + code}, durable=durable)


def test_a_waiting_function_is_awaited_as_it_stands(tmp_path: Path, durable: bool):
    code = """
async def handler(event):
    orders = hookline.subscribe("orders")
    got = await hookline.next_event(orders)
    full = await hookline.next_event([orders], timeout=20, full=True)
    late = await functools.partial(hookline.next_signal, timeout=0.01)("x")
    await hookline.sleep(0.001)
    return [got.n, full.data.n, full.event_type, late, await hookline.next_event([])]
"""
    peer = peer_of(tmp_path, code, durable=durable)
    peer.service.to_come.extend(("sub:orders1", {"n": n}) for n in (1, 2))

    assert peer.run().result == [1, 2, "post", None, None]


def test_the_other_tasks_go_on_while_it_is_awaited(tmp_path: Path, durable: bool):
    code = """
async def handler(event):
    ticks = []
    async def tick():
        for _ in range(20):
            await asyncio.sleep(0.001)
            ticks.append(len(ticks))
    async def wait():
        return await hookline.next_signal("x", timeout=0.5), len(ticks)
    waited, _ = await asyncio.gather(wait(), tick())
    return waited
"""
    assert peer_of(tmp_path, code, durable=durable).run().result == [None, 20]


def test_called_without_await_it_waits_as_ever(tmp_path: Path, durable: bool):
    code = """
def wrapped(name):
    return hookline.next_signal(name)
async def handler(event):
    found = [hookline.next_signal("x").payload, wrapped("y").payload]
    hookline.sleep(0.001)
    try:
        await wrapped("z")
    except TypeError:
        found.append("no awaitable")
    return found
"""
    peer = peer_of(tmp_path, code, durable=durable)
    peer.service.to_come.extend([("sig:x", 1), ("sig:y", 2), ("sig:z", 3)])

    assert peer.run().result == [1, 2, "no awaitable"]


def test_what_is_wrong_in_it_is_said_where_it_is_awaited(tmp_path: Path, durable: bool):
    code = """
async def handler(event):
    said = []
    for wait in (hookline.next_event, hookline.next_signal, hookline.sleep):
        try:
            await wait(None)
        except TypeError as exc:
            said.append(str(exc))
    return said
"""
    assert peer_of(tmp_path, code, durable=durable).run().result == [
        "next_event: subscription must be a str or a list of them, not NoneType",
        "next_signal: name must be a str or a list of them, not NoneType",
        "sleep length must be seconds (int or float) or a timedelta, not NoneType",
    ]
