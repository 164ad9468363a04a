"""The gate that every rewritten call passes: made directly, answered from the journal, or run and recorded."""

from __future__ import annotations

import asyncio
import builtins
import functools
import os
import random
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from types import CodeType, FrameType, FunctionType
from typing import Any, Final, cast

from hookline_runner.rewriting import AWAIT_GATE, CALL_GATE, DECORATOR_GATE, ENTER_GATE
from hookline_runner.session.async_calls import (
    AsyncCalls,
    has_running_activities,
    refresh_time,
    result_suffix,
)
from hookline_runner.session.branches import INSIDE, Branch, Unrecorded, current
from hookline_runner.session.decisions import Action, Decision, DecisionTable, aio_twin
from hookline_runner.session.entering import Entered, is_recorded
from hookline_runner.session.journal import (
    BRANCH,
    INDEX,
    KIND,
    VOLATILE,
    Kind,
    Row,
    awaitable_suffix,
)
from hookline_runner.session.output import LogStream
from hookline_runner.session.recording import HERE, Call, Outcome, Recorder, hide_own_frames
from hookline_runner.session.retrying import TimeLimit, Tries, tries_of
from hookline_runner.session.sleeping import Sleeper
from hookline_runner.session.stopping import StopSwitch
from hookline_runner.session.suspension import Waiting

_DIRECT: Final = Action.DIRECT
_WAITS: Final = frozenset({Action.WAIT, Action.SLEEP})
_current: Final = current.get
_frame: Final = sys._getframe  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - the one fast way


