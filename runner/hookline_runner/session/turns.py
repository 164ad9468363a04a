"""Whose turn it is: makes the tasks of a durable session go on in the recorded order.

In a durable session asyncio tasks go on one at a time: whenever nothing is left to run, the next finished activity or
timer is let through, and everything that follows from it runs before the one after. Live, the order is that of the
journal entries as they are added; on resumption, that of the entries as they were recorded. So the same code takes the
same path in both, whoever won a race the first time.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from hookline import values
from hookline.errors import StuckError
from hookline_runner.session.calling import PendingTake, Undelivered
from hookline_runner.session.in_flight import OwnFuture
from hookline_runner.session.journal import KIND, WAKE_AT, Journal, Kind, Row, Step
from hookline_runner.session.link import Reply
from hookline_runner.session.recording import Recorder
from hookline_runner.session.stopping import StopSwitch
from hookline_runner.session.suspension import FAR_FUTURE, Waiting

_Result = TypeVar("_Result")

_SET: Final = 0
_FIRED: Final = 1
_LOOK_AGAIN_S: Final = 0.25  # whether something is still in flight; then longer and longer
_LONGEST_LOOK_S: Final = 2.0
_TIMER_JSON: Final = '"timer"'


class TurnLoop(Protocol):
    """What `Turns` needs of the event loop."""

    def has_ready(self) -> bool:
        """Whether callbacks wait to be run."""
        ...

    def has_foreign_events(self) -> bool:
        """Whether something outside may wake the loop: see `InFlight.may_be_called`."""
        ...

    def from_epoch(self, when: float) -> float:
        """Seconds since the epoch in the loop's own time, which may be ahead."""
        ...

    def schedule(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back at that time, in the loop's own, outside the turns."""
        ...

    def schedule_in(self, delay_s: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back after that time, outside the turns."""
        ...

    def jump_past(self, when: float) -> None:
        """Go on as if that time, in the loop's own, had come."""
        ...

    def cancel_main(self) -> None:
        """Cancel the main task."""
        ...


@dataclass(slots=True, eq=False)
class Timer:
    """Something to happen at a time, in its turn."""

    path: str  # of its journal entries
    when: float  # seconds since the epoch
    fire: Callable[[], None]
    is_over: bool = False
    handle: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """It will not happen."""
        self.is_over = True
        if self.handle is not None:
            self.handle.cancel()


@dataclass(slots=True, eq=False)
class Parked:
    """A task that waits for what others send. Done when its turn has come, with the service's reply."""

    taking: PendingTake
    future: asyncio.Future[Reply]
    reply: Reply | None = None
    is_due: bool = True  # to be asked for
    alarm: asyncio.TimerHandle | None = None


class Turns:
    """The order in which one loop's tasks go on."""

    __slots__ = (
        "_early",
        "_expected",
        "_far",
        "_finished",
        "_is_any_due",
        "_is_cold",
        "_journal",
        "_leaving",
        "_look",
        "_look_again_s",
        "_loop",
        "_numbers",
        "_parked",
        "_recorder",
        "_running",
        "_seen",
        "_stop",
        "_waiting",
    )

    def __init__(
        self, loop: TurnLoop, recorder: Recorder, waiting: Waiting, stop: StopSwitch
    ) -> None:
        self._loop = loop
        self._recorder = recorder
        self._journal: Journal = recorder.journal
        self._waiting = waiting
        self._stop = stop
        self._expected: dict[
            int, Callable[[], None]
        ] = {}  # id of a recorded entry → let it through
        self._finished: deque[tuple[int, Callable[[], None]]] = (
            deque()
        )  # append to wait for → let it through
        self._early: list[
            Timer
        ] = []  # due while replaying; most are cancelled before the replay is over
        self._far: list[tuple[float, int, Timer]] = []  # heap of timers set
        self._numbers = itertools.count()
        self._running = 0
        self._parked: dict[Parked, None] = {}  # in the order in which they came
        self._is_any_due = False
        self._seen = 0  # how often something had come when all of them were asked for last
        self._leaving: asyncio.TimerHandle | None = None  # set when those parked are all there is
        self._is_cold = False  # they have waited long enough to leave
        self._look: asyncio.TimerHandle | None = (
            None  # set while something in flight keeps the process
        )
        self._look_again_s = _LOOK_AGAIN_S

    # Asked for by the gate

    def activity_started(self) -> None:
        """A live activity is under way; while it is, the loop has something to wait for."""
        self._running += 1

    def activity_ended(self) -> None:
        """It is over, whichever way."""
        self._running -= 1

    @property
    def is_busy(self) -> bool:
        """Whether live activities are under way."""
        return self._running > 0

    async def recorded(self) -> None:
        """Wait until the entry just added is on disk and its turn has come."""
        future: asyncio.Future[None] = plain_future()
        self._finished.append((self._journal.pending_number, lambda: _resolve(future, None)))
        await future

    async def expected(self, row: Row) -> None:
        """Wait for the turn of a recorded entry, which is then consumed.

        A call that was cancelled waits for its cancellation first, and raises it in its turn.
        """
        cancellation: asyncio.CancelledError | None = None
        if row[KIND] == Kind.CANCELLED:
            try:
                await plain_future()
            except asyncio.CancelledError as exc:
                cancellation = exc
        future: asyncio.Future[None] = plain_future()
        self._expected[id(row)] = lambda: _resolve(future, None)
        try:
            await future
        except asyncio.CancelledError:
            if self._expected.pop(id(row), None) is not None:
                self._journal.consume(row)
            raise
        if cancellation is not None:
            raise cancellation

    def park(self, taking: PendingTake) -> Parked:
        """Wait for something to take. On resumption it is not asked for before the journal is at its end."""
        parked = Parked(taking, OwnFuture(loop=asyncio.get_running_loop()))
        self._parked[parked] = None
        if self._journal.is_replaying:
            self._is_any_due = True
        else:
            self._ask(parked)
        return parked

    def unpark(self, parked: Parked) -> None:
        """Nobody waits for it any more."""
        if parked.alarm is not None:
            parked.alarm.cancel()
        self._parked.pop(parked, None)

    def hand_on(self, put_back: Undelivered) -> None:
        """Give what was put back to those who wait for it, before anything else happens.

        It has no entry: on resumption it is put back at the same moment, and so handed on to the same task.
        """
        for parked in tuple(self._parked):
            taken = put_back.take(parked.taking.topics)
            if taken is not None:
                self.unpark(parked)
                value = values.encode_event(taken)  # or a signal
                parked.reply = Reply(ok=True, is_waiting=False, value=value)
                _resolve(parked.future, parked.reply)

    async def pause(self, when: float) -> None:
        """Wait for that time out of turn: what follows is the inside of an activity."""
        future: asyncio.Future[None] = plain_future()

        def ring() -> None:
            left_s = when - self._recorder.now()
            if left_s > 0:  # the loop's time has jumped
                timer.handle = self._loop.schedule_in(left_s, ring)
            else:
                _resolve(future, None)

        timer = Timer("", when, ring)
        heapq.heappush(self._far, (when, next(self._numbers), timer))
        ring()
        try:
            await future
        finally:
            timer.cancel()

    def set_timer(self, timer: Timer) -> None:
        """Let the timer happen: when its recorded turn comes, or at its time."""
        loop_when = self._loop.from_epoch(timer.when)
        if self._journal.is_replaying:
            row = self._journal.find(timer.path, _FIRED)
            if row is not None:
                self._expected[id(row)] = lambda: self._fire_again(timer, loop_when)
                return
        timer.handle = self._loop.schedule(loop_when, lambda: self._due(timer))
        heapq.heappush(self._far, (timer.when, next(self._numbers), timer))

    def recorded_time(self, path: str, when: float) -> float:
        """When a timer set now for `when` is due: the recorded time if it was set in an earlier attempt."""
        if self._journal.is_replaying:
            row = self._journal.find(path, _SET)
            if row is not None:
                self._journal.consume(row)
                return float(row[WAKE_AT])
        when = min(when, FAR_FUTURE)
        if self._waiting.is_far(when):
            step = self._timer_step(path, _SET)
            step.wake_at = when
            self._journal.add(step)
        return when

    # Asked for by the loop

    def advance(self) -> None:
        """Called with nothing to run: let the next one through, or see what there is to wait for."""
        if self._recorder.failure is not None:
            raise self._recorder.failure
        while not self._loop.has_ready():
            moved = self._replay_next() if self._journal.is_replaying else self._go_on()
            if not moved:
                break

    def force(self) -> None:
        """Called when there is always something to run: let the next one through all the same."""
        if self._journal.is_replaying:
            self._replay_next(may_fail=False)
            return
        self._ask_again()
        if self._finished and self._journal.is_acknowledged(self._finished[0][0]):
            self._finished.popleft()[1]()
        else:
            self._journal.flush()

    def _fire_again(self, timer: Timer, loop_when: float) -> None:
        """As it was recorded; the loop's time jumps so that nobody finds it too early."""
        if not timer.is_over:
            timer.is_over = True
            self._loop.jump_past(loop_when)
            timer.fire()

    def _due(self, timer: Timer) -> None:
        """Its time has come: from here on its place in the order is fixed."""
        if self._journal.is_replaying:
            self._early.append(timer)
            return
        if timer.is_over:
            return
        self._journal.add(self._timer_step(timer.path, _FIRED))

        def fire() -> None:
            if not timer.is_over:
                timer.is_over = True
                timer.fire()

        self._finished.append((0, fire))

    def _timer_step(self, path: str, index: int) -> Step:
        now = self._recorder.now()
        return Step(
            branch=path,
            index=index,
            kind=Kind.RIDING,
            name_json=_TIMER_JSON,
            file="",
            line=0,
            started_at=now,
            ended_at=now,
        )

    def _replay_next(self, *, may_fail: bool = True) -> bool:
        row = self._journal.next_row()
        let_through = self._expected.pop(id(row), None)
        if let_through is not None:
            self._journal.consume(row)
            let_through()
            return True
        if may_fail and self._running == 0 and not self._loop.has_foreign_events():
            self._recorder.mismatch(row, "every task waits, and none makes this call")
        return False

    def _go_on(self) -> bool:
        if self._early:
            early, self._early = sorted(self._early, key=lambda timer: timer.when), []
            for timer in early:
                self._due(timer)
        self._ask_again()
        if not self._finished:
            self._idle()
            return False
        number, let_through = self._finished[0]
        if not self._journal.is_acknowledged(number):
            if self._running:
                self._journal.flush()  # others are under way: the loop hears of the acknowledgement
                return False
            self._journal.commit()
        self._finished.popleft()
        self._warm_up()
        let_through()
        return True

    def _ask_again(self) -> None:
        """For those parked for whom something may have come, or whose time is over."""
        count = self._journal.news.count
        if not self._is_any_due and count == self._seen:
            return
        self._is_any_due = False
        self._seen = count
        for parked in tuple(self._parked):
            if parked.is_due or parked.taking.has_news():
                self._warm_up()
                self._ask(parked)

    def _ask(self, parked: Parked) -> None:
        parked.is_due = False
        reply = parked.reply = parked.taking.ask()
        if reply is None:
            self._set_alarm(parked)
            return
        self.unpark(parked)
        self._finished.append((0, lambda: _resolve(parked.future, reply)))

    def _set_alarm(self, parked: Parked) -> None:
        if parked.alarm is not None:
            parked.alarm.cancel()
        wake_at = parked.taking.wake_at
        if wake_at is not None:

            def ring() -> None:
                parked.is_due = self._is_any_due = True

            parked.alarm = self._loop.schedule_in(wake_at - self._recorder.now(), ring)

    def _idle(self) -> None:
        """Everything waits. For activities, for a time near or far, or for nothing at all."""
        self._journal.flush()
        if self._running:
            return
        if self._stop.is_requested:
            self._loop.cancel_main()
            return
        wake_at = self._next_time()
        if self._parked:
            if not self._is_hot() and (wake_at is None or self._waiting.is_far(wake_at)):
                topics = [topic for parked in self._parked for topic in parked.taking.topics]
                self._leave(wake_at, topics)
        elif wake_at is not None:
            if self._waiting.is_far(wake_at):
                self._leave(wake_at)
        elif not self._loop.has_foreign_events():
            raise StuckError("every task waits for something that can no longer happen")

    def _leave(self, wake_at: float | None, topics: Sequence[str] = ()) -> None:
        """Suspend the session; or, while something is in flight, look again soon."""
        if self._look is not None:
            return
        if not self._waiting.may_leave():
            self._look = self._loop.schedule_in(self._look_again_s, self._looked)
            self._look_again_s = min(2 * self._look_again_s, _LONGEST_LOOK_S)
        elif not self._loop.has_ready():  # else a thread has brought something just now
            self._waiting.suspend(wake_at, topics)

    def _looked(self) -> None:
        self._look = None

    def _next_time(self) -> float | None:
        while self._far and self._far[0][2].is_over:
            heapq.heappop(self._far)
        times = [parked.taking.wake_at for parked in self._parked]
        if self._far:
            times.append(self._far[0][0])
        return min((time for time in times if time is not None), default=None)

    def _is_hot(self) -> bool:
        """Whether all have not been parked for long; from the first look on the time runs."""
        if self._leaving is None and not self._is_cold:
            self._leaving = self._loop.schedule_in(self._waiting.hot_window_s, self._cool_down)
        return not self._is_cold

    def _cool_down(self) -> None:
        self._is_cold = True

    def _warm_up(self) -> None:
        """Something happens: the hot window begins anew."""
        self._is_cold = False
        self._look_again_s = _LOOK_AGAIN_S
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None


def plain_future() -> asyncio.Future[None]:
    """A future of our own, which does not count among those that the session's code made."""
    return OwnFuture(loop=asyncio.get_running_loop())


def _resolve(future: asyncio.Future[_Result], result: _Result) -> None:
    if not future.done():
        future.set_result(result)
