"""Calls whose result is awaited: recorded when it is there, and delivered in their turn."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Coroutine
from typing import Any, Final

from hookline.errors import ActivityTimeoutError
from hookline_runner.session.branches import INSIDE, Branch, Unrecorded, current
from hookline_runner.session.durable_loop import DurableLoop, StableTask
from hookline_runner.session.journal import (
    AWAITABLE_SUFFIX,
    FUTURE_SUFFIX,
    VOLATILE,
    WAKE_AT,
    Kind,
    Row,
    Step,
)
from hookline_runner.session.output import LogStream
from hookline_runner.session.recording import Call, Outcome, Recorder, hide_own_frames
from hookline_runner.session.retrying import Tries, tries_of
from hookline_runner.session.stopping import StopSwitch
from hookline_runner.session.suspension import FAR_FUTURE
from hookline_runner.session.turns import Timer, Turns, plain_future

# Types that are seen at once not to be awaitable.
_PLAIN_TYPES: Final = frozenset({type(None), bool, int, float, str, bytes, list, dict, tuple, set})


def result_suffix(outcome: Outcome) -> str:
    """How the call's result is still to come; "" if it is there. An awaitable context manager is a result itself."""
    value: object = outcome.value
    if not outcome.ok or type(value) in _PLAIN_TYPES or hasattr(type(value), "__aenter__"):
        return ""
    if asyncio.isfuture(value):
        return FUTURE_SUFFIX
    return AWAITABLE_SUFFIX if inspect.isawaitable(value) else ""