class Gate:
    """Decides and carries out; one per attempt of a durable session."""

    __slots__ = (
        "_actions",
        "_async",
        "_decide",
        "_is_warned",
        "_limit",
        "_main_thread",
        "_output",
        "_recorder",
        "_simple",
        "_sleeper",
        "_stop",
        "_table",
        "_waiting",
    )

    def __init__(
        self,
        table: DecisionTable,
        recorder: Recorder,
        waiting: Waiting,
        stop: StopSwitch,
        output: LogStream,
    ) -> None:
        self._table = table
        self._decide = table.decide
        self._recorder = recorder
        self._waiting = waiting
        self._sleeper = Sleeper(recorder, waiting, stop)
        self._limit = TimeLimit(attempt, stop, waiting.break_wait, output)
        self._stop = stop
        self._output = output
        self._async = AsyncCalls(recorder, stop, output)
        self._main_thread = threading.get_ident()
        self._is_warned = False
        self._actions: dict[Action, Callable[[Call, Branch], Any]] = {
            Action.ACTIVITY: self._activity,
            Action.RIDING: self._riding,
            Action.SLEEP: self._sleep,
            Action.ASYNC_SLEEP: self._async_sleep,
            Action.INHIBIT: self._inhibited,
            Action.SHUFFLE: self._shuffle,
            Action.DRAW: self._draw,
        }
        self._simple: dict[Action, Callable[[Any, Any, Any, FrameType], Any]] = {
            Action.MARK: self._mark,
            Action.NEW_RANDOM: self._new_random,
            Action.IN_CALLER: _in_caller,
            Action.WAIT: _directly,
            Action.ENTER: self._enter_argument,
        }
        stop.activity(Gate._live)
        stop.shield(Gate._replayed, Recorder.finish)

    def install(self) -> None:
        """Put the gate where rewritten code finds it."""
        setattr(builtins, CALL_GATE, self.call)
        setattr(builtins, AWAIT_GATE, self.call_awaited)
        setattr(builtins, DECORATOR_GATE, self.decorate)
        setattr(builtins, ENTER_GATE, self.enter)

    @staticmethod
    def uninstall() -> None:
        """Take the gate away."""
        for name in (CALL_GATE, AWAIT_GATE, DECORATOR_GATE, ENTER_GATE):
            if hasattr(builtins, name):
                delattr(builtins, name)

    # What rewritten code calls

    def call(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        """`func(*args, **kwargs)`, recorded if it has to be."""
        try:
            decision = self._decide(func)
            if decision.action is _DIRECT:
                return func(*args, **kwargs)
            return self._decided(decision, func, args, kwargs, _frame(1))
        except BaseException as exc:
            hide_own_frames(exc)
            raise

    def call_awaited(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        """`func(*args, **kwargs)` whose result is awaited on the spot: what is recorded is what that gives."""
        try:
            decision = self._decide(func)
            if decision.action is _DIRECT:
                return func(*args, **kwargs)
            if decision.action in _WAITS and asyncio._get_running_loop() is not None:  # noqa: SLF001 - the quiet way
                func, args, kwargs = _without_partials(func, args, kwargs)
                twin = aio_twin(func)
                if twin is not None:
                    return twin(*args, **kwargs)
            frame = _frame(1)
            if (
                decision.action is Action.ACTIVITY
                and type(_current()) is Branch
                and self._is_main()
            ):
                return self._async.run(self._recorder.call(decision, func, args, kwargs, frame))
            return self._decided(decision, func, args, kwargs, frame)
        except BaseException as exc:
            hide_own_frames(exc)
            raise

    def decorate(self, decorator: Any, /) -> Callable[[Any], Any]:
        """A decorator whose application passes the gate."""

        def apply(target: Any) -> Any:
            return self.call(decorator, target)

        return apply

    def enter(self, manager: Any, /) -> Any:
        """What `async with` enters in the place of this object: itself, unless that is a step to be recorded."""
        return self._entered(manager, _frame(1))

    # Carrying out

    def _entered(self, manager: Any, frame: FrameType) -> Any:
        if (
            type(_current()) is not Branch
            or not self._is_main()
            or asyncio._get_running_loop() is None  # noqa: SLF001 - the quiet way
            or not is_recorded(self._table, manager)
        ):
            return manager
        recorder = self._recorder
        return Entered(manager, self._async, recorder.journal, recorder.place(frame))

    def _enter_argument(self, func: Any, args: Any, kwargs: Any, frame: FrameType) -> Any:
        return func(*(self._entered(each, frame) for each in args), **kwargs)

    def _decided(
        self, decision: Decision, func: Any, args: Any, kwargs: Any, frame: FrameType
    ) -> Any:
        action = decision.action
        simple = self._simple.get(action)
        if simple is not None:
            return simple(func, args, kwargs, frame)
        func, args, kwargs = _without_partials(func, args, kwargs)
        branch = _current()
        if type(branch) is Branch and self._is_main():
            return self._actions[action](
                self._recorder.call(decision, func, args, kwargs, frame), branch
            )
        if action is Action.SLEEP and isinstance(branch, Unrecorded) and branch.branch is not None:
            return self._sleep(
                self._recorder.call(decision, func, args, kwargs, frame), branch.branch
            )
        if not isinstance(branch, Unrecorded):
            self._warn_of_thread(decision, frame)
        return func(*args, **kwargs)

    def _is_main(self) -> bool:
        return threading.get_ident() == self._main_thread

    def _warn_of_thread(self, decision: Decision, frame: FrameType) -> None:
        if not self._is_warned:
            self._is_warned = True
            where = (
                f"{decision.name} at {os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"  # noqa: PTH119 - a hot path
            )
            self._output.emit(
                "warning",
                f"{where} is called in a thread: what threads do is not recorded, "
                "and done again if the session resumes",
            )

    def _activity(self, call: Call, branch: Branch) -> Any:
        if call.decision.is_async:
            return self._async.run(call)
        index = self._recorder.take_position(branch)
        journal = self._recorder.journal
        if journal.is_replaying:
            row = journal.find(branch.path, index)
            if row is not None:
                return self._replayed(row, call)
        self._stop.check()
        self._output.flush()  # before what the activity's own processes write
        return self._live(call, branch, index)

    def _replayed(self, row: Row, call: Call) -> Any:
        recorder = self._recorder
        recorder.check(row, call)
        tries_of(call, row[BRANCH], row[INDEX], recorder)
        suffix = awaitable_suffix(row)
        if suffix:
            return self._async.stand_in(self._async.replay(row, call), suffix)
        if row[KIND] == Kind.CANCELLED:
            recorder.mismatch(row, f"{call}, which is not awaited")
        recorder.journal.consume(row)
        if row[VOLATILE]:
            return _unrecorded(call)
        return recorder.outcome_of(row).unwrap()

    def _live(self, call: Call, branch: Branch, index: int) -> Any:
        recorder = self._recorder
        journal = recorder.journal
        was_ahead, journal.is_ahead = journal.is_ahead, True
        token = current.set(INSIDE)
        try:
            step = recorder.begin(call, branch, index, Kind.ACTIVITY)
            tries = tries_of(call, branch.path, index, recorder)
            if tries is None:
                outcome = attempt(call)
            else:
                outcome = self._try(call, tries)
                step.started_at = (
                    tries.started_at
                )  # the row is the last try's; the others have their own
            suffix = result_suffix(outcome)
            if suffix:  # while it was awaited, the code may have gone on before
                journal.is_ahead = was_ahead
                finishing = self._async.finish(call, step, outcome.value, suffix, tries)
                return self._async.stand_in(finishing, suffix, branch)
            outcome = recorder.finish(step, call, outcome)
            journal.commit()
        finally:
            current.reset(token)
        refresh_time()
        self._stop.check()
        return outcome.unwrap()

    def _try(self, call: Call, tries: Tries) -> Outcome:
        """Make the call; again, and within its time, as its policy says."""
        while True:
            if tries.wake_at is not None:
                self._recorder.journal.commit()
                may_suspend = not has_running_activities()
                self._waiting.pause(tries.wake_at, self._is_stopping, may_suspend=may_suspend)
                self._stop.check()
            tries.begin()
            outcome = self._limit.run(call, tries.policy.timeout_s)
            if not tries.fail(outcome, self._output):
                return outcome

    def _is_stopping(self) -> bool:
        return self._stop.is_pending

    def _riding(self, call: Call, branch: Branch) -> Any:
        return self._ride(call, branch, is_drawn=False)

    def _draw(self, call: Call, branch: Branch) -> Any:
        return self._ride(call, branch, is_drawn=True)

    def _ride(self, call: Call, branch: Branch, *, is_drawn: bool) -> Any:
        recorder = self._recorder
        journal = recorder.journal
        index = recorder.take_position(branch)
        if journal.is_replaying:
            row = journal.find(branch.path, index)
            if row is not None:
                if is_drawn:
                    attempt(call)
                return self._replayed(row, call)
        token = current.set(INSIDE)
        try:
            step = recorder.begin(call, branch, index, Kind.RIDING)
            outcome = recorder.finish(step, call, attempt(call))
        finally:
            current.reset(token)
        return outcome.unwrap()

    def _shuffle(self, call: Call, branch: Branch) -> None:
        """`shuffle(x)` changes its argument, so what is recorded is the order."""
        items: Any = call.args[0] if call.args else call.kwargs["x"]
        count = len(items)
        drawn = Call(_shuffled_order, (call.func, count), {}, call.decision, call.file, call.line)
        order = self._ride(drawn, branch, is_drawn=True)
        items[:] = [items[place] for place in order]

    def _sleep(self, call: Call, branch: Branch) -> None:
        self._sleeper.sleep(call, branch, sleep_seconds(call))

    def _async_sleep(self, call: Call, branch: Branch) -> Any:
        del branch  # the one that awaits it is asked
        return self._async.sleep(call)

    def _inhibited(self, call: Call, branch: Branch) -> Any:
        inside = Unrecorded(branch)
        if call.decision.is_async:
            return self._async.inhibited(call, inside)
        token = current.set(inside)
        try:
            return call.func(*call.args, **call.kwargs)
        finally:
            current.reset(token)

    def _mark(self, func: Any, args: Any, kwargs: Any, frame: FrameType) -> Any:
        del frame
        try:
            return func(*args, **kwargs)
        finally:
            self._table.forget()

    def _new_random(self, func: Any, args: Any, kwargs: Any, frame: FrameType) -> random.Random:
        del frame
        generator: random.Random = func(*args, **kwargs)
        if (args and args[0] is not None) or kwargs.get("x") is not None:
            self._table.note_seeded(generator)
        return generator


_CALL_CODE: Final[CodeType] = compile("f(*a, **k)", "", "eval")


def _pass_for_internal() -> None:
    """Let the stack inspection of `logging` and `warnings` pass over our frames.

    Both skip what looks like the import system's own; so a record's file and line stay the project's.
    """
    for function in (*vars(Gate).values(), TimeLimit.run, attempt, _unrecorded, _shuffled_order):
        if isinstance(function, FunctionType):
            code = function.__code__
            function.__code__ = code.replace(co_filename=f"{HERE}/importlib/_bootstrap/gate.py")


def _without_partials(func: Any, args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    while isinstance(func, functools.partial):
        partial = cast("functools.partial[Any]", func)
        func, args = partial.func, (*partial.args, *args)
        kwargs = {**partial.keywords, **kwargs}
    return func, args, kwargs


def _directly(func: Any, args: Any, kwargs: Any, frame: FrameType) -> Any:
    del frame
    return func(*args, **kwargs)


def _in_caller(func: Any, args: Any, kwargs: Any, frame: FrameType) -> Any:
    """Call it from a frame with the caller's globals, file and line, which is what such functions look at."""
    code = _CALL_CODE.replace(
        co_filename=frame.f_code.co_filename,
        co_name=frame.f_code.co_name,
        co_firstlineno=frame.f_lineno,
    )
    return eval(code, frame.f_globals, {"f": func, "a": args, "k": kwargs})  # noqa: S307 - our own code


def attempt(call: Call) -> Outcome:
    """Make the call; whatever it raises is its outcome."""
    try:
        return Outcome(ok=True, value=call.func(*call.args, **call.kwargs))
    except BaseException as exc:  # noqa: BLE001 - an activity's exception of any kind is recorded
        return Outcome(ok=False, value=exc)


def sleep_seconds(call: Call) -> float:
    """The one positional argument of a sleep, in seconds.

    Raises:
        TypeError: there is not exactly one, or it is no number.
        ValueError: it is negative, or not a number at all.
        OverflowError: it is infinite.
    """
    if call.kwargs or len(call.args) != 1:
        raise TypeError(f"sleep() takes exactly one argument ({len(call.args)} given)")
    duration = call.args[0]
    if isinstance(duration, str | bytes):
        raise TypeError(f"sleep() takes seconds, not {type(duration).__name__}")
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    int(seconds)  # raises as `time.sleep` does for what is not finite
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    return seconds


def _unrecorded(call: Call) -> Any:
    token = current.set(INSIDE)
    try:
        return call.func(*call.args, **call.kwargs)
    finally:
        current.reset(token)


def _shuffled_order(shuffle: Callable[[list[int]], None], count: int) -> list[int]:
    order = list(range(count))
    shuffle(order)
    return order


_pass_for_internal()
