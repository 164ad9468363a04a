"""How much an attempt may say in a second: what is more waits in its own socket and pipes, and is not lost."""

from __future__ import annotations

from typing import Final

BYTES_PER_S: Final = 16 * 1024 * 1024
FRAMES_PER_S: Final = 10_000
_SECONDS_SAVED: Final = 2  # what was not said may be said later, up to so much

PLAIN_HEADER_BYTES: Final = 256 * 1024
_LARGE_HEADER_COST: Final = (
    4  # the service reads a header in one go: large ones keep others waiting
)
_PAYLOAD_COST: Final = 0.25  # nobody reads it but its owner
LINE_COST_BYTES: Final = (
    512  # a line of output becomes a record, with a time and a place of its own
)


def cost_of(header_bytes: int, payload_bytes: int) -> float:
    """What a frame takes of the budget, in bytes."""
    cost = header_bytes + payload_bytes * _PAYLOAD_COST
    if header_bytes > PLAIN_HEADER_BYTES:
        cost += (header_bytes - PLAIN_HEADER_BYTES) * (_LARGE_HEADER_COST - 1)
    return cost


class Budget:
    """Two allowances that fill with time: bytes, and frames. One frame may overdraw them, whatever its size."""

    __slots__ = ("_at", "_bytes", "_frames")

    def __init__(self, now: float) -> None:
        self._at = now
        self._bytes: float = _SECONDS_SAVED * BYTES_PER_S
        self._frames: float = _SECONDS_SAVED * FRAMES_PER_S

    def spend(self, size_bytes: float, frames: int = 1) -> bool:
        """Take from the budget; false when it is used up now."""
        self._bytes -= size_bytes
        self._frames -= frames
        return self._bytes > 0 and self._frames > 0

    def fill(self, now: float) -> float:
        """Add what the time since then is worth; how many seconds it takes until something may be said again, or 0."""
        passed_s = max(0.0, now - self._at)
        self._at = now
        self._bytes = min(self._bytes + passed_s * BYTES_PER_S, _SECONDS_SAVED * BYTES_PER_S)
        self._frames = min(self._frames + passed_s * FRAMES_PER_S, _SECONDS_SAVED * FRAMES_PER_S)
        return max(0.0, -self._bytes / BYTES_PER_S, -self._frames / FRAMES_PER_S)
