"""A session that talks to the service, killed at any entry, goes on as if nothing had happened, and nothing happens twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.session_peer import SessionPeer
from tests.integration.session.handlers import PRELUDE
from tests.integration.session.waiting_handlers import HANDLERS

MAX_ENTRIES = 60
BOTH = pytest.mark.parametrize("before", [False, True], ids=["after recording", "before recording"])


def peer_of(root: Path, name: str, **start: object) -> SessionPeer:
    code, to_come = HANDLERS[name]
    peer = SessionPeer(root, {"main.py": PRELUDE + code}, **start)
    peer.service.to_come.extend(to_come)
    return peer


def state_of(peer: SessionPeer) -> str:
    service = peer.service
    facts = (service.store, service.subscriptions, service.sent, service.children, service.outcomes)
    return json.dumps(facts, sort_keys=True)


def test_what_was_taken_for_a_cancelled_task_is_handed_on_to_one_that_waits(tmp_path: Path):
    peer = peer_of(tmp_path, "cancelled with the signal in hand while another task waits for it")

    results = [peer.run().result, peer.run().result]

    assert results == [["taken", 1, "taken", 2]] * 2
    assert [entry.branch for entry in peer.entries if entry.name == "next_signal" and entry.kind == "call"] == ["1", "4"]  # fmt: skip


@BOTH
@pytest.mark.parametrize("name", HANDLERS)
def test_killing_at_every_entry_applies_each_operation_once(
    tmp_path: Path, name: str, before: bool
):
    whole = peer_of(tmp_path / "whole", name)
    expected = whole.run_to_end()
    killed = 0

    for kill_at in range(1, MAX_ENTRIES):
        peer = peer_of(tmp_path / str(kill_at), name)
        first = peer.run(kill_at=kill_at, kill_before_recording=before)
        is_exact = not before and first.killed and peer.entries[-1].kind != "riding"
        second = peer.run_to_end() if first.killed else first
        length, calls = len(peer.entries), len(peer.service.applied)
        third = peer.run()

        assert second.done is not None
        assert second.done["ok"], second.done
        assert third.result == second.result
        assert len(peer.entries) == length
        assert len(peer.service.applied) == calls
        assert not is_exact or not set(second.prints) & set(first.prints)
        if "random" not in HANDLERS[name][0]:
            assert state_of(peer) == state_of(whole)
        if "asyncio" not in HANDLERS[name][0]:
            assert second.result == expected.result
        if not first.killed:
            break
        killed += 1

    assert killed > 0


@pytest.mark.parametrize("name", HANDLERS)
def test_killing_at_each_entry_in_turn_ends_the_same(tmp_path: Path, name: str):
    peer = peer_of(tmp_path, name)

    result = peer.run(kill_at=1)
    for kill_at in range(2, MAX_ENTRIES):
        if result.done is not None:
            break
        result = peer.run(kill_at=kill_at)
    again = peer.run()

    assert result.result == again.result


@pytest.mark.parametrize("name", HANDLERS)
def test_suspending_at_every_wait_ends_the_same(tmp_path: Path, name: str):
    peer = peer_of(tmp_path, name, hot_window_s=0.0)

    result = peer.run_to_end()
    again = peer.run()

    assert again.result == result.result


def test_what_was_printed_before_a_wait_is_not_printed_again_when_the_session_wakes(tmp_path: Path):
    code = """
def handler(event):
    orders = hookline.subscribe("orders")
    print("waiting")
    return hookline.next_event(orders).n
"""
    peer = SessionPeer(tmp_path, {"main.py": PRELUDE + code}, hot_window_s=0.0)
    first = peer.run()
    peer.service.to_come.append(("sub:orders1", {"n": 7}))
    woken = peer.run_to_end()

    assert first.suspended
    assert first.prints == ["waiting"]
    assert woken.prints == []
    assert woken.result == 7
