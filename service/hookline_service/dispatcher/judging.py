"""Asking filters whether they take an event, without holding up anybody else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import anyio

from hookline import json_text
from hookline.errors import RateLimitedError
from hookline.values import encode_event
from hookline_service.dispatcher.filter_process import FilterProcess
from hookline_service.model.ids import ProjectId
from hookline_triggers.cel_work import INLINE
from hookline_triggers.filters import Explanation, Filter

logger = logging.getLogger(__name__)

DEADLINE_S: Final = 1.0
_WORKERS: Final = 2
_QUEUE_S: Final = 5.0
_SMALL_BYTES: Final = 64 * 1024
_SLOW: Final = f"it took longer than {DEADLINE_S:g} s on this event"
_ENDED: Final = "it could not be judged: too much work or memory on this event"

Data = Callable[[], Mapping[str, Any]]  # Any: JSON of any shape


class Judge(Protocol):
    """Judges filters."""

    async def explain(
        self, project_id: ProjectId, made: Filter, event_type: str, data: Data, size_bytes: int
    ) -> Explanation:
        """Whether the filter takes the event, and if not, why. What takes too long does not take it.

        Args:
            project_id: whose filter it is; each project has its turn.
            made: the filter.
            event_type: the event's type.
            data: gives the event's data, if they are asked for.
            size_bytes: how large the event is, about.

        Raises:
            RateLimitedError: too many filters are being judged that take long.
        """
        ...


class InlineJudge:
    """Judges at once, whatever it takes: for events that nobody from outside has made."""

    async def explain(
        self, project_id: ProjectId, made: Filter, event_type: str, data: Data, size_bytes: int
    ) -> Explanation:
        """See `Judge.explain`."""
        del project_id, size_bytes
        return made.explain(data(), event_type)


class WorkerJudge:
    """Judges at once what is little work, and the rest in a few processes of their own, one at a time of each project."""

    def __init__(self) -> None:
        self._room = anyio.Semaphore(_WORKERS)
        self._turns: dict[ProjectId, _Turn] = {}
        self._idle: list[FilterProcess] = []

    async def explain(
        self, project_id: ProjectId, made: Filter, event_type: str, data: Data, size_bytes: int
    ) -> Explanation:
        """See `Judge.explain`."""
        if made.is_plain and size_bytes <= _SMALL_BYTES:
            return made.explain(data(), event_type)
        event = data()
        if made.work(event) <= INLINE:
            return made.explain(event, event_type)
        turn = self._turns.setdefault(project_id, _Turn())
        turn.waiting += 1
        try:
            return await self._judge(turn, made, event_type, event)
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[project_id]

    async def aclose(self) -> None:
        """End the processes."""
        idle, self._idle = self._idle, []
        for worker in idle:
            await worker.aclose()

    async def _judge(
        self, turn: _Turn, made: Filter, event_type: str, event: Mapping[str, Any]
    ) -> Explanation:
        with anyio.move_on_after(_QUEUE_S) as queue:
            async with turn.lock, self._room:
                queue.deadline = float("inf")
                return await self._ask(made, event_type, event)
        raise RateLimitedError("filters that take long are being judged; try again in a second")

    async def _ask(self, made: Filter, event_type: str, event: Mapping[str, Any]) -> Explanation:
        worker = self._idle.pop() if self._idle else await _start()
        is_kept = False
        try:
            with anyio.move_on_after(DEADLINE_S) as scope:
                explained = await _answer(worker, made, event_type, event)
                is_kept = explained is not None
                return explained or Explanation(is_match=False, reason=_ENDED)
        finally:
            if is_kept:
                self._idle.append(worker)
            else:
                with anyio.CancelScope(shield=True):
                    await worker.aclose()
        if scope.cancelled_caught:
            logger.warning("filter ended: it took too long", extra={"filter": made.text[:200]})
        return Explanation(is_match=False, reason=_SLOW)


class _Turn:
    """The one filter of a project that may be judged at a time, and how many want to be."""

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        self.waiting = 0


async def _start() -> FilterProcess:
    return await FilterProcess.start("hookline_triggers.filter_worker", 2 * DEADLINE_S)


async def _answer(
    worker: FilterProcess, made: Filter, event_type: str, event: Mapping[str, Any]
) -> Explanation | None:
    """What the process says; None when it has ended."""
    data = encode_event(made.needed(event))
    head = {"filter": made.text, "type": event_type, "size": len(data)}
    line = await worker.ask(json_text.write_bytes(head) + b"\n" + data)
    if line is None:
        return None
    answer = json_text.read(line)
    return Explanation(is_match=bool(answer["match"]), reason=str(answer["reason"]))