class AsyncCalls:
    """Makes the coroutines that stand in for recorded calls."""

    __slots__ = ("_output", "_recorder", "_stop")

    def __init__(self, recorder: Recorder, stop: StopSwitch, output: LogStream) -> None:
        self._output = output
        self._recorder = recorder
        self._stop = stop

    async def run(self, call: Call) -> Any:
        """Make the call when awaited, in the branch that awaits it."""
        branch = current.get()
        if type(branch) is not Branch:
            return await call.func(*call.args, **call.kwargs)
        return await self.run_in(call, branch)

    async def run_in(self, call: Call, branch: Branch) -> Any:
        """Make the call at the next place of this branch."""
        try:
            recorder = self._recorder
            index = recorder.take_position(branch)
            row = recorder.journal.find_if_replaying(branch.path, index)
            if row is not None:
                recorder.check(row, call)
                tries_of(call, branch.path, index, recorder)
                return await self._replayed(row, call)
            await self._stop_here()
            self._output.flush()  # before what the activity's own processes write
            token = current.set(INSIDE)
            try:
                step = recorder.begin(call, branch, index, Kind.ACTIVITY)
            finally:
                current.reset(token)
            return await self._live(call, step, tries_of(call, branch.path, index, recorder))
        except BaseException as exc:
            hide_own_frames(exc)
            raise

    def stand_in(
        self, coroutine: Coroutine[Any, Any, Any], suffix: str, branch: Branch | None = None
    ) -> Awaitable[Any]:
        """What the caller gets in the place of the awaitable or future."""
        if suffix != FUTURE_SUFFIX or asyncio._get_running_loop() is None:  # noqa: SLF001 - the quiet way to ask
            return coroutine
        token = current.set(branch) if branch is not None else None
        try:
            return asyncio.ensure_future(coroutine)
        finally:
            if token is not None:
                current.reset(token)

    async def finish(
        self,
        call: Call,
        step: Step,
        pending: Awaitable[Any],
        suffix: str = AWAITABLE_SUFFIX,
        tries: Tries | None = None,
    ) -> Any:
        """Go on with a call that was made already and gave an awaitable."""
        try:
            return await self._live(call, step, tries, pending, suffix)
        except BaseException as exc:
            hide_own_frames(exc)
            raise

    async def replay(self, row: Row, call: Call) -> Any:
        """Answer from the journal with what was awaited."""
        try:
            return await self._replayed(row, call)
        except BaseException as exc:
            hide_own_frames(exc)
            raise

    async def sleep(self, call: Call) -> Any:
        """`asyncio.sleep` as a durable timer."""
        delay, result = _sleep_arguments(*call.args, **call.kwargs)
        branch = current.get()
        turns = _turns()
        if type(branch) is not Branch or turns is None or delay <= 0:
            return await call.func(*call.args, **call.kwargs)
        try:
            index = self._recorder.take_position(branch)
            await self._stop_here()
            wake_at = self._wake_at(call, branch, index, delay)
            await _wait_turn(turns, f"{branch.path}~{index}", wake_at)
        except BaseException as exc:
            hide_own_frames(exc)
            raise
        return result

    async def inhibited(self, call: Call, inside: Unrecorded) -> Any:
        """Run it with nothing recorded in it."""
        token = current.set(inside)
        try:
            return await call.func(*call.args, **call.kwargs)
        except BaseException as exc:
            hide_own_frames(exc)
            raise
        finally:
            current.reset(token)

    async def _live(
        self,
        call: Call,
        step: Step,
        tries: Tries | None,
        pending: Awaitable[Any] | None = None,
        suffix: str = "",
    ) -> Any:
        turns = _turns()
        if turns is not None:
            turns.activity_started()
        token = current.set(INSIDE)
        try:
            if tries is None:
                outcome = await self._outcome(call, pending)
            else:
                outcome = await self._tried(call, tries, pending)
                step.started_at = tries.started_at  # the row is the last try's
            if outcome.is_cancelled:
                self._recorder.cancelled(step, suffix)
            else:
                outcome = self._recorder.finish(step, call, outcome, suffix)
        finally:
            current.reset(token)
            if turns is not None:
                turns.activity_ended()
        if turns is None:
            self._recorder.journal.commit()
        else:
            await turns.recorded()
        await self._stop_here()
        return outcome.unwrap()

    async def _stop_here(self) -> None:
        """When a stop is under way, go no further: the loop ends once the activities of other tasks are recorded."""
        if not self._stop.is_pending:
            return
        if _turns() is None:
            self._stop.raise_now()
        await plain_future()

    async def _tried(self, call: Call, tries: Tries, pending: Awaitable[Any] | None) -> Outcome:
        """Make the call; again, and within its time, as its policy says."""
        while True:
            if tries.wake_at is not None:
                try:
                    await self._pause(tries.wake_at)
                except asyncio.CancelledError as exc:
                    return Outcome(ok=False, value=exc, is_cancelled=True)
            tries.begin()
            outcome = await self._outcome(call, pending, tries.policy.timeout_s)
            if outcome.is_cancelled or not tries.fail(outcome, self._output):
                return outcome
            pending = None

    async def _pause(self, wake_at: float) -> None:
        """Wait for the next try; while it is waited for, nothing is under way that a suspension would cut off."""
        turns = _turns()
        if turns is None:
            await asyncio.sleep(max(0.0, wake_at - self._recorder.now()))
            return
        turns.activity_ended()
        try:
            await turns.pause(wake_at)
            await self._stop_here()
        finally:
            turns.activity_started()

    async def _outcome(
        self, call: Call, pending: Awaitable[Any] | None, timeout_s: float | None = None
    ) -> Outcome:
        before = _outer_cancels()
        outcome = await self._made(call, pending, timeout_s)
        if outcome.is_cancelled or _outer_cancels() == before:
            return outcome
        # on resumption the cancellation is all there is, so it counts, whatever the activity's code made of it
        return Outcome(ok=False, value=asyncio.CancelledError(), is_cancelled=True)

    async def _made(
        self, call: Call, pending: Awaitable[Any] | None, timeout_s: float | None
    ) -> Outcome:
        cancellations = _cancellations()
        limit: asyncio.Timeout | None = None
        try:
            result: Any = call.func(*call.args, **call.kwargs) if pending is None else pending
            if timeout_s is None:
                return Outcome(ok=True, value=await result)
            async with asyncio.timeout(timeout_s) as limit:
                return Outcome(ok=True, value=await result)
        except GeneratorExit:
            raise
        except TimeoutError as exc:
            if limit is None or timeout_s is None or not limit.expired():
                return Outcome(ok=False, value=exc)
            return Outcome(ok=False, value=ActivityTimeoutError(call.decision.name, timeout_s))
        except asyncio.CancelledError as exc:
            return Outcome(
                ok=False, value=exc, is_cancelled=_cancellations() > cancellations
            )  # otherwise it was cancelled within
        except BaseException as exc:  # noqa: BLE001 - an activity's exception of any kind is recorded
            return Outcome(ok=False, value=exc)

    async def _replayed(self, row: Row, call: Call) -> Any:
        turns = _turns()
        call.is_volatile = bool(row[VOLATILE])
        outcome = await self._again(row, call, turns) if row[VOLATILE] else None
        if turns is None:
            self._recorder.journal.consume(row)
        else:
            await turns.expected(row)
        if outcome is None:
            outcome = self._recorder.outcome_of(row)
        return outcome.unwrap()

    async def _again(self, row: Row, call: Call, turns: Turns | None) -> Outcome:
        if turns is not None:
            turns.activity_started()
        token = current.set(INSIDE)
        try:
            return Outcome(ok=True, value=await call.func(*call.args, **call.kwargs))
        except (GeneratorExit, asyncio.CancelledError):
            self._recorder.journal.consume(row)
            raise
        except BaseException as exc:  # noqa: BLE001 - as when it was made first
            return Outcome(ok=False, value=exc)
        finally:
            current.reset(token)
            if turns is not None:
                turns.activity_ended()

    def _wake_at(self, call: Call, branch: Branch, index: int, delay: float) -> float:
        recorder = self._recorder
        row = recorder.journal.find_if_replaying(branch.path, index)
        if row is not None:
            recorder.check_sleep(row, call)
            recorder.journal.consume(row)
            return float(row[WAKE_AT])
        step = recorder.begin(call, branch, index, Kind.SLEEP)
        step.ended_at = step.started_at
        step.wake_at = min(step.started_at + delay, FAR_FUTURE)
        recorder.journal.add(step)
        return step.wake_at


def refresh_time() -> None:
    """Tell a running loop that time has passed while it stood still."""
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the quiet way to ask
    if isinstance(loop, DurableLoop):
        loop.refresh_time()


def has_running_activities() -> bool:
    """Whether a running loop has activities under way, which would be cut off if the process ended now."""
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the quiet way to ask
    return isinstance(loop, DurableLoop) and loop.turns.is_busy


async def _wait_turn(turns: Turns, path: str, wake_at: float) -> None:
    future: asyncio.Future[None] = plain_future()

    def fire() -> None:
        if not future.done():
            future.set_result(None)

    timer = Timer(path, wake_at, fire)
    turns.set_timer(timer)
    try:
        await future
    except asyncio.CancelledError:
        timer.cancel()
        raise


def _sleep_arguments(delay: float, result: Any = None) -> tuple[float, Any]:
    return delay, result


def _turns() -> Turns | None:
    loop = asyncio.get_running_loop()
    return loop.turns if isinstance(loop, DurableLoop) else None


def _outer_cancels() -> int:
    task = asyncio.current_task()
    return task.outer_cancels if isinstance(task, StableTask) else 0


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
