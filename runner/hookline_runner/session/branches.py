"""Where in the session's flow a call is made: the branch and the place within it.

The main flow is the branch "". Each asyncio task is a branch of its own, numbered among the children of the branch
that made it, so a position means the same call in every attempt however the tasks interleave.
"""

from __future__ import annotations

from contextvars import ContextVar
from hashlib import blake2b
from typing import Final, final

_LONGEST_PATH: Final = 200


@final
class Branch:
    """One flow of calls; hands out positions."""

    __slots__ = ("_children", "_entered", "_futures", "_timers", "index", "path")

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.index = 0  # of the next call
        self._children = 0
        self._futures = 0
        self._timers = 0
        self._entered = 0

    def child(self) -> Branch:
        """A new branch under this one."""
        path = self.next_child
        self._children += 1
        return Branch(path)

    @property
    def next_child(self) -> str:
        """The path that the next child will have."""
        path = f"{self.path}.{self._children + 1}" if self.path else str(self._children + 1)
        if len(path) > _LONGEST_PATH:  # a task that makes a task that makes a task …
            path = "…" + blake2b(path.encode(), digest_size=12).hexdigest()
        return path

    def next_future(self) -> str:
        """A name for a future made here."""
        self._futures += 1
        return f"{self.path}#{self._futures}"

    def next_entered(self) -> str:
        """The branch of an `async with` made here: entering is entry 0, leaving entry 1."""
        self._entered += 1
        return f"{self.path}&{self._entered}"

    def next_timer(self) -> str:
        """The branch of a timer made here: its setting is entry 0, its firing entry 1."""
        self._timers += 1
        return f"{self.path}@{self._timers}"


@final
class Unrecorded:
    """In the place of a branch where calls are made directly: inside an activity, or inhibited.

    `branch` is where a durable sleep still belongs, when there is one.
    """

    __slots__ = ("branch",)

    def __init__(self, branch: Branch | None = None) -> None:
        self.branch = branch


INSIDE: Final = Unrecorded()

# None in a thread that the session's code started.
current: Final[ContextVar[Branch | Unrecorded | None]] = ContextVar("hookline_branch", default=None)
