"""The one thread that writes: everything that waits at a moment is one transaction with one fsync."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, TypeVarTuple

from anyio import to_thread

from hookline_runner import write_points
from hookline_service.storage.errors import StorageUnavailableError
from hookline_service.storage.sqlite.connection import Database, translate
from hookline_service.storage.sqlite.reserve import Reserve

logger = logging.getLogger(__name__)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True)
class OnDone:
    """Whom to tell the result or the error of a piece of work, when it is not a task that waits."""

    tell: Callable[[Any, Exception | None], None]


Waiter = asyncio.Future[Any] | OnDone
Job = tuple[
    Callable[..., Any], tuple[Any, ...], Waiter, int
]  # work, its arguments, whom to tell, bytes
Outcome = tuple[Waiter, int, Any, Exception | None]

_JOBS_PER_COMMIT = 2_000
_BYTES_PER_COMMIT = 16 * 1024 * 1024
_JOB_BYTES = 200
_PAGES_PER_COMMIT = 6
_PAGES_PER_CHECKPOINT = 4_000
_CLOSE_S = 10.0
_CALM_S = 1.0


class Writer:
    """Runs work on the writing connection, in the order it was given, many pieces to a transaction.

    A piece of work is a function of the `Database` and may be run twice: when one piece of a group raises, the
    group is undone and its pieces run again without the guilty one, whose caller alone gets the error.
    """

    __slots__ = (
        "_closed",
        "_database",
        "_gathered",
        "_loop",
        "_pages",
        "_pending_bytes",
        "_queue",
        "_refusal",
        "_refused_at",
        "_reserve",
        "_thread",
    )  # fmt: skip

    def __init__(self, database: Database, reserve: Reserve) -> None:
        self._database = database
        self._reserve = reserve
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[list[Job] | None] = SimpleQueue()
        self._gathered: list[Job] = []
        self._pending_bytes = 0
        self._pages = 0
        self._refusal: StorageUnavailableError | None = None
        self._refused_at = 0.0
        self._closed = False
        self._thread = Thread(target=self._serve, name="hookline-writer", daemon=True)
        self._thread.start()

    @property
    def pending_bytes(self) -> int:
        """Roughly how much waits."""
        return self._pending_bytes

    def admit(self) -> None:
        """Let new work in: what begins, and not what ends. Raises `StorageUnavailableError` on a full disk."""
        self._reserve.admit()

    async def check(self, look: Callable[[], None]) -> None:
        """Raise what stands against writing, if a write was refused: `look` finds nothing, and a small one is taken.

        Costs nothing while no write was refused.
        """
        self._reserve.admit()
        if self._refusal is not None:
            look()
            await self.run(_write_little)

    async def run(self, work: Callable[[Database, *Ts], T], *args: *Ts, size_bytes: int = 0) -> T:
        """What the work returns, once it is on disk.

        A caller that is cancelled leaves the work in the queue: it will be done as a whole.

        Raises:
            StorageUnavailableError: the disk refused, or the store is closed.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self.submit(future, size_bytes, work, *args)
        return await future

    def submit(
        self,
        waiter: Waiter,
        size_bytes: int,
        work: Callable[[Database, *Ts], object],
        *args: *Ts,
    ) -> None:
        """Have the work done; the waiter gets its result or error on the loop."""
        if self._closed:
            self._finish([(waiter, 0, None, StorageUnavailableError("it is closed"))])
            return
        size_bytes += _JOB_BYTES
        self._pending_bytes += size_bytes
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append((work, args, waiter, size_bytes))

    def _hand_over(self) -> None:
        """Give the thread what one turn of the loop gathered: to wake it for each piece would slow both down."""
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    async def aclose(self) -> bool:
        """Do what waits, then end the thread; false if the disk did not answer in time."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._queue.put(None)
        await to_thread.run_sync(self._thread.join, _CLOSE_S)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        is_open = True
        while is_open:
            jobs, is_open = self._take()
            if jobs:
                self._deliver(self._settle_group(jobs))
                self._checkpoint_when_idle(len(jobs))
        self._database.close()

    def _take(self) -> tuple[list[Job], bool]:
        """Everything that waits, up to about a bound; waits for the first."""
        jobs: list[Job] = []
        size_bytes = 0
        while True:
            gathered = self._queue.get()
            if gathered is None:
                return jobs, False
            jobs += gathered
            size_bytes += sum(job[3] for job in gathered)
            is_full = len(jobs) >= _JOBS_PER_COMMIT or size_bytes >= _BYTES_PER_COMMIT
            if is_full or self._queue.empty():
                return jobs, True

    def _settle_group(self, jobs: list[Job]) -> list[Outcome]:
        """Commit the jobs together; whoever makes that fail is committed, or refused, alone."""
        outcomes: list[Outcome] = []
        while jobs:
            results, failure, is_begun = self._attempt(jobs)
            if failure is None:
                pairs = zip(jobs, results, strict=True)
                return outcomes + [(job[2], job[3], result, None) for job, result in pairs]
            if len(jobs) == 1 or not is_begun:
                return outcomes + [(job[2], job[3], None, failure) for job in jobs]
            guilty = len(results)
            if guilty == len(jobs):  # the commit failed: it may be one of them that is too big
                return outcomes + [each for job in jobs for each in self._settle_group([job])]
            outcomes += self._settle_group(jobs[:guilty])
            outcomes += self._settle_group(jobs[guilty : guilty + 1])
            jobs = jobs[guilty + 1 :]
        return outcomes

    def _attempt(self, jobs: Sequence[Job]) -> tuple[list[Any], Exception | None, bool]:
        """Results, the failure if any, and whether the transaction had begun."""
        database = self._database
        results: list[Any] = []
        is_begun = False
        try:
            database.execute("begin")
            is_begun = True
            for work, args, _, _ in jobs:
                results.append(work(database, *args))
            _reach(jobs, "before commit")
            database.execute("commit")
            _reach(jobs, "after commit")
        except sqlite3.Error as exc:
            self._undo()
            if self._reserve.helps_against(exc) and self._reserve.release():
                return self._attempt(jobs)
            failure = translate(exc)
            failure.__cause__ = exc
            return results, failure, is_begun
        except Exception as exc:  # noqa: BLE001 - it is the caller's, who waits for it
            self._undo()
            return results, exc, is_begun
        return results, None, True

    def _undo(self) -> None:
        self._database.forget_keys()
        try:
            if self._database.connection.in_transaction:
                self._database.execute("rollback")
        except sqlite3.Error:
            logger.exception("roll-back failed")

    def _deliver(self, outcomes: Sequence[Outcome]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._finish, outcomes)
        except RuntimeError:
            logger.warning("results of writes came after the loop was closed")

    def _finish(self, outcomes: Sequence[Outcome]) -> None:
        """On the loop: tell every caller."""
        for waiter, size_bytes, result, failure in outcomes:
            self._pending_bytes -= size_bytes
            if failure is None:
                self._note_success()
            elif isinstance(failure, StorageUnavailableError):
                self._note_refusal(failure)
            if isinstance(waiter, OnDone):
                self._loop.call_soon(waiter.tell, result, failure)
            elif waiter.done():  # its caller was cancelled
                continue
            elif failure is None:
                waiter.set_result(result)
            else:
                waiter.set_exception(failure)

    def _note_refusal(self, failure: StorageUnavailableError) -> None:
        if self._refusal is None and not self._closed:
            logger.error("the database takes no writes", extra={"reason": failure.reason})
        self._refusal = failure
        self._refused_at = self._loop.time()

    def _note_success(self) -> None:
        if self._refusal is not None and self._loop.time() - self._refused_at > _CALM_S:
            self._refusal = None
            logger.warning("the database takes writes again")

    def _checkpoint_when_idle(self, jobs: int) -> None:
        """Move the log to the main file while nobody waits for us, rather than inside a commit."""
        self._pages += _PAGES_PER_COMMIT + jobs // 2  # a guess is enough: it only says how often
        if self._pages < _PAGES_PER_CHECKPOINT or not self._queue.empty():
            return
        self._pages = 0
        try:
            self._database.rows("checkpoint")
            write_points.reach("store: after checkpoint")
        except sqlite3.Error as exc:
            logger.warning("checkpoint failed", extra={"reason": str(exc)})


def _write_little(database: Database) -> None:
    database.execute("mark_as_ours")


def _reach(jobs: Sequence[Job], moment: str) -> None:
    """Each kind of work in a transaction is a write of its own to those who test crashes."""
    if write_points.IS_WATCHED:
        for work in sorted({job[0].__name__ for job in jobs}):
            write_points.reach(f"store {work.strip('_')}: {moment}")
