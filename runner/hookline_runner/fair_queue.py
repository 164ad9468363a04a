"""A fair queue: what waits for one way out leaves by project in equal shares of bytes, and within a project by key in turn.

It is deficit round robin over the projects. Whoever has much to say waits for itself: a project that has little is
next but for one share of each other. What has one key keeps its order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeVar

_SHARE_BYTES: Final = 64 * 1024

T = TypeVar("T")


class _Line(Generic[T]):
    """What waits of one project."""

    __slots__ = ("credit", "keys", "queues")

    def __init__(self) -> None:
        self.credit = 0
        self.keys: deque[Hashable] = deque()  # whose turn comes next
        self.queues: dict[Hashable, deque[tuple[int, T]]] = {}


class FairQueue(Generic[T]):
    """Items with a project, a key and a size."""

    __slots__ = ("_bytes_of", "_lines", "_projects", "_size_bytes")

    def __init__(self) -> None:
        self._lines: dict[str, _Line[T]] = {}
        self._projects: deque[str] = deque()
        self._bytes_of: dict[Hashable, int] = {}
        self._size_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._projects)

    @property
    def size_bytes(self) -> int:
        """How many bytes wait."""
        return self._size_bytes

    @property
    def keys(self) -> Iterator[Hashable]:
        """The keys of what waits."""
        return iter(self._bytes_of)

    def bytes_of(self, key: Hashable) -> int:
        """How many bytes wait with this key."""
        return self._bytes_of.get(key, 0)

    def push(self, project: str, key: Hashable, size_bytes: int, item: T) -> None:
        """Put an item behind those with the same key. A key belongs to one project."""
        line = self._lines.get(project)
        if line is None:
            line = self._lines[project] = _Line()
            self._projects.append(project)
        queue = line.queues.get(key)
        if queue is None:
            queue = line.queues[key] = deque()
            line.keys.append(key)
        queue.append((size_bytes, item))
        self._size_bytes += size_bytes
        self._bytes_of[key] = self._bytes_of.get(key, 0) + size_bytes

    def pop(self) -> T:
        """The item whose turn it is; raises `IndexError` when nothing waits."""
        while True:
            project = self._projects[0]
            line = self._lines[project]
            size_bytes = line.queues[line.keys[0]][0][0]
            if line.credit >= size_bytes or len(self._projects) == 1:
                return self._take(project, line)
            line.credit += _SHARE_BYTES
            self._projects.rotate(-1)

    def _take(self, project: str, line: _Line[T]) -> T:
        key = line.keys.popleft()
        queue = line.queues[key]
        size_bytes, item = queue.popleft()
        line.credit = max(0, line.credit - size_bytes)
        self._size_bytes -= size_bytes
        self._bytes_of[key] -= size_bytes
        if queue:
            line.keys.append(key)
        else:
            del line.queues[key]
            if self._bytes_of[key] <= 0:
                del self._bytes_of[key]
        if not line.keys:
            del self._lines[project]
            self._projects.popleft()
        return item
