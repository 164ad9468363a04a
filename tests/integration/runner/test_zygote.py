"""A zygote with the real session entry, as the host talks to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hookline_runner.frames import FrameReader, FrameType
from hookline_runner.warm_up import start_frame
from hookline_runner.zygote_messages import MAX_MESSAGE_BYTES, ZygoteConfig

_DEADLINE_S = 60.0
_SOURCE = """
import os, re

def warm(event):
    paths = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return [re.sub("[0-9]+", "N", os.readlink(path)) for path in paths if os.path.lexists(path)]
"""


@contextmanager
def _zygote(home: Path, **packages: str) -> Generator[socket.socket]:
    """The host's end of the control socket; `packages` are modules to preload: name → source."""
    files = home / "files"
    files.mkdir()
    (files / "warm.py").write_text(_SOURCE)
    (home / "work").mkdir()
    for name, source in packages.items():
        (home / f"{name}.py").write_text(source)
    config = ZygoteConfig(
        session_entry="hookline_runner.session.main:serve",
        project_files=str(files),
        code_dir=str(home / "code"),
        work_dir=str(home / "work"),
        reuse=False,
        preload=tuple(packages),
        warm_up=True,
        memory_limit_bytes=1 << 30,
        file_limit_bytes=1 << 20,
        process_limit=0,
    )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(_DEADLINE_S)
    script = "import sys; sys.path.append(sys.argv[1]); from hookline_runner import zygote; zygote.main(int(sys.argv[2]))"
    command = [sys.executable, "-c", script, str(home), str(theirs.fileno())]
    with (
        theirs,
        subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True) as process,
        ours,
    ):
        ours.send(config.encode())
        yield ours
        ours.close()
        process.wait(_DEADLINE_S)


def test_the_rehearsal_of_a_session_leaves_the_zygote_as_good_as_new(tmp_path: Path) -> None:
    with _zygote(tmp_path) as control:
        assert control.recv(MAX_MESSAGE_BYTES) == b"ready"

        assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    "reaction",
    ["print('[[1, 2, 3]]')", "print('[[1, 2', flush=True)", "os.write(1, b'7\\n')", "os.abort()"],
)
def test_packages_that_react_to_forks_do_not_keep_a_zygote_from_starting(
    tmp_path: Path, reaction: str
) -> None:
    package = f"import os; os.register_at_fork(after_in_child=lambda: {reaction})"

    with _zygote(tmp_path, reacts=package) as control:
        assert control.recv(MAX_MESSAGE_BYTES) == b"ready"


def test_a_session_of_a_real_zygote_has_nothing_of_it_open(tmp_path: Path) -> None:
    with _zygote(tmp_path) as control:
        assert control.recv(MAX_MESSAGE_BYTES) == b"ready"
        control.send(b"fork 1")
        _, descriptors, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, 3)
        with closing(socket.socket(fileno=descriptors[0])) as session:
            session.settimeout(_DEADLINE_S)
            session.sendall(start_frame(is_durable=False))
            shown = _shown(session)
        for descriptor in descriptors[1:]:
            os.close(descriptor)

    assert sorted(shown) == [
        "/dev/null",
        "anon_inode:[eventfd]",
        "pipe:[N]",
        "pipe:[N]",
        "pipe:[N]",  # for Python's own dump of where it hangs
        "socket:[N]",
    ]


def test_a_process_is_killed_while_many_others_are_still_to_be_forked(tmp_path: Path) -> None:
    with _zygote(tmp_path) as control:
        assert control.recv(MAX_MESSAGE_BYTES) == b"ready"
        control.send(b"fork 200")
        said: list[bytes] = []
        kept: list[int] = []
        while b"exit 1 - 9" not in said:
            message, descriptors, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, 3)
            if not said:
                control.send(b"kill 1")
            said.append(message)
            kept += descriptors
        for descriptor in kept:
            os.close(descriptor)

    assert len(said) < 200


def _shown(session: socket.socket) -> list[str]:
    """What the function returned, as its DONE shows it."""
    reader = FrameReader()
    while True:
        data = session.recv(1 << 16)
        assert data, "the session ended without a DONE"
        for frame in reader.feed(data):
            if frame.type is FrameType.DONE:
                return json.loads(json.loads(frame.header)["display"])
