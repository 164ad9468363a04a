"""Room for large frames that are not yet whole: so many bytes for a host, and half of them for a project."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SMALL_FRAME_BYTES: Final = 1024 * 1024
_ROOM_BYTES: Final = 256 * 1024 * 1024


@dataclass(eq=False, slots=True)
class Claim:
    """A wish for room, and later the room: give it back with `LargeFrames.release`."""

    project: str
    size_bytes: int
    on_granted: Callable[[], None]
    is_granted: bool = False


class LargeFrames:
    """Gives room in the order of the wishes; who has to wait for its own project holds up no other.

    What was whole and has not left the host yet takes room, too, as `unsent_bytes` tells.
    """

    def __init__(self, unsent_bytes: Callable[[], int], room_bytes: int = _ROOM_BYTES) -> None:
        self._unsent_bytes = unsent_bytes
        self._room_bytes = room_bytes
        self._taken: dict[str, int] = {}
        self._waiting: deque[Claim] = deque()

    def ask(self, project: str, size_bytes: int, on_granted: Callable[[], None]) -> Claim:
        """Ask for room; `on_granted` is called when there is some, perhaps at once."""
        claim = Claim(project, size_bytes, on_granted)
        self._waiting.append(claim)
        self.tend()
        return claim

    def release(self, claim: Claim) -> None:
        """The frame is whole, or will never be."""
        if claim.is_granted:
            self._taken[claim.project] -= claim.size_bytes
            if not self._taken[claim.project]:
                del self._taken[claim.project]
        elif claim in self._waiting:
            self._waiting.remove(claim)
        self.tend()

    def tend(self) -> None:
        """Give what room there is now."""
        granted = [claim for claim in self._waiting if self._take(claim)]
        for claim in granted:
            self._waiting.remove(claim)
        for claim in granted:
            claim.on_granted()

    def _take(self, claim: Claim) -> bool:
        taken = self._taken.get(claim.project, 0)
        total = sum(self._taken.values())
        is_over = total + self._unsent_bytes() + claim.size_bytes > self._room_bytes
        if total and (is_over or taken + claim.size_bytes > self._room_bytes // 2):
            return False
        self._taken[claim.project] = taken + claim.size_bytes
        claim.is_granted = True
        return True
