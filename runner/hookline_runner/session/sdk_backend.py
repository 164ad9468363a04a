"""What stands behind the SDK's functions in a session: operations of the service, recorded where calls are recorded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final, cast

from hookline import host as sdk_host
from hookline.errors import UnavailableError
from hookline_runner.session.async_calls import (
    AsyncCalls,
    has_running_activities,
    refresh_time,
)
from hookline_runner.session.branches import INSIDE, Branch, Unrecorded, current
from hookline_runner.session.calling import PendingTake, ServiceOperations, Undelivered, unwrap
from hookline_runner.session.decisions import Action, Decision
from hookline_runner.session.durable_loop import DurableLoop
from hookline_runner.session.journal import OK, Row
from hookline_runner.session.link import Link
from hookline_runner.session.operations import (
    decision_of,
    encode_arguments,
    shown_arguments,
)
from hookline_runner.session.recording import Call
from hookline_runner.session.sleeping import Sleeper
from hookline_runner.session.stopping import StopSwitch
from hookline_runner.session.suspension import Waiting
from hookline_runner.session.turns import Turns

_SLEEP: Final = Decision(Action.SLEEP, "sleep", '"sleep"')
_time_sleep: Final = time.sleep  # kept: user code may replace the function
_frame: Final = cast("Callable[[int], FrameType]", vars(sys)["_getframe"])


class SessionBackend:
    """See `hookline.host.Host`.

    In the main flow and the tasks of a durable session an operation is recorded. Inside an activity, in a thread, while
    a module loads and in a session that is not durable it is made whenever the code runs.
    """

    def __init__(
        self,
        calls: ServiceOperations,
        link: Link,
        waiting: Waiting,
        stop: StopSwitch,
        *,
        is_durable: bool,
    ) -> None:
        self._calls = calls
        self._link = link
        self._waiting = waiting
        self._sleeper = Sleeper(calls.recorder, waiting, stop)
        self._stop = stop
        self._is_durable = is_durable
        self._async = AsyncCalls(calls.recorder, stop, calls.output)
        self._put_back = Undelivered()
        self.has_answered = False
        self._watching: dict[asyncio.AbstractEventLoop, int] = {}
        self._main_thread = threading.get_ident()
        self._pid = os.getpid()

    def install(self) -> None:
        """Be what the SDK's functions reach."""
        sdk_host.install(self)

    @staticmethod
    def uninstall() -> None:
        """Leave the SDK without a session."""
        sdk_host.uninstall()

    # What the SDK calls

    def call(self, operation: str, arguments: Mapping[str, object]) -> object:
        """See `Host.call`."""
        branch = self._recorded_branch()
        token = current.set(INSIDE)
        try:
            text = encode_arguments(operation, arguments)
        finally:
            current.reset(token)
        if branch is None:
            result = unwrap(self._calls.make(operation, text))
        else:
            call = self._describe(operation, arguments)
            result = self._call_recorded(operation, text, call, branch)
        if operation == "outcome" and arguments.get("event") is None:
            self.has_answered = True
        if operation == "unsubscribe":
            self._put_back.forget(f"sub:{arguments.get('subscription')}")
            self._link.wake()  # another task or thread may wait for it, and would for ever
        return result

    def wait(
        self, operation: str, arguments: Mapping[str, object], timeout_s: float | None
    ) -> object:
        """See `Host.wait`."""
        branch = self._recorded_branch()
        taking = PendingTake(self._calls, operation, arguments)
        if branch is not None:
            kept = self._put_back.take(taking.topics)
            if kept is not None:
                return kept
            row = taking.take_position(branch, self._describe(operation, arguments, timeout_s))
            if row is not None:
                return self._replay(row)
            self._stop.check()
            self._calls.recorder.journal.is_ahead = True
        taking.begin(timeout_s)
        is_over = self._is_stopping if self._is_main() else _never
        while (reply := taking.ask()) is None:
            may_leave = branch is not None and not has_running_activities()
            topics = taking.topics if may_leave else ()
            self._waiting.wait_woken(taking.has_news, taking.wake_at, topics, is_over)
            if is_over():
                self._stop.raise_now()
        if self._is_main():
            refresh_time()
        return unwrap(reply)

    async def wait_async(
        self, operation: str, arguments: Mapping[str, object], timeout_s: float | None
    ) -> object:
        """See `Host.wait_async`."""
        branch = self._recorded_branch()
        taking = PendingTake(self._calls, operation, arguments)
        if branch is None:
            taking.begin(timeout_s)
            return await self._take_in_loop(taking)
        kept = self._put_back.take(taking.topics)
        if kept is not None:
            return kept
        row = taking.take_position(branch, self._describe(operation, arguments, timeout_s))
        loop = asyncio.get_running_loop()
        if not isinstance(loop, DurableLoop):  # one of the author's own choice: no turns
            if row is not None:
                return self._replay(row)
            taking.begin(timeout_s)
            return await self._take_in_loop(taking)
        if row is not None:
            return await self._replay_in_turn(row, operation, loop.turns)
        return await self._take_in_turn(taking, timeout_s, loop.turns)

    def sleep(self, seconds: float) -> None:
        """See `Host.sleep`."""
        branch = self._recorded_branch() if os.getpid() == self._pid else None
        if branch is None:
            _time_sleep(seconds)
            return
        call = self._calls.recorder.operation(_SLEEP, {"seconds": seconds}, _frame(1))
        self._sleeper.sleep(call, branch, seconds)

    async def sleep_async(self, seconds: float) -> None:
        """See `Host.sleep_async`."""
        call = self._calls.recorder.operation(_SLEEP, {"seconds": seconds}, _frame(1))
        call.func, call.args, call.kwargs = asyncio.sleep, (seconds,), {}
        await self._async.sleep(call)

    # One time

    def _recorded_branch(self) -> Branch | None:
        """Where this operation is recorded; None where nothing is."""
        if os.getpid() != self._pid:
            raise UnavailableError(
                "a child process cannot reach the service: call hookline's functions in the session's own process"
            )
        if not self._is_durable or not self._is_main():
            return None
        place = current.get()
        if isinstance(place, Unrecorded):
            return place.branch
        return place

    def _is_main(self) -> bool:
        return threading.get_ident() == self._main_thread

    def _is_stopping(self) -> bool:
        """Whether a stop was asked for, even if it was raised: see `_check_raised`."""
        return self._stop.is_requested

    def _check_raised(self) -> None:
        """A `finally` block that waits once more does not hold a stop up."""
        if self._stop.is_raised:
            self._stop.raise_now()

    def _describe(
        self, operation: str, arguments: Mapping[str, object], timeout_s: float | None = None
    ) -> Call:
        shown = shown_arguments(operation, arguments)
        if timeout_s is not None:
            shown["timeout"] = timeout_s
        return self._calls.recorder.operation(decision_of(operation, arguments), shown, _frame(1))

    def _call_recorded(self, operation: str, text: str, call: Call, branch: Branch) -> object:
        recorder = self._calls.recorder
        index = recorder.take_position(branch)
        row = recorder.journal.find_if_replaying(branch.path, index)
        if row is not None:
            return self._calls.replay(row, call)
        self._stop.check()
        recorder.journal.is_ahead = True
        reply = self._calls.make_recorded(operation, text, call, branch, index)
        refresh_time()
        self._stop.check()
        return unwrap(reply)

    def _replay(self, row: Row) -> object:
        self._calls.recorder.journal.consume(row)
        return self._calls.answer_of(row)

    # In an event loop

    async def _replay_in_turn(self, row: Row, operation: str, turns: Turns) -> object:
        try:
            await turns.expected(row)
        except asyncio.CancelledError:
            if row[OK]:
                self._put_back.keep(operation, self._calls.recorder.reply_of(row))
                turns.hand_on(self._put_back)
            raise
        return self._calls.answer_of(row)

    async def _take_in_turn(
        self, taking: PendingTake, timeout_s: float | None, turns: Turns
    ) -> object:
        taking.begin(timeout_s)
        parked = turns.park(taking)
        try:
            if parked.reply is None:
                self._check_raised()
            return unwrap(await parked.future)
        except asyncio.CancelledError:
            if parked.reply is not None and parked.reply.ok:
                self._put_back.keep(taking.operation, unwrap(parked.reply))
                turns.hand_on(self._put_back)
            raise
        finally:
            turns.unpark(parked)

    async def _take_in_loop(self, taking: PendingTake) -> object:
        """Outside the turns: the loop is held for the round trip of a call only."""
        while (reply := taking.ask()) is None:
            self._check_raised()
            await self._woken(taking)
            if self._is_loop_stopping():
                self._stop.raise_now()
        return unwrap(reply)

    def _is_loop_stopping(self) -> bool:
        """Whether a stop is to be raised here; the tasks of another loop are cancelled instead."""
        return self._stop.is_pending and isinstance(asyncio.get_running_loop(), DurableLoop)

    async def _woken(self, taking: PendingTake) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop may just have been closed
                loop.call_soon_threadsafe(_resolve, future)

        def heard() -> None:
            if taking.has_news():
                wake()

        self._stop.watchers.append(wake)
        self._link.listen(heard)
        self._watch(loop, 1)
        timer = None
        if taking.wake_at is not None:
            left_s = max(0.0, taking.wake_at - self._calls.clock.now())
            timer = loop.call_later(left_s, _resolve, future)
        try:
            if not taking.has_news() and not self._is_loop_stopping():
                await future
        finally:
            with contextlib.suppress(ValueError):  # the attempt is over
                self._stop.watchers.remove(wake)
            self._link.unlisten(heard)
            self._watch(loop, -1)
            if timer is not None:
                timer.cancel()

    def _watch(self, loop: asyncio.AbstractEventLoop, change: int) -> None:
        """Have the loop read the link while somebody in it waits; a durable loop always does."""
        if isinstance(loop, DurableLoop):
            return
        before = self._watching.get(loop, 0)
        if before + change > 0:
            self._watching[loop] = before + change
        else:
            self._watching.pop(loop, None)
        if before == 0:
            loop.add_reader(self._link.fileno(), self._link.read_available)
        elif before + change == 0 and not loop.is_closed():
            loop.remove_reader(self._link.fileno())


def _never() -> bool:
    return False


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
