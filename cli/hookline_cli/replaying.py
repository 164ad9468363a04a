"""Replays of a service's sessions on this machine, and recordings made of them."""

from __future__ import annotations

import contextlib
import io
import logging
import signal
import tempfile
from base64 import b64decode
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import click

from hookline_cli.client import Service
from hookline_cli.display import note, printable, shown
from hookline_cli.failures import ArgumentInvalidError, ReplayDiffersError, describe_error
from hookline_cli.json_values import object_of, objects_in
from hookline_cli.local_service import local_directory
from hookline_cli.options import segment
from hookline_cli.project_files import (
    PackedProject,
    has_manifest,
    pack_project,
    pack_without_manifest,
)
from hookline_runner.builds import unpack_archive
from hookline_runner.local_replay import environment_launch
from hookline_runner.recordings import Recording, ReplayError
from hookline_runner.replaying import (
    Launch,
    Record,
    Replay,
    compare,
    compare_arguments,
    run_recording,
)
from hookline_service.model.secret import MASK
from hookline_service.use_cases.deploy_source import read_source

_ENTRIES = 1000
_RECORDS = 10_000
_LARGEST_BYTES = 512 * 1024 * 1024
_DEBUGGER_LEFT = "bdb.BdbQuit"
_COLOURS = {"error": "red", "stderr": "yellow", "warning": "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A session as the service tells it: its recording, and what its code needs."""

    recording: Recording
    python: str
    requirements: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """How to replay: `directory` None takes the session's build, `count` None all recorded entries."""

    directory: Path | None = None
    count: int | None = None
    makes_unrecorded: bool = False
    debugs: bool = False


def fetch_history(service: Service, session_id: str, *, are_secrets_open: bool) -> History:
    """The history of a durable session. Raises as `Service.get`."""
    secrets = "open" if are_secrets_open else "covered"
    path = f"/sessions/{segment(session_id)}"
    told = service.get(f"{path}/history", secrets=secrets)
    error = object_of(told.get("error")) or {}
    body = told.get("body")
    # What a person or the service did to it from outside is no end of the code's own.
    is_cut_off = told["state"] == "error" and not error.get("traceback")
    recording = Recording(
        session=str(told["session"]),
        build=str(told["build"]),
        entry_point=str(told["entry_point"]),
        event=object_of(told.get("event")) or {},
        body=None if body is None else b64decode(str(body)),
        variables={name: str(value) for name, value in dict(told.get("variables") or {}).items()},
        journal=_fetch_journal(service, f"{path}/journal", secrets),
        state="" if is_cut_off else str(told["state"]),
        result=told.get("result"),
        error={} if is_cut_off else error,
        prints=_fetch_prints(service, f"{path}/log"),
        mask=MASK,
    )
    return History(
        recording=recording,
        python=str(told.get("python") or ""),
        requirements=str(told.get("requirements") or ""),
    )


def _fetch_journal(service: Service, path: str, secrets: str) -> list[list[object]]:
    rows: list[list[object]] = []
    after: object = 0
    while after is not None:
        page = service.get(path, secrets=secrets, after=after, limit=_ENTRIES)
        for one in objects_in(page, "items"):
            place = [one[name] for name in ("branch", "index", "kind", "name", "file", "line")]
            how = [one[name] for name in ("ok", "volatile", "encoding")]
            arguments = one.get("arguments") or None
            rows.append([*place, *how, b64decode(str(one["value"])), one["wake_at"], arguments])
        after = page.get("next")
    return rows


def _fetch_prints(service: Service, path: str) -> list[str]:
    texts: list[str] = []
    after: object = 0
    while after is not None:
        page = service.get(path, after=after, limit=_RECORDS, kinds="print")
        texts += [str(one["text"]) for one in objects_in(page, "items")]
        after = page.get("next")
    return texts


def cut(history: History, count: int | None) -> Recording:
    """The recording up to the entry of this number; then its end is not known.

    Raises:
        ArgumentInvalidError: there are not so many.
    """
    recording = history.recording
    entries = len(recording.journal)
    if count is None or count == entries:
        return recording
    if not 0 <= count < entries:
        raise ArgumentInvalidError("--to", f"session {recording.session} has {entries} entries")
    return replace(recording, journal=recording.journal[:count], state="", result=None, error={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code of a replay: its files as a tar, and what they need."""

    archive: bytes
    python: str
    requirements: str


def code_of_build(service: Service, history: History) -> Code:
    """The build that the session ran. Raises as `Service.download`."""
    archive = io.BytesIO()
    service.download(f"/builds/{segment(history.recording.build)}/archive", archive)
    return Code(
        archive=archive.getvalue(), python=history.python, requirements=history.requirements
    )


def code_in(directory: Path, history: History) -> Code:
    """The project in the directory; without a manifest, it needs what the session's build did.

    Raises:
        HooklineError: it is no project, see `read_source`.
    """
    if not has_manifest(directory):
        packed = pack_without_manifest(directory, b"")
        return Code(
            archive=packed.archive, python=history.python, requirements=history.requirements
        )
    source = read_source(_Archive.of(pack_project(directory, None)), _LARGEST_BYTES)
    return Code(
        archive=source.archive, python=source.manifest.python, requirements=source.requirements
    )


def requirements_in(directory: Path) -> tuple[str, str]:
    """Python version and requirements of the project in the directory. Raises as `code_in`."""
    source = read_source(_Archive.of(pack_project(directory, None)), _LARGEST_BYTES)
    return source.manifest.python, source.requirements


@contextlib.contextmanager
def unpacked(code: Code) -> Generator[Path]:
    """A directory with the files, which may be written to, for as long as this lasts."""
    with tempfile.TemporaryDirectory(prefix="hookline-replay-") as copy:
        unpack_archive(code.archive, Path(copy))
        yield Path(copy)


def make_launch(code: Code, base: str | None) -> Launch:
    """How a replay is started in an environment with what the code needs. Raises as `environment_launch`."""
    logging.getLogger("hookline_runner").setLevel(logging.ERROR)
    return environment_launch(local_directory(base), code.python, code.requirements, _tell)


async def _tell(text: str) -> None:
    note(text)


@dataclass(frozen=True, slots=True)
class _Archive:
    """See `ArchiveRequest`."""

    archive: bytes
    manifest_name: str | None
    project: str | None = None

    @classmethod
    def of(cls, packed: PackedProject) -> _Archive:
        return cls(packed.archive, packed.manifest)


def replay_session(
    service: Service, session_id: str, wish: ReplayOptions, base: str | None
) -> tuple[Recording, Replay]:
    """Replay a session here and write what it prints; what was replayed, and what came of it.

    Raises:
        ReplayDiffersError: the code does not do what was recorded.
        HooklineError: see `fetch_history`, `make_launch`.
    """
    history = fetch_history(service, session_id, are_secrets_open=True)
    recording = cut(history, wish.count)
    directory = wish.directory
    code = code_of_build(service, history) if directory is None else code_in(directory, history)
    launch = replace(
        make_launch(code, base), is_contained=not wish.makes_unrecorded, debugs=wish.debugs
    )
    with unpacked(code) as files:
        on_record = _ignore if wish.debugs else _write_record
        other = wish.directory is not None  # the build's own code gives what it gave
        done = checked_replay(recording, files, launch, on_record, compares_arguments=other)
        return recording, done


def checked_replay(
    recording: Recording,
    directory: Path,
    launch: Launch,
    on_record: Callable[[Record], None],
    *,
    compares_arguments: bool = False,
) -> Replay:
    """Replay a recording and compare; what came of it.

    Raises:
        ReplayDiffersError: see `compare`.
    """
    before = signal.signal(signal.SIGINT, _leave_to_debugger) if launch.debugs else None
    try:
        done = run_recording(recording, directory, launch, on_record=on_record)
        if not launch.debugs or done.error.get("type") != _DEBUGGER_LEFT:
            compare(recording, done)
            if compares_arguments:
                compare_arguments(recording, done)
    except ReplayError as exc:
        raise ReplayDiffersError(recording.session, str(exc)) from exc
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    return done


def write_end(recording: Recording, done: Replay) -> None:
    """Tell a person how a replay that did as recorded came to its end."""
    if done.state == "waiting":
        count = len(recording.journal)
        noun = "entry" if count == 1 else "entries"
        call = f"; the next call would be {done.next_call}" if done.next_call else ""
        note(f"the recording ends here, after {count} {noun}{call}")
    elif done.state == "completed":
        note("replayed as recorded: completed")
        click.echo(f"result: {shown(done.result)}")
    elif done.error.get("type") == _DEBUGGER_LEFT:
        note("left the debugger")
    else:
        note(f"replayed as recorded: {describe_error(dict(done.error))}")


def _write_record(record: Record) -> None:
    _, kind, level, text = record
    label = {"print": "", "stdout": "", "log": level.lower()}.get(kind, kind)
    line = printable(f"{label}: {text}" if label else text)
    click.echo(click.style(line, fg=_COLOURS.get(kind)) if kind in _COLOURS else line)


def _ignore(record: Record) -> None:
    """The debugger's process writes to the terminal by itself."""
    del record


def _leave_to_debugger(number: int, frame: FrameType | None) -> None:
    """An interrupt at the terminal is meant for the debugger. A handler, for what is ignored is ignored in children too."""
    del number, frame
