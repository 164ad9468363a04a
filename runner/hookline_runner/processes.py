"""Trees of processes: who descends from whom, and how to end all of them.

Standard library only: the zygote uses it inside the sandbox, the host outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_MAX_ROUNDS = 200

_prctl = ctypes.CDLL(None, use_errno=True).prctl


def adopt_orphans() -> None:
    """Make this process the one that orphans among its descendants are handed to."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Have the kernel kill this process as soon as the thread that started it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def forbid_tracing(*, forbid: bool) -> None:
    """Keep other processes of the same user from reading this one's memory and descriptors, or allow it again."""
    _prctl(_PR_SET_DUMPABLE, int(not forbid), 0, 0, 0)


def children_of(pid: int) -> list[int]:
    """The processes whose parent is `pid`; empty when it is gone."""
    children: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - a hot path: no Path objects
    except OSError:
        return children
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123 - as above
                children.extend(map(int, file.read().split()))
        except FileNotFoundError:
            if Path(f"/proc/{pid}").exists():
                return _children_by_scan(pid)
        except ProcessLookupError:
            continue
    return children


def adopted_children() -> list[int]:
    """Children of this process's main thread: its own, and the orphans it has adopted; none of other threads."""
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:  # noqa: PTH123 - a hot path
            return list(map(int, file.read().split()))
    except FileNotFoundError:
        return children_of(pid)


def descendants_of(pid: int) -> list[int]:
    """Every process below `pid`, parents before their children."""
    found: list[int] = []
    queue = [pid]
    while queue:
        for child in children_of(queue.pop()):
            found.append(child)
            queue.append(child)
    return found


def kill_tree(pid: int) -> None:
    """End `pid` and everything below it, also what has left its process group or session.

    Each process is stopped before the next look, so that none can fork away. Orphans below `pid` are found only
    if it adopts them (`adopt_orphans`), which is why it is killed last.
    """
    _send(pid, signal.SIGSTOP)
    below: dict[int, None] = {}
    for _ in range(_MAX_ROUNDS):
        fresh = [child for child in descendants_of(pid) if child not in below]
        if not fresh:
            break
        for child in fresh:
            _send(child, signal.SIGSTOP)
            below[child] = None
    for child in reversed(below):
        _send(child, signal.SIGKILL)
    _send(pid, signal.SIGKILL)


def _send(pid: int, signal_number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal_number)


def _children_by_scan(pid: int) -> list[int]:
    """For kernels that do not list children: look at every process."""
    children: list[int] = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a hot path: no Path objects
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            stat = Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace")
            parent = stat.rpartition(")")[2].split()[1]
            if int(parent) == pid:
                children.append(int(entry))
    return children
