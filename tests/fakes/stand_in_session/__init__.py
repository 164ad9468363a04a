"""A session process of few words, for tests of the runner host: it runs the function and says how it went.

A project's function gets the event's data. It may import this module: `sock` is the session's socket, and `dirty`
is what DONE will say.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
from typing import Any

from hookline_runner.frames import FrameReader, FrameType, encode_frame

sock: Any = None
dirty: Any = None
start: dict[str, Any] = {}


def serve(session_socket: Any, *, project_dir: str, code_dir: str, reuse: bool) -> None:  # noqa: ARG001 - what a session entry takes
    global sock  # noqa: PLW0603 - scripts of tests reach it here
    sock = session_socket
    sys.modules["stand_in_session"] = sys.modules[__name__]
    reader = FrameReader()
    while data := sock.recv(65536):
        for frame in reader.feed(data):
            if frame.type is FrameType.START:
                _run(json.loads(frame.header), project_dir)
                if not reuse or dirty is not None:
                    return


def say(frame_type: FrameType, header: object, payload: bytes = b"") -> None:
    sock.sendall(encode_frame(frame_type, 0, json.dumps(header).encode(), payload))


def _run(header: dict[str, Any], project_dir: str) -> None:
    start.clear()
    start.update(header)
    os.environ.update(header["variables"])  # noqa: TID251 - as a session process does
    say(FrameType.STARTED, {})
    path, _, name = header["entry_point"].partition(":")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
    done = {"ok": True, "display": None, "error": None, "stopped": False, "dirty": dirty}
    try:
        function = runpy.run_path(f"{project_dir}/{path}", run_name="project")[name]
        result = function(header["event"]["data"])
        done["display"] = json.dumps(result)
    except Exception as exc:  # noqa: BLE001 - the outermost handler of a process
        done |= {
            "ok": False,
            "error": {"type": type(exc).__name__, "message": str(exc), "traceback": ""},
        }
    done["dirty"] = dirty
    sys.stdout.flush()
    sys.stderr.flush()
    say(FrameType.DONE, done)
