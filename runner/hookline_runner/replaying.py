"""Replays: a session process answers every call from a recording, and makes none."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from hookline import json_text
from hookline_runner.frames import Frame, FrameReader, FrameType
from hookline_runner.project_process import hash_seed_of
from hookline_runner.recordings import ENDED, Recording, ReplayError
from hookline_runner.replay_process import CALL_MADE, CONTAINED, DEBUG, RECORDING_END
from hookline_runner.settings import present_environment

_LONG: Final = 1 << 63
_READ_BYTES: Final = 1 << 18
_ADDRESS: Final = re.compile(r"at 0x[0-9a-fA-F]+")  # of an object without a text of its own
_END_ERROR: Final = "RecordingEndError"
_MISMATCH: Final = frozenset({_END_ERROR, "NonDeterminismError", "UnrecordedResultError"})

Record = tuple[float, str, str, str]
"""Time, kind, level and text of a log record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the process of a replay is started.

    `command` gets the arguments of `replay_process`; `environment` None is this process's own. If it `is_contained`, nothing
    that was not recorded is done outside the project's directory, and a recorded call whose result could not be written
    down is refused; otherwise it is made again. With `debugs`, the terminal belongs to a debugger in the process.
    """

    command: Sequence[str] = (sys.executable, "-m", "hookline_runner.replay_process")
    environment: Mapping[str, str] | None = None
    is_contained: bool = False
    debugs: bool = False


@dataclass(slots=True)
class Replay:
    """What came of a replay.

    Attributes:
        state: `completed`, `error`, or `waiting` when the code came to the end of the recording.
        result: The returned value as it is shown, if it completed.
        error: Type and message of what it raised.
        prints: What it printed.
        next_call: The call at the end of the recording.
        calls: What each recorded call got now: the number of its entry, its name and place, and JSON text of the arguments.
    """

    state: str = "waiting"
    result: Any = None
    error: dict[str, Any] = field(default_factory=dict[str, Any])
    prints: list[str] = field(default_factory=list[str])
    next_call: str = ""
    calls: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])


def run_recording(
    recording: Recording,
    directory: Path,
    launch: Launch,
    *,
    patience_s: float | None = None,
    on_record: Callable[[Record], None] = lambda _: None,
) -> Replay:
    """Run the project in the directory against the recording, which is not compared yet; see `compare`.

    `on_record` is told of everything that it prints and logs.

    Raises:
        ReplayError: the process died, or took longer than `patience_s`.
    """
    ours, theirs = socket.socketpair()
    with (
        ours,
        tempfile.TemporaryDirectory(prefix="hookline-replay-") as code_dir,
        tempfile.TemporaryFile() as errors,
    ):
        with theirs:
            arguments = [str(theirs.fileno()), str(directory), code_dir]
            process = _start(recording, launch, arguments, errors.fileno())
        try:
            ours.settimeout(patience_s)
            for frame in recording.start_frames():
                ours.sendall(frame)
            return _read_end(ours, on_record)
        except (OSError, EOFError) as exc:
            errors.seek(0)
            written = errors.read().decode(errors="replace")
            why = "it took too long" if isinstance(exc, TimeoutError) else "its process died"
            raise ReplayError(f"the replay did not come to an end: {why}\n{written}") from exc
        finally:
            process.kill()
            process.wait()


def compare(recording: Recording, done: Replay) -> None:
    """Raise `ReplayError` unless the replay did what was recorded.

    A recording whose end is not known, or was no end, is good to its last entry.
    """
    kind = str(done.error.get("type", "")).rpartition(".")[2]
    if kind == _END_ERROR and recording.state not in ENDED:
        done.state, done.error = "waiting", {}
    elif kind in _MISMATCH:
        raise ReplayError(str(done.error.get("message", "")))
    if recording.state in ENDED and done.state != recording.state:
        was = recording.state + (f" with {_shown(recording.error)}" if recording.error else "")
        now = done.state + (f" with {_shown(done.error)}" if done.error else "")
        raise ReplayError(f"the session ended otherwise\n  recorded: {was}\n  now:      {now}")
    is_same = Likeness(recording.mask)
    if recording.state == "completed" and not is_same(_json(recording.result), _json(done.result)):
        raise ReplayError(
            f"the session returned something else\n  recorded: {recording.result!r}\n  now:      {done.result!r}"
        )
    if recording.error and not is_same(_shown(recording.error), _shown(done.error)):
        raise ReplayError(
            f"the session raised something else\n  recorded: {_shown(recording.error)}\n  now:      {_shown(done.error)}"
        )
    if recording.state not in ENDED:
        return
    rest = iter(recording.prints)  # what was printed inside activities is not printed again
    for text in done.prints:
        if not any(is_same(recorded, text) for recorded in rest):
            raise ReplayError(f"the session prints what was not recorded here: {text!r}")


def compare_arguments(recording: Recording, done: Replay) -> None:
    """Raise `ReplayError` if a recorded call got something else now.

    What people are shown of arguments is compared: long texts and lists are cut there, and objects without a text of their own are
    alike when they are of one type.
    """
    for number, call, now in done.calls:
        recorded = recording.arguments_of(number)
        if recorded is not None and not _same_arguments(recording, recorded, now):
            raise ReplayError(
                f"the call of entry {number}, {call}, got something else\n  recorded: {recorded}\n  now:      {now}"
            )


def repeated_arguments(recording: Recording, done: Replay) -> frozenset[int]:
    """The numbers of the entries whose calls got the same now."""
    return frozenset(
        number
        for number, _, now in done.calls
        if (recorded := recording.arguments_of(number)) is not None
        and _same_arguments(recording, recorded, now)
    )


def _same_arguments(recording: Recording, recorded: str, now: str) -> bool:
    return Likeness(recording.mask)(_ADDRESS.sub("at 0x…", recorded), _ADDRESS.sub("at 0x…", now))


class Likeness:
    """Whether a recorded text is the same as another one, whatever the mask in it stands for."""

    def __init__(self, mask: str) -> None:
        self._mask = mask

    def __call__(self, recorded: str, now: str) -> bool:
        """Whether they are the same."""
        if not self._mask or self._mask not in recorded:
            return recorded == now
        parts = map(re.escape, recorded.split(self._mask))
        return re.fullmatch(".*".join(parts), now, re.DOTALL) is not None


def _start(
    recording: Recording, launch: Launch, arguments: list[str], errors: int
) -> subprocess.Popen[bytes]:
    """Start the process; a debugger has the terminal, otherwise the process has nothing to read or write."""
    options = [CONTAINED] if launch.is_contained else []
    options += [DEBUG, recording.entry_point] if launch.debugs else []
    environment = dict(launch.environment or present_environment())
    environment["TMPDIR"] = arguments[2]
    if recording.build:
        environment |= hash_seed_of(recording.build)
    return subprocess.Popen(
        [*launch.command, *arguments, *options],
        pass_fds=[int(arguments[0])],
        stdin=None if launch.debugs else subprocess.DEVNULL,
        stdout=None if launch.debugs else subprocess.DEVNULL,
        stderr=None if launch.debugs else errors,
        env=environment,
    )


def _read_end(sock: socket.socket, on_record: Callable[[Record], None]) -> Replay:
    done = Replay()
    for frame in _frames(sock):
        header: dict[str, Any] = json_text.read(frame.header)
        if frame.type is FrameType.LOG:
            for at, kind, level, text in header["r"]:
                if kind == RECORDING_END:
                    done.next_call = text
                    continue
                if kind == CALL_MADE:
                    number, call, arguments = json_text.read(text)
                    done.calls.append((number, call, arguments))
                    continue
                if kind == "print":
                    done.prints.append(text)
                on_record((at, kind, level, text))
        elif frame.type is FrameType.SUSPEND:
            return done
        elif frame.type is FrameType.DONE:
            done.error = header["error"] or {}
            done.state = "completed" if header["ok"] else "error"
            done.result = json_text.read(header["display"]) if header["ok"] else None
            return done
    raise EOFError("the process closed its socket")


def _frames(sock: socket.socket) -> Iterator[Frame]:
    reader = FrameReader()
    while data := sock.recv(_READ_BYTES):
        yield from reader.feed(data)


def _json(value: object) -> str:
    return json_text.write(_as_once_shown(value), sort_keys=True, is_spaced=True)


def _as_once_shown(value: object) -> object:
    """The value with texts in the place of whole numbers beyond 64 bits, which older recordings have."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {key: _as_once_shown(item) for key, item in members.items()}
    if isinstance(value, list):
        return [_as_once_shown(item) for item in cast("list[object]", value)]
    is_long = isinstance(value, int) and not -_LONG < value < _LONG
    return str(value) if is_long else value


def _shown(error: Mapping[str, Any]) -> str:
    return f"{error.get('type', '')}: {error.get('message', '')}"
