"""A session killed at any entry goes on as if nothing had happened."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes.session_peer import SessionPeer
from tests.integration.session.handlers import HANDLERS, PRELUDE

MAX_ENTRIES = 60


def labels(peer: SessionPeer) -> set[str]:
    """Labels of the effects whose activity is on disk."""
    found: set[str] = set()
    for entry in peer.entries:
        arguments = json.loads(entry.arguments)["args"]
        if entry.kind == "activity" and arguments and isinstance(arguments[0], str):
            found.add(arguments[0])
    return found


@pytest.mark.parametrize("before", [False, True], ids=["after recording", "before recording"])
@pytest.mark.parametrize("name", HANDLERS)
def test_killing_at_every_entry_changes_neither_result_nor_effects(
    tmp_path: Path, name: str, before: bool
):
    files = {"main.py": PRELUDE + HANDLERS[name]}
    killed = 0

    for kill_at in range(1, MAX_ENTRIES):
        peer = SessionPeer(tmp_path / str(kill_at), files)
        first = peer.run(kill_at=kill_at, kill_before_recording=before)
        recorded = labels(peer)
        effects = Counter(peer.effect_lines())
        second = peer.run() if first.killed else first
        length = len(peer.entries)
        third = peer.run()

        assert second.result == third.result
        assert len(peer.entries) == length
        assert before or not first.killed or not set(second.prints) & set(first.prints)
        assert len(third.prints) <= 1  # only what follows the last entry
        for label in recorded:
            assert Counter(peer.effect_lines())[label] == effects[label]
        if not first.killed:
            break
        killed += 1

    assert killed > 0


@pytest.mark.parametrize("name", HANDLERS)
def test_killing_at_each_entry_in_turn_ends_the_same(tmp_path: Path, name: str):
    peer = SessionPeer(tmp_path, {"main.py": PRELUDE + HANDLERS[name]})

    for kill_at in range(1, MAX_ENTRIES):
        result = peer.run(kill_at=kill_at)
        if not result.killed and result.done is not None:
            break
    again = peer.run()

    assert result.result == again.result
    counts = Counter(peer.effect_lines())
    assert set(counts) >= labels(peer) & set(counts)
