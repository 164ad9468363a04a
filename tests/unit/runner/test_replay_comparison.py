"""When a replay counts as the same as what was recorded."""

from __future__ import annotations

from typing import Any

import pytest

from hookline_runner.recordings import Recording, ReplayError, read_recording
from hookline_runner.replaying import Likeness, Replay, compare

MASK = "********"
END = {"type": "x.RecordingEndError", "message": "the recording ends here"}


def a_recording(**fields: Any) -> Recording:
    return Recording(**({"entry_point": "main.py:go", "journal": []} | fields))


@pytest.mark.parametrize(
    ("recorded", "now", "is_same"),
    [
        ("a", "a", True),
        ("a", "b", False),
        (f"is {MASK}!", "is a secret!", True),
        (f"is {MASK}!", "was a secret!", False),
        (f"{MASK} and {MASK}", "one and two\nlines", True),
        (f"a.c {MASK}", "abc x", False),
        ("********", "x", True),
    ],
)
def test_what_a_mask_stands_for_does_not_matter(recorded: str, now: str, is_same: bool) -> None:
    assert Likeness(MASK)(recorded, now) is is_same


def test_without_a_mask_stars_are_stars() -> None:
    assert not Likeness("")(MASK, "x")


@pytest.mark.parametrize(
    ("recording", "done"),
    [
        (a_recording(state="completed", result=[1]), Replay(state="completed", result=[1])),
        (
            a_recording(state="error", error={"type": "E", "message": "m"}),
            Replay(state="error", error={"type": "E", "message": "m", "traceback": "t"}),
        ),
        (a_recording(state="waiting"), Replay(state="error", error=END)),
        (a_recording(state=""), Replay(state="completed", result=1)),
        (
            a_recording(state="completed", prints=["a", "inside", "b"]),
            Replay(state="completed", prints=["a", "b"]),
        ),
    ],
)
def test_the_same_end_passes(recording: Recording, done: Replay) -> None:
    compare(recording, done)


@pytest.mark.parametrize(
    ("recording", "done", "told"),
    [
        (a_recording(state="completed", result=1), Replay(state="completed", result=2), "returned"),
        (a_recording(state="completed"), Replay(state="error", error=END), "ends here"),
        (a_recording(state="completed"), Replay(state="error"), "ended otherwise"),
        (
            a_recording(state="error", error={"type": "A", "message": ""}),
            Replay(state="error", error={"type": "B", "message": ""}),
            "raised something else",
        ),
        (
            a_recording(state="waiting"),
            Replay(state="error", error={"type": "NonDeterminismError", "message": "both"}),
            "both",
        ),
        (
            a_recording(state="completed", prints=["a", "b"]),
            Replay(state="completed", prints=["b", "a"]),
            "prints what was not recorded here: 'a'",
        ),
    ],
)
def test_another_end_is_told(recording: Recording, done: Replay, told: str) -> None:
    with pytest.raises(ReplayError, match=told):
        compare(recording, done)


def test_a_recording_is_read_as_it_was_written(tmp_path) -> None:
    recording = a_recording(
        journal=[["", 0, "activity", "step", "main.py", 3, True, False, "json", b"\xff\0", None]],
        event={"id": "evt_1", "type": "post", "data": {"é": [1, None]}},
        body=b"\x80",
        variables={"A": "b"},
        prints=["one\ntwo"],
        state="error",
        error={"type": "E", "message": "m"},
        session="ses_1",
        build="bld_1",
    )
    path = tmp_path / "recording.json"

    path.write_text(recording.to_json(), "utf-8")

    assert read_recording(path) == recording


def test_a_recording_that_had_not_ended_stays_so(tmp_path) -> None:
    path = tmp_path / "recording.json"

    path.write_text(a_recording().to_json(), "utf-8")

    assert read_recording(path).state == ""
