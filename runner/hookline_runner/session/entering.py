"""`async with` over a library's object: entering and leaving it are activities, as calls of it are.

What was entered has to be entered again in each process that goes on inside it: a lock, a connection, a response. So that
is done again on resumption, in the same place, and left again; unless entering gave a value that can be recorded, which
then stands for all of it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, cast, final

from hookline_runner.session.async_calls import AsyncCalls
from hookline_runner.session.branches import Branch, current
from hookline_runner.session.decisions import Action, Decision, DecisionTable
from hookline_runner.session.display import clean_text
from hookline_runner.session.journal import Journal
from hookline_runner.session.recording import Call

_GENERATOR_MANAGER: Final[type] = contextlib._AsyncGeneratorContextManager  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - what `asynccontextmanager` gives


def is_recorded(table: DecisionTable, manager: Any) -> bool:
    """Whether entering this object is a step of the session, and no part of its own code."""
    cls = cast("type[Any]", type(manager))
    if cls is _GENERATOR_MANAGER:
        return table.decide(manager.func).action is Action.ACTIVITY
    enter = getattr(cls, "__aenter__", None)
    if enter is None or not hasattr(cls, "__aexit__"):
        return False  # Python says what is wrong with it
    decided = (table.decide(cls), table.decide(enter.__get__(manager, cls)))
    return all(decision.action is Action.ACTIVITY for decision in decided)


@final
class Entered:
    """Stands in for the object in one `async with`."""

    __slots__ = (
        "_async",
        "_enter",
        "_has_entered",
        "_journal",
        "_kind",
        "_manager",
        "_place",
        "_side",
    )

    def __init__(
        self, manager: Any, async_calls: AsyncCalls, journal: Journal, place: tuple[str, int]
    ) -> None:
        self._manager = manager
        self._kind: Any = type(manager)  # its methods are looked up as Python does
        self._async = async_calls
        self._journal = journal
        self._place = place
        self._side: Branch | None = None  # where both steps are recorded
        self._enter: Call | None = None
        self._has_entered = False  # in this process

    async def __aenter__(self) -> Any:
        branch = current.get()
        if type(branch) is not Branch:
            return await self._kind.__aenter__(self._manager)
        side = Branch(branch.next_entered())
        if self._was_no_step(branch, side):
            return await self._kind.__aenter__(self._manager)
        self._side = side
        self._enter = self._call("__aenter__", self._enter_now, self._is_to_be_entered_again)
        return await self._async.run_in(self._enter, side)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> Any:
        leave = self._kind.__aexit__
        enter = self._enter
        is_closed = isinstance(exc, GeneratorExit)  # nothing can be waited for any more
        if enter is None or self._side is None or is_closed or type(current.get()) is not Branch:
            return await leave(self._manager, kind, exc, trace)

        async def leave_now() -> Any:
            if self._has_entered:
                return await leave(self._manager, kind, exc, trace)
            return None

        call = self._call("__aexit__", leave_now, lambda _result: enter.is_volatile)
        return await self._async.run_in(call, self._side)

    def _was_no_step(self, branch: Branch, side: Branch) -> bool:
        """Whether it was entered before, by a version that did not record that, and what followed was recorded."""
        find = self._journal.find_if_replaying
        if not self._journal.is_replaying or find(side.path, 0) is not None:
            return False
        return find(branch.path, branch.index) is not None or find(branch.next_child, 0) is not None

    async def _enter_now(self) -> Any:
        self._has_entered = True
        return await self._kind.__aenter__(self._manager)

    def _is_to_be_entered_again(self, result: object) -> bool:
        """Whether there is nothing in the result that could stand for having entered."""
        return result is self._manager or result is None or isinstance(result, bool)

    def _call(self, name: str, func: Any, is_live: Callable[[object], bool]) -> Call:
        text = clean_text(f"{self._kind.__name__}.{name}")
        decision = Decision(Action.ACTIVITY, text, json.dumps(text), is_async=True)
        return Call(func, (), {}, decision, *self._place, is_live=is_live)
