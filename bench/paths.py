"""Where things are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
PEERS = BENCH / ".peers"
PROJECTS = BENCH / "projects"
RAW = BENCH / "raw"
REPORT = ROOT / "docs" / "performance.md"
PROGRAM = ROOT / ".venv" / "bin" / "hookline"
PYTHON = ROOT / ".venv" / "bin" / "python"
