"""A recorded session as a test of the present code."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hookline.testing import replay
from tests.fakes.session_peer import AttemptResult, SessionPeer

HANDLER = """
import json, os, random, time
import hookline
from hookline import activity

@activity
def charge(amount):
    print("charging")
    with open(os.environ["EFFECTS"], "a") as effects:
        effects.write("charged\\n")
    return {"paid": amount}

def handler(event):
    number = random.random()
    time.sleep(0.01)
    visits = hookline.add_values("visits", 1)
    print("visit", visits)
    receipt = charge(event.data.amount)
    print("done")
    return [receipt["paid"], visits, number]
"""


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[SessionPeer]:
    made = SessionPeer(tmp_path, {"main.py": HANDLER})
    yield made
    made.close()


def recorded(peer: SessionPeer, seen: AttemptResult, **facts: Any) -> Path:
    journal = [
        [
            *(e.branch, e.index, e.kind, e.name, e.file, e.line, e.ok, e.volatile, e.encoding),
            *(base64.b64encode(e.value).decode(), e.wake_at),
        ]
        for e in peer.entries
    ]
    recording = {
        "entry_point": "main.py:handler",
        "event": {"id": None, "type": None, "data": {"amount": 5}},
        "journal": journal,
        "prints": seen.prints,
        **facts,
    }
    path = peer.project_dir / "recording.json"
    path.write_text(json.dumps(recording))
    (peer.project_dir / "hookline.yaml").write_text("project: {name: shop}\n")
    return path


@pytest.fixture
def recording(peer: SessionPeer) -> Path:
    event = {"id": None, "type": None, "data": {"amount": 5}}
    result = peer.run_to_end(event=event)
    return recorded(peer, result, result=result.result)


def change(recording: Path, old: str, new: str) -> None:
    module = recording.parent / "main.py"
    text = module.read_text()
    assert old in text
    module.write_text(text.replace(old, new))


def alter(recording: Path, **facts: Any) -> None:
    recording.write_text(json.dumps(json.loads(recording.read_text()) | facts))


def test_unchanged_code_does_the_same_and_nothing_is_made_again(peer: SessionPeer, recording: Path):
    done = replay(recording)

    assert done.state == "completed"
    assert done.result[:2] == [5, 1]
    assert done.prints == ["visit 1", "done"]
    assert peer.effect_lines() == ["charged"]


def test_a_change_between_recorded_calls_may_be_harmless(recording: Path):
    change(recording, 'receipt["paid"]', 'receipt.get("paid")')

    assert replay(recording).state == "completed"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("random.random()", "random.getrandbits(3)", "getrandbits"),
        ("time.sleep(0.01)", "pass", "recorded: sleep"),
        ('add_values("visits", 1)', 'get_value("visits")', "actual"),
        ("    receipt = charge(", "    charge(1)\n    receipt = charge(", "the recording ends here"),
        ("    print(\"done\")", "    os.listdir('.')", "the recording ends here"),
        ("    receipt = charge(event.data.amount)", "    receipt = {'paid': 5}", "the function returned"),
        ("visits, number]", "visits]", "the session returned something else"),
        ('print("done")', 'print("DONE")', "prints what was not recorded here: 'DONE'"),
        ('print("done")', "raise KeyError(1)", "the session ended otherwise"),
    ],
)  # fmt: skip
def test_a_change_of_what_it_does_is_found(
    peer: SessionPeer, recording: Path, old: str, new: str, text: str
):
    change(recording, old, new)

    with pytest.raises(AssertionError, match=text):
        replay(recording)
    assert peer.effect_lines() == ["charged"]


def test_a_session_that_had_not_ended_is_replayed_to_its_last_entry(peer: SessionPeer):
    event = {"id": None, "type": None, "data": {"amount": 5}}
    result = peer.run(event=event, kill_at=2)
    assert result.killed
    path = recorded(peer, result, state="running")

    done = replay(path, project=peer.project_dir)

    assert done.state == "waiting"
    assert peer.effect_lines() == []


def test_the_end_of_a_recording_is_numbered_as_the_next_entry(recording: Path):
    change(recording, 'print("done")', "charge(6)")

    with pytest.raises(AssertionError, match="at entry: 5\n  recorded: nothing; the recording"):
        replay(recording)


def test_a_session_that_failed_fails_again(peer: SessionPeer):
    peer.entries.clear()
    (peer.project_dir / "main.py").write_text(
        "def handler(event):\n    raise KeyError(event.data.amount)\n"
    )
    event = {"id": None, "type": None, "data": {"amount": 5}}
    result = peer.run(event=event)
    path = recorded(peer, result, state="error", error=result.error)

    assert replay(path).state == "error"
    change(path, "KeyError", "ValueError")
    with pytest.raises(AssertionError, match="raised something else"):
        replay(path)


def test_variables_and_the_body_are_handed_on(peer: SessionPeer):
    (peer.project_dir / "main.py").write_text(
        "import os\nWHO = os.environ['WHO']\ndef handler(event):\n    return [WHO, len(event.data.body.bytes)]\n"
    )
    path = recorded(peer, AttemptResult(), result=["Ada", 3], body="YWJj", event={"data": {}})

    assert replay(path, variables={"WHO": "Ada"}).result == ["Ada", 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not the recording"),
        ("[]", "is not the recording"),
        ('{"entry_point": "main.py:handler"}', "is not the recording"),
        ('{"entry_point": "main.py:handler", "journal": [[1]]}', "has 12 fields"),
        (
            '{"entry_point": "main.py:handler", "journal": [["",0,"a","a","a",0,true,false,"json","%",null]]}',
            "is not the recording",
        ),
    ],
)
def test_what_is_no_recording_is_told(recording: Path, text: str, message: str):
    recording.write_text(text)

    with pytest.raises(AssertionError, match=message):
        replay(recording)
    with pytest.raises(AssertionError, match="cannot be read"):
        replay(recording.parent / "missing.json")


def test_a_replay_that_hangs_or_dies_is_told(recording: Path):
    change(recording, "    number", "    while True: pass\n    number")
    with pytest.raises(AssertionError, match="it took too long"):
        replay(recording, patience_s=1.5)

    change(recording, "@activity", "os._exit(3)\n@activity")
    with pytest.raises(AssertionError, match="its process died"):
        replay(recording)
