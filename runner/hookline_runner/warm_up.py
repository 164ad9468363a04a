"""A dress rehearsal: a zygote runs a few sessions of an empty function before it forks real ones.

The interpreter specialises code and fills caches as it runs. Done once before the fork, every session process
inherits the result instead of doing it again, and instead of copying the memory pages it is written to: a fifth of the
whole cost of a forked session. Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from hookline_runner.frames import FrameReader, FrameType, encode_frame

_SOURCE = """\
import os

def warm(event):
    print(os.getpid())
    return {"answer": 42}
"""
_DURABLE_ROUNDS = 10
_PLAIN_ROUNDS = 3


def warm_up(serve: Callable[..., object], directory: Path) -> bool:
    """Rehearse in this process; false if it is not as good as new afterwards, and must not be forked.

    Args:
        serve: what a session process runs; see `session.main.serve`.
        directory: does not exist yet; for the rehearsal's project.
    """
    project = directory / "project"
    project.mkdir(parents=True)
    (project / "warm.py").write_text(_SOURCE, encoding="ascii")
    environment = dict(os.environ)  # noqa: TID251 - put back below
    handler = signal.getsignal(signal.SIGTERM)
    here = Path.cwd()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for number in range(_DURABLE_ROUNDS + _PLAIN_ROUNDS):
            ours.sendall(start_frame(is_durable=number < _DURABLE_ROUNDS))
        ours.shutdown(socket.SHUT_WR)
        serve(theirs, project_dir=str(project), code_dir=str(directory / "code"), reuse=True)
        ours.setblocking(False)
        answers = _read_all(ours)
    os.chdir(here)
    signal.signal(signal.SIGTERM, handler)
    os.environ.clear()  # noqa: TID251 - put back
    os.environ.update(environment)  # noqa: TID251 - put back
    return _count_clean_ends(answers) == _DURABLE_ROUNDS + _PLAIN_ROUNDS


def start_frame(*, is_durable: bool) -> bytes:
    """What makes a session process run the function rehearsed, once."""
    header: dict[str, object] = {
        "session": "ses_warm_up",
        "attempt": 1,
        "project": "",
        "build": "",
        "entry_point": "warm.py:warm",
        "durable": is_durable,
        "process": "reuse",
        "event": {"id": None, "type": None, "data": {}},
        "has_body": False,
        "variables": {},
        "hot_window_s": 1.0,
        "journal_count": 0,
        "log_limit_lines": 100,
        "log_limit_bytes": 10_000,
        "memory_limit_bytes": 0,
        "now": 1.0e9,
    }
    return encode_frame(FrameType.START, 0, json.dumps(header).encode())


def _read_all(source: socket.socket) -> bytes:
    answers = bytearray()
    while True:
        try:
            data = source.recv(1 << 16)
        except BlockingIOError:
            return bytes(answers)
        if not data:
            return bytes(answers)
        answers += data


def _count_clean_ends(answers: bytes) -> int:
    ends = (
        json.loads(frame.header)
        for frame in FrameReader().feed(answers)
        if frame.type is FrameType.DONE
    )
    return sum(bool(end.get("ok")) and end.get("dirty") is None for end in ends)
