"""Sessions as files: a recording, and a test that replays it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from hookline_cli.client import Service
from hookline_cli.failures import FileUnusableError, ReplayDiffersError
from hookline_cli.project_files import find_project_directory
from hookline_cli.replaying import code_of_build, fetch_history, make_launch, unpacked
from hookline_runner.recordings import Recording, ReplayError
from hookline_runner.replaying import Launch, compare, run_recording

_TEST = '''\
"""Session {session}, as it went: made by `hookline session export`, which can make it again."""

from __future__ import annotations

import json
from pathlib import Path

from hookline.testing import replay

RECORDING = Path(__file__).with_name("{session}.json")
PROJECT = Path(__file__).parent / "{project}"


def test_{function}_does_as_recorded_in_{session}() -> None:
    recorded = json.loads(RECORDING.read_text("utf-8"))

    done = replay(RECORDING, project=PROJECT)

    assert done.state == recorded["state"]
    assert done.prints == recorded["prints"]
    assert done.result == recorded["result"]
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWish:
    """Where to, and what: with `as_test` a test beside the recording, of the project in `project`."""

    output: Path
    as_test: bool
    project: Path | None
    makes_unrecorded: bool


def export_session(
    service: Service, session_id: str, wish: ExportWish, base: str | None
) -> list[Path]:
    """Write a session to files, with its secrets covered; the files.

    It is replayed first. What the recording says of prints and result is what this replay gave, so that a test on unchanged code
    passes, also where a secret was covered.

    Raises:
        ReplayDiffersError: it cannot be replayed.
        HooklineError: see `fetch_history`, `make_launch`.
    """
    history = fetch_history(service, session_id, are_secrets_open=False)
    code = code_of_build(service, history)
    launch = replace(make_launch(code, base), is_contained=not wish.makes_unrecorded)
    with unpacked(code) as files:
        recording = _replayed(history.recording, files, launch)
    written = {f"{recording.session}.json": recording.to_json()}
    if wish.as_test:
        written[f"test_{recording.session}.py"] = _test_of(recording, wish)
    try:
        wish.output.mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            (wish.output / name).write_text(text, "utf-8")
    except OSError as exc:
        raise FileUnusableError(wish.output, exc.strerror or "cannot be written") from exc
    return [wish.output / name for name in written]


def _replayed(recording: Recording, files: Path, launch: Launch) -> Recording:
    """The recording with prints, result and error as a replay gives them, which must come to the same end."""
    try:
        done = run_recording(recording, files, launch)
        same = replace(recording, prints=done.prints, result=done.result, error={})
        compare(same, done)
    except ReplayError as exc:
        raise ReplayDiffersError(recording.session, str(exc)) from exc
    return replace(same, state=done.state, error=done.error)


def _test_of(recording: Recording, wish: ExportWish) -> str:
    output = wish.output.resolve()
    project = (wish.project or find_project_directory(output) or Path()).resolve()
    function = re.sub(r"\W", "_", recording.entry_point.rpartition(":")[2])
    where = Path(os.path.relpath(project, output)).as_posix()
    return _TEST.format(session=recording.session, project=where, function=function)
