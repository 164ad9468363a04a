"""Sessions as files: a recording, and a test that replays it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hookline_cli.client import Service
from hookline_cli.failures import (
    ArgumentInvalidError,
    CoveredSecretError,
    FileUnusableError,
    ReplayDiffersError,
)
from hookline_cli.paths import resolved
from hookline_cli.project_files import find_project_directory
from hookline_cli.replaying import code_of_build, fetch_history, make_launch, unpacked
from hookline_cli.saving import write_whole
from hookline_runner.recordings import Recording, ReplayError
from hookline_runner.replaying import Launch, compare, repeated_arguments, run_recording
from hookline_service.model.secret import SHORTEST_COVERED

_STARS = "*" * SHORTEST_COVERED  # histories cover a secret with as many as it has bytes
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
class ExportOptions:
    """Where to, and what: with `as_test` a test beside the recording, of the project in `project`.

    `values` stand in the place of covered secrets.
    """

    output: Path
    as_test: bool
    project: Path | None
    makes_unrecorded: bool
    values: Mapping[str, str] = field(default_factory=dict[str, str])


def export_session(
    service: Service, session_id: str, wish: ExportOptions, base: str | None
) -> list[Path]:
    """Write a session to files, with its secrets covered; the files.

    It is replayed first, as the test will replay it, and must do what it did. What the recording says of prints, result and arguments is
    what this replay gave, so that a test on unchanged code passes where a secret is part of them.

    Raises:
        CoveredSecretError: without the secrets it does something else.
        ReplayDiffersError: it cannot be replayed.
        HooklineError: see `fetch_history`, `make_launch`.
    """
    history = fetch_history(service, session_id, are_secrets_open=False)
    code = code_of_build(service, history)
    launch = replace(make_launch(code, base), is_contained=not wish.makes_unrecorded)
    recording = _with_values(history.recording, wish.values)
    with unpacked(code) as files:
        try:
            recording = _replayed(recording, files, launch)
        except ReplayError as exc:
            if names := _deciding_secrets(service, recording, files, launch):
                raise CoveredSecretError(recording.session, names, str(exc)) from exc
            raise ReplayDiffersError(recording.session, str(exc)) from exc
    written = {f"{recording.session}.json": recording.to_json()}
    if wish.as_test:
        written[f"test_{recording.session}.py"] = _test_of(recording, wish)
    try:
        wish.output.mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            write_whole(wish.output / name, text)
    except OSError as exc:
        raise FileUnusableError(wish.output, exc.strerror or "cannot be written") from exc
    return [wish.output / name for name in written]


def _with_values(recording: Recording, values: Mapping[str, str]) -> Recording:
    """The recording with these values in the place of covered secrets."""
    covered = _covered_in(recording)
    for name in values:
        if name not in covered:
            known = f"; covered are {', '.join(covered)}" if covered else ""
            problem = f"{name} is not a covered secret of session {recording.session}{known}"
            raise ArgumentInvalidError("--var", problem)
    return replace(recording, variables={**recording.variables, **values})


def _covered_in(recording: Recording) -> list[str]:
    return [name for name, value in recording.variables.items() if _is_covered(value)]


def _is_covered(value: str) -> bool:
    return _STARS in value or (bool(value) and not value.strip("*"))


def _replayed(recording: Recording, files: Path, launch: Launch) -> Recording:
    """The recording with prints, result and arguments as a replay gives them, which are those of the session but for secrets."""
    done = run_recording(recording, files, launch)
    compare(recording, done)
    kept = recording.with_arguments_of(repeated_arguments(recording, done))
    return replace(kept, prints=done.prints, result=done.result, state=done.state, error=done.error)


def _deciding_secrets(
    service: Service, recording: Recording, files: Path, launch: Launch
) -> list[str]:
    """The secrets without which the session does something else; none if it does so even when all are open."""
    covered = _covered_in(recording)
    if not covered:
        return []
    opened = fetch_history(service, recording.session, are_secrets_open=True).recording

    def does_the_same(values: Mapping[str, str]) -> bool:
        tried = replace(opened, variables={**opened.variables, **values})
        try:
            compare(tried, run_recording(tried, files, launch))
        except ReplayError:
            return False
        return True

    if not does_the_same({}):
        return []
    return [
        name for name in covered if not does_the_same({name: recording.variables[name]})
    ] or covered


def _test_of(recording: Recording, wish: ExportOptions) -> str:
    output = resolved(wish.output)
    project = resolved(wish.project or find_project_directory(output) or Path())
    function = re.sub(r"\W", "_", recording.entry_point.rpartition(":")[2])
    where = Path(os.path.relpath(project, output)).as_posix()
    return _TEST.format(session=recording.session, project=where, function=function)
