"""What has come for this session from outside: how often something did, and when it last did for each topic."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from typing import Final, cast

_MOST_TOPICS: Final = 10_000  # signals can have any name, awaited or not


class News:
    """Counts what comes. Who asked when the count was `seen` asks again once `has_come` is true.

    What comes is noted before the count rises, and the count always rises: so who looks after it has read the
    count, and waits for another one then, misses nothing. Any thread may note, and a signal handler within it.
    """

    __slots__ = ("_by_topic", "_lock", "_of_any", "count")

    def __init__(self) -> None:
        self.count = 0
        self._by_topic: dict[str, int] = {}  # what the count became when something came for it last
        self._of_any = 0  # and when nobody said for which topics
        self._lock = threading.RLock()

    def note(self, topics: Sequence[str] = ()) -> None:
        """Something came for these topics; without any, it may be for each."""
        with self._lock:
            number = self.count + 1
            if not topics or len(self._by_topic) + len(topics) > _MOST_TOPICS:
                self._of_any = number
                self._by_topic.clear()
            else:
                for topic in topics:
                    self._by_topic[topic] = number
            self.count += 1

    def has_come(self, seen: int, topics: Iterable[str]) -> bool:
        """Whether something came for one of the topics since the count was `seen`."""
        if self._of_any > seen:
            return True
        return any(self._by_topic.get(topic, 0) > seen for topic in topics)


def topics_in(header: bytes) -> list[str]:
    """The topics that a WAKE names; none if it does not say."""
    facts: object = json.loads(header or b"{}")
    named = cast("dict[str, object]", facts).get("topics") if isinstance(facts, dict) else None
    return list(map(str, cast("list[object]", named))) if isinstance(named, list) else []
