"""Replays of recorded sessions in a project's own tests; `hookline.testing.replay` leads here.

A recording is a JSON file:

    {"entry_point", "event": {"id", "type", "data"}, "journal": [entry…], "prints": [text…],
     "state", "result" (as shown), "error": {"type", "message"}, "session", "body" (base64)}

`entry_point` and `journal` must be there. An entry is `[branch, index, kind, name, file, line, ok, volatile, encoding,
value (base64), wake_at]`, see docs/protocol.md.
"""

from __future__ import annotations

import base64
import binascii
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from hookline_runner.frames import Frame, FrameReader, FrameType, encode_frame

_READ_BYTES: Final = 1 << 18
_PAGE: Final = 5_000
_ENTRY_FIELDS: Final = 11
_MANIFESTS: Final = ("hookline.yaml", "autokitteh.yaml")
_ENDED: Final = frozenset({"completed", "error"})
_RECORDING_END: Final = "RecordingEndError"
_MISMATCH: Final = frozenset({_RECORDING_END, "NonDeterminismError"})


class ReplayError(AssertionError):
    """The code does not do what was recorded, or what lies there is no recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recorded session, read from its file; `state` is empty when the file does not say it."""

    entry_point: str
    journal: list[list[Any]]
    event: dict[str, Any]
    prints: list[str]
    state: str
    result: Any
    error: dict[str, Any]
    session: str
    body: bytes | None


