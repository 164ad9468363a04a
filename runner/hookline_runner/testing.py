"""Replays of recorded sessions in a project's own tests; `hookline.testing.replay` leads here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as changed
from pathlib import Path
from typing import Final

from hookline_runner.recordings import ReplayError, read_recording
from hookline_runner.replaying import Launch, Replay, compare, compare_arguments, run_recording

__all__ = ["Replay", "ReplayError", "replay"]

_MANIFESTS: Final = ("hookline.yaml", "autokitteh.yaml")


def replay(
    path: str | Path,
    *,
    project: str | Path | None = None,
    variables: Mapping[str, str] | None = None,
    patience_s: float = 30.0,
) -> Replay:
    """Run the project's present code against a recording, and check that it does the same.

    Recorded calls are answered from the recording and not made; a call that was not recorded is refused. Only results that could not be
    written down (an open file, a client) are made again.

    Args:
        path: The recording.
        project: The project's directory; else the nearest above the recording that has a manifest.
        variables: Variables of the environment, besides those of the recording.
        patience_s: How long it may take.

    Raises:
        ReplayError: the code makes other calls, or the same with other arguments, ends otherwise, or prints what was not printed.
    """
    path = Path(path).resolve()
    recording = read_recording(path)
    recording = changed(recording, variables={**recording.variables, **(variables or {})})
    directory = _project_of(path) if project is None else Path(project).resolve()
    done = run_recording(recording, directory, Launch(), patience_s=patience_s)
    compare(recording, done)
    compare_arguments(recording, done)
    return done


def _project_of(path: Path) -> Path:
    for folder in path.parents:
        if any((folder / name).is_file() for name in _MANIFESTS):
            return folder
    return path.parent
