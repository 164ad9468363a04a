"""What is said of a limit on memory, alike wherever it is met. Standard library only."""

from __future__ import annotations

SETTING = "HOOKLINE_MEMORY_LIMIT_MB"


def over_limit(limit_bytes: int) -> str:
    """That the limit of a session was passed, and what sets it."""
    return f"over the limit of {limit_bytes >> 20} MiB; {SETTING} sets it"
