"""Named points right before and after something is written, at which a crash test may end the process.

Nothing happens at them, unless `HOOKLINE_WRITE_POINTS` names the loopback port of such a test when the process
starts: sessions are walled off from Unix sockets. Then the process tells it each point that it reaches, and waits for the answer: at `DIE` it kills itself as the
kernel would, without a chance to clean up.

Standard library only: session processes import this module inside the project's environment.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from typing import Final

from hookline_runner.frames import PREFIX, FrameType

DIE: Final = b"die"
_ANSWER_BYTES: Final = 16
_ARBITER: Final = os.environ.get("HOOKLINE_WRITE_POINTS", "")  # noqa: TID251 - see above
IS_WATCHED: Final = bool(_ARBITER)


def reach(point: str) -> None:
    """Say that this process is at the point, and perhaps die there.

    Args:
        point: who writes, what, and when: `store apply_call: before commit`.
    """
    if IS_WATCHED and _ask(point) == DIE:
        os.kill(os.getpid(), signal.SIGKILL)


def reach_frames(sender: str, frames: Sequence[bytes], moment: str) -> None:
    """Be at the point of each of these encoded frames, "before sending" or "after sending"."""
    if IS_WATCHED:
        for frame in frames:
            _size, _channel, frame_type, _header_size = PREFIX.unpack_from(frame)
            reach(f"{sender} {FrameType(frame_type).name}: {moment}")


def _ask(point: str) -> bytes:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as arbiter:
            arbiter.connect(("127.0.0.1", int(_ARBITER)))
            arbiter.sendall(point.encode())
            arbiter.shutdown(socket.SHUT_WR)
            return arbiter.recv(_ANSWER_BYTES)
    except OSError:  # the test is over
        return b""
