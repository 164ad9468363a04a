"""Forks of a warm, gc-frozen parent that write one line and are reaped. Run as `python -m bench.peers.fork_loop SECONDS`.

Prints JSON: forks per second with 8 in flight, the seconds to the first line of each of some single forks, and how heavy
the parent is. `--light` imports only what a session process of Hookline needs, else some popular libraries as well.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import select
import sys
import time
from pathlib import Path

_LIGHT = ("asyncio", "json", "logging", "traceback", "hookline")
_WARM = (
    *_LIGHT,
    "httpx2",
    "pydantic",
    "cryptography.fernet",
    "rich.console",
    "yaml",
    "starlette.testclient",
)
_IN_FLIGHT = 8


def _start() -> tuple[int, int, float]:
    read_end, write_end = os.pipe()
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.write(write_end, b"one line\n")
        os._exit(0)
    os.close(write_end)
    return child, read_end, begun


def _rate(seconds: float) -> float:
    poll = select.poll()
    running: dict[int, int] = {}
    finished = 0
    begun = time.perf_counter()
    while (now := time.perf_counter()) < begun + seconds or running:
        while len(running) < _IN_FLIGHT and now < begun + seconds:
            child, read_end, _ = _start()
            running[read_end] = child
            poll.register(read_end, select.POLLIN | select.POLLHUP)
        for read_end, _ in poll.poll(1000):
            os.read(read_end, 100)
            poll.unregister(read_end)
            os.close(read_end)
            os.waitpid(running.pop(read_end), 0)
            finished += 1
    return finished / (time.perf_counter() - begun)


def _first_lines(count: int) -> list[float]:
    taken = []
    for _ in range(count):
        child, read_end, begun = _start()
        os.read(read_end, 100)
        taken.append(time.perf_counter() - begun)
        os.close(read_end)
        os.waitpid(child, 0)
        time.sleep(0.002)
    return taken


def _resident_mb() -> float:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=float)
    parser.add_argument("--light", action="store_true")
    arguments = parser.parse_args()
    for name in _LIGHT if arguments.light else _WARM:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    measured = {
        "first_line_s": _first_lines(100),
        "forks_per_s": _rate(arguments.seconds),
        "modules": len(sys.modules),
        "rss_mb": _resident_mb(),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
