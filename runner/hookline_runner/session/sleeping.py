"""A sleep that a crash does not lengthen: its end is in the journal."""

from __future__ import annotations

from hookline_runner.session.async_calls import has_running_activities, refresh_time
from hookline_runner.session.branches import Branch
from hookline_runner.session.journal import WAKE_AT, Kind
from hookline_runner.session.recording import Call, Recorder
from hookline_runner.session.stopping import StopSwitch
from hookline_runner.session.suspension import FAR_FUTURE, Waiting


class Sleeper:
    """Sleeps in the main flow."""

    __slots__ = ("_recorder", "_stop", "_waiting")

    def __init__(self, recorder: Recorder, waiting: Waiting, stop: StopSwitch) -> None:
        self._recorder = recorder
        self._waiting = waiting
        self._stop = stop

    def sleep(self, call: Call, branch: Branch, seconds: float) -> None:
        """Return when that time has passed since the sleep was recorded; may suspend the session."""
        recorder = self._recorder
        journal = recorder.journal
        index = recorder.take_position(branch)
        row = journal.find(branch.path, index) if journal.is_replaying else None
        if row is not None:
            recorder.check_sleep(row, call)
            journal.consume(row)
            wake_at = float(row[WAKE_AT])
            if journal.is_replaying:
                return  # it was over before the next entry was recorded
        else:
            self._stop.check()
            journal.is_ahead = True
            step = recorder.begin(call, branch, index, Kind.SLEEP)
            step.ended_at = step.started_at
            step.wake_at = wake_at = min(step.started_at + seconds, FAR_FUTURE)
            journal.add(step)
            journal.commit()
        self._waiting.wait_until(wake_at, may_suspend=not has_running_activities())
        refresh_time()
        self._stop.check()
