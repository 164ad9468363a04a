"""How many session processes to keep waiting: few when idle, more while attempts find none."""

from __future__ import annotations

_CALM_S = 5.0


class ForksAhead:
    """Decides the number of processes forked ahead of demand. Pure: time is an argument, in seconds."""

    __slots__ = ("_changed_at", "_highest", "_lowest", "_target")

    def __init__(self, lowest: int, highest: int) -> None:
        self._lowest = lowest
        self._highest = max(lowest, highest)
        self._target = lowest
        self._changed_at = 0.0

    @property
    def target(self) -> int:
        """How many should wait now."""
        return self._target

    def note_shortage(self, now: float) -> None:
        """An attempt found nobody waiting."""
        self._target = min(self._target * 2 or 1, self._highest)
        self._changed_at = now

    def note_time(self, now: float) -> None:
        """Time has passed: without shortages the number goes back down, step by step."""
        if self._target > self._lowest and now - self._changed_at >= _CALM_S:
            self._target = max(self._target // 2, self._lowest)
            self._changed_at = now

    def missing(self, *, waiting: int, idle: int, on_the_way: int) -> int:
        """How many forks to order.

        Args:
            waiting: attempts that have no process yet.
            idle: processes that have no attempt yet.
            on_the_way: forks ordered already.
        """
        return max(0, waiting + self._target - idle - on_the_way)
