"""How many webhooks came since the start, and what became of them."""

from __future__ import annotations

from collections import Counter


class WebhookCounts:
    """Counts for `/metrics`; to be told once of each request that was answered."""

    __slots__ = ("_accepted", "_duplicates", "_refused")

    def __init__(self) -> None:
        self._accepted = 0
        self._duplicates = 0
        self._refused: Counter[int] = Counter()

    def accept(self, *, is_new: bool) -> None:
        """The event is on disk; not new if it was a redelivery, which starts nothing."""
        if is_new:
            self._accepted += 1
        else:
            self._duplicates += 1

    def refuse(self, status: int) -> None:
        """The event was not kept, and the sender was told so."""
        self._refused[status] += 1

    def figures(self) -> dict[str, float]:
        """The counts under their names in `/metrics`."""
        by_status = {
            f'webhooks_refused_total{{status="{status}"}}': count
            for status, count in sorted(self._refused.items())
        }
        return {
            "webhooks_accepted_total": self._accepted,
            "webhooks_duplicates_total": self._duplicates,
            **by_status,
        }
