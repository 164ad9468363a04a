"""Of many who wait in one session, those ask again for whom something has come."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.session_peer import SessionPeer
from tests.integration.session.handlers import PRELUDE

COUNT = 30

MANY_TASKS = f"""
async def handler(event):
    tasks = [asyncio.create_task(hookline.aio.next_signal(f"s{{n}}")) for n in range({COUNT})]
    await asyncio.sleep(0.001)
    for n in reversed(range({COUNT})):
        hookline.signal("ses_1", f"s{{n}}", n)
        await asyncio.sleep(0.001)
    return [one.payload for one in await asyncio.gather(*tasks)]
"""

MANY_THREADS = f"""
def handler(event):
    found = []
    def work(n):
        found.append(hookline.next_signal(f"s{{n}}").payload)
    threads = [threading.Thread(target=work, args=(n,)) for n in range({COUNT})]
    for thread in threads:
        thread.start()
    hookline.next_signal("main", timeout=0.1)
    for n in range({COUNT}):
        hookline.signal("ses_1", f"s{{n}}", n)
    for thread in threads:
        thread.join()
    return sorted(found)
"""


def peer_of(tmp_path: Path, code: str, **start: object) -> SessionPeer:
    return SessionPeer(tmp_path, {"main.py": PRELUDE + code}, **start)


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "plain"])
@pytest.mark.parametrize("code", [MANY_TASKS, MANY_THREADS], ids=["tasks", "threads"])
def test_a_wake_makes_those_ask_again_whom_it_concerns(tmp_path: Path, code: str, *, durable: bool):
    peer = peer_of(tmp_path, code, durable=durable)

    result = peer.run()

    assert result.result == list(range(COUNT))
    assert result.calls.count("take_signal") <= 2 * COUNT + 3


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "plain"])
@pytest.mark.parametrize("code", [MANY_TASKS, MANY_THREADS], ids=["tasks", "threads"])
def test_a_wake_that_names_no_topics_is_for_all(tmp_path: Path, code: str, *, durable: bool):
    peer = peer_of(tmp_path, code, durable=durable)
    peer.names_topics = False

    assert peer.run().result == list(range(COUNT))


@pytest.mark.parametrize(
    "code",
    [
        "def handler(event):\n    return hookline.next_signal('x').payload\n",
        "async def handler(event):\n    return (await hookline.next_signal('x')).payload\n",
    ],
    ids=["main flow", "task"],
)
@pytest.mark.parametrize("durable", [True, False], ids=["durable", "plain"])
def test_what_comes_before_the_reply_that_there_is_nothing_is_not_missed(
    tmp_path: Path, code: str, *, durable: bool
):
    peer = peer_of(tmp_path, code, durable=durable)
    peer.wakes_before_replies = True
    peer.stray_topics = ["sig:y"]
    peer.service.to_come.append(("sig:x", 7))

    assert peer.run().result == 7


@pytest.mark.parametrize("prefix", ["", "await "], ids=["main flow", "task"])
def test_what_comes_for_others_does_not_keep_the_process(tmp_path: Path, prefix: str):
    code = f"""
async def handler(event):
    threading.Thread(target=others, daemon=True).start()
    return {prefix}hookline.next_signal("x")
def others():
    for n in range(1000):
        hookline.signal("ses_1", "y", n)
        time.sleep(0.01)
"""
    peer = peer_of(tmp_path, code, hot_window_s=0.2)

    result = peer.run()

    assert result.suspended
    assert result.topics == ["sig:x"]
    assert result.calls.count("take_signal") == 1
    assert result.calls.count("signal") < 100


def test_one_of_several_names_is_enough(tmp_path: Path):
    code = """
async def handler(event):
    orders, mail = hookline.subscribe("orders"), hookline.subscribe("mail")
    async def both():
        return (await hookline.next_event([orders, mail])).n
    async def one():
        return (await hookline.next_event(mail)).n
    return sorted(await asyncio.gather(both(), one()) + await asyncio.gather(one(), both()))
"""
    peer = peer_of(tmp_path, code)
    peer.service.to_come.extend(("sub:mail2", {"n": n}) for n in range(4))

    assert peer.run().result == [0, 1, 2, 3]