@dataclass(slots=True)
class Replay:
    """What came of a replay.

    Attributes:
        state: `completed`, `error`, or `waiting` when the code came to the end of the recording.
        result: The returned value as it is shown, if it completed.
        error: Type and message of what it raised.
        prints: What it printed.
    """

    state: str = "waiting"
    result: Any = None
    error: dict[str, Any] = field(default_factory=dict[str, Any])
    prints: list[str] = field(default_factory=list[str])


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
        variables: Variables of the environment.
        patience_s: How long it may take.

    Raises:
        ReplayError: the code makes other calls, ends otherwise, or prints what was not printed.
    """
    path = Path(path).resolve()
    recording = read_recording(path)
    directory = _project_of(path) if project is None else Path(project).resolve()
    done = _run(recording, directory, dict(variables or {}), patience_s)
    _compare(recording, done)
    return done


def read_recording(path: Path) -> Recording:
    """The recording in this file. Raises `ReplayError` when there is none."""
    try:
        facts: Any = json.loads(path.read_bytes())
        rows = cast("list[list[Any]]", facts["journal"])
        if any(len(row) != _ENTRY_FIELDS for row in rows):
            raise ReplayError(f"{path}: an entry of a journal has {_ENTRY_FIELDS} fields")
        body = facts.get("body")
        return Recording(
            entry_point=str(facts["entry_point"]),
            journal=[[*row[:9], base64.b64decode(row[9], validate=True), row[10]] for row in rows],
            event=facts.get("event") or {},
            prints=list(facts.get("prints") or []),
            state=str(facts.get("state") or ("completed" if "result" in facts else "")),
            result=facts.get("result"),
            error=facts.get("error") or {},
            session=str(facts.get("session") or "ses_replay"),
            body=None if body is None else base64.b64decode(body, validate=True),
        )
    except OSError as exc:
        raise ReplayError(f"the recording cannot be read: {exc}") from exc
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as exc:
        raise ReplayError(f"{path} is no recording of a session: {exc!r}") from exc


def _project_of(path: Path) -> Path:
    for folder in path.parents:
        if any((folder / name).is_file() for name in _MANIFESTS):
            return folder
    return path.parent


def _run(
    recording: Recording, directory: Path, variables: dict[str, str], patience_s: float
) -> Replay:
    """Play the service for a session process that replays."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        tempfile.TemporaryDirectory(prefix="hookline-replay-") as code_dir,
        tempfile.TemporaryFile() as errors,
    ):
        with theirs:
            arguments = [str(theirs.fileno()), str(directory), code_dir]
            process = subprocess.Popen(
                [sys.executable, "-m", "hookline_runner.replay_process", *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        try:
            ours.settimeout(patience_s)
            for frame in _start_frames(recording, variables):
                ours.sendall(frame)
            return _read_end(ours)
        except (OSError, EOFError) as exc:
            errors.seek(0)
            written = errors.read().decode(errors="replace")
            why = "it took too long" if isinstance(exc, TimeoutError) else "its process died"
            raise ReplayError(f"the replay did not come to an end: {why}\n{written}") from exc
        finally:
            process.kill()
            process.wait()


def _start_frames(recording: Recording, variables: dict[str, str]) -> Iterator[bytes]:
    header = {
        "session": recording.session,
        "attempt": 1,
        "project": "",
        "build": "",
        "entry_point": recording.entry_point,
        "durable": True,
        "event": recording.event,
        "has_body": recording.body is not None,
        "variables": variables,
        "hot_window_s": 0.0,
        "journal_count": len(recording.journal),
    }
    yield _frame(FrameType.START, header, recording.body or b"")
    rows = recording.journal
    for start in range(0, len(rows), _PAGE):
        page = rows[start : start + _PAGE]
        entries = [
            [*row[:2], start + at, *row[2:9], len(row[9]), row[10]] for at, row in enumerate(page)
        ]
        last = start + _PAGE >= len(rows)
        values = b"".join(row[9] for row in page)
        yield _frame(FrameType.JOURNAL, {"entries": entries, "last": last}, values)


def _frame(kind: FrameType, header: dict[str, Any], payload: bytes) -> bytes:
    return encode_frame(kind, 0, json.dumps(header).encode(), payload)


def _read_end(sock: socket.socket) -> Replay:
    done = Replay()
    for frame in _frames(sock):
        header: dict[str, Any] = json.loads(frame.header)
        if frame.type is FrameType.LOG:
            done.prints += [text for _, kind, _, text in header["r"] if kind == "print"]
        elif frame.type is FrameType.SUSPEND:
            return done
        elif frame.type is FrameType.DONE:
            done.error = header["error"] or {}
            done.state = "completed" if header["ok"] else "error"
            done.result = json.loads(header["display"]) if header["ok"] else None
            return done
    raise EOFError("the process closed its socket")


def _frames(sock: socket.socket) -> Iterator[Frame]:
    reader = FrameReader()
    while data := sock.recv(_READ_BYTES):
        yield from reader.feed(data)


def _compare(recording: Recording, done: Replay) -> None:
    """Raise `ReplayError` unless the replay did what was recorded."""
    kind = str(done.error.get("type", "")).rpartition(".")[2]
    if kind == _RECORDING_END and recording.state not in _ENDED:
        done.state, done.error = "waiting", {}
    elif kind in _MISMATCH:
        raise ReplayError(str(done.error.get("message", "")))
    if recording.state in _ENDED and done.state != recording.state:
        was = recording.state + (f" with {_shown(recording.error)}" if recording.error else "")
        now = done.state + (f" with {_shown(done.error)}" if done.error else "")
        raise ReplayError(f"the session ended otherwise\n  recorded: {was}\n  now:      {now}")
    if recording.state == "completed" and done.result != recording.result:
        raise ReplayError(
            f"the session returned something else\n  recorded: {recording.result!r}\n  now:      {done.result!r}"
        )
    if recording.error and _shown(done.error) != _shown(recording.error):
        raise ReplayError(
            f"the session raised something else\n  recorded: {_shown(recording.error)}\n  now:      {_shown(done.error)}"
        )
    if recording.state not in _ENDED:
        return
    rest = iter(recording.prints)  # what was printed inside activities is not printed again
    for text in done.prints:
        if text not in rest:
            raise ReplayError(f"the session prints what was not recorded here: {text!r}")


def _shown(error: Mapping[str, Any]) -> str:
    return f"{error.get('type', '')}: {error.get('message', '')}"
