"""The table for people, on the terminal and in docs/performance.md; and the raw numbers."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from bench.measure import Outcome, Row
from bench.paths import RAW, REPORT, ROOT

BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"
_VERDICTS = {True: "yes", False: "**no**", None: ""}


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| figure | Hookline | beside it, same run | goal | met |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (row.what, row.measured, row.baseline, row.goal, _VERDICTS[row.met])
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """Where and with what it was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} CPUs ({_processor()}), {memory:.0f} GiB memory, {platform.system()} {platform.release()}",
        "versions": ", ".join(
            [
                f"Hookline {metadata.version('hookline')} ({commit.stdout.strip() or 'no git'})",
                f"CPython {platform.python_version()}",
                f"SQLite {sqlite3.sqlite_version}",
                *(
                    f"{name} {metadata.version(name)}"
                    for name in ("uvicorn", "starlette", "uvloop")
                ),
                *_peer_versions(),
            ]
        ),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _peer_versions() -> list[str]:
    directory = Path(__file__).parent / "peers"
    pinned = dict(
        line.split("==")
        for line in (directory / "requirements.txt").read_text(encoding="utf-8").splitlines()
    )
    package = json.loads((directory / "package.json").read_text(encoding="utf-8"))
    server = package["dependencies"]["@restatedev/restate-server"]
    return [f"DBOS {pinned['dbos']} (SQLite)", f"Restate {server} (SDK {pinned['restate-sdk']})"]


def keep_raw(outcomes: Mapping[str, Outcome], facts: Mapping[str, object]) -> Path:
    """Write every number to a file of its own; its path."""
    RAW.mkdir(exist_ok=True)
    path = RAW / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    content = {
        **facts,
        "argv": sys.argv[1:],
        "figures": {
            name: {
                "raw": one.raw,
                "rows": [[r.what, r.measured, r.baseline, r.goal, r.met] for r in one.rows],
            }
            for name, one in outcomes.items()
        },
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def write_report(rows: Sequence[Row], facts: Mapping[str, str], conditions: str) -> None:
    """Put the table between the marks of docs/performance.md."""
    text = REPORT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    about = "\n".join(
        f"- {name}: {value}" for name, value in {**facts, "conditions": conditions}.items()
    )
    REPORT.write_text(f"{head}{BEGIN}\n{about}\n\n{table(rows)}\n{END}{tail}", encoding="utf-8")
