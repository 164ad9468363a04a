"""The workloads on DBOS with SQLite; a program that answers one JSON line per JSON line on standard input.

Runs in the peers' environment: `python bench/peers/dbos_app.py DIRECTORY`. Requests: `{"steps": N}` runs one workflow and
answers the nanoseconds at which each step ran; `{"steps": N, "runs": R, "clients": C}` answers the seconds for R workflows,
C at a time.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSConfig


@DBOS.step()
def mark() -> int:
    """One step: says when it ran."""
    return time.perf_counter_ns()


@DBOS.workflow()
def steps(count: int) -> list[int]:
    """Run this many durable steps in a row."""
    return [mark() for _ in range(count)]


def _answer(request: dict[str, int]) -> object:
    if "runs" not in request:
        return steps(request["steps"])
    begun = time.perf_counter()
    with ThreadPoolExecutor(request["clients"]) as pool:
        list(pool.map(steps, [request["steps"]] * request["runs"]))
    return time.perf_counter() - begun


def main() -> None:
    """Serve until standard input ends."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # DBOS writes its own lines
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": f"sqlite:///{sys.argv[1]}/dbos.sqlite",
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    answers.write("true\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()
    DBOS.destroy()


if __name__ == "__main__":
    main()
