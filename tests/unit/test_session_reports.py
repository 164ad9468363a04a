"""Counts and lines of sessions that ended."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from hookline_service.app.session_reports import SessionReports
from hookline_service.model.sessions import SessionError, SessionState
from tests.builders.moments import after
from tests.builders.projects import a_release
from tests.builders.sessions import a_session
from tests.fakes.fake_engine import HandClock

RELEASE = a_release()


@pytest.fixture
def reports() -> SessionReports:
    return SessionReports(HandClock(after(0)))


def test_ends_are_counted_by_state_from_nothing_on(reports):
    reports.session_ended(a_session(RELEASE, state=SessionState.COMPLETED))
    reports.session_ended(a_session(RELEASE, state=SessionState.ERROR))
    reports.session_ended(a_session(RELEASE, state=SessionState.ERROR))

    figures = reports.figures()
    assert figures['sessions_ended_total{state="completed"}'] == 1
    assert figures['sessions_ended_total{state="error"}'] == 2
    assert figures['sessions_ended_total{state="stopped"}'] == 0


def test_durations_are_counted_up_to_each_bound(reports):
    begun = after(0)
    for seconds in (0.05, 0.1, 3, 1_000_000):
        ended = begun + timedelta(seconds=seconds)
        reports.session_ended(
            a_session(RELEASE, state=SessionState.COMPLETED, started_at=begun, ended_at=ended)
        )

    figures = reports.figures()
    assert figures['session_duration_seconds_bucket{le="0.01"}'] == 0
    assert figures['session_duration_seconds_bucket{le="0.1"}'] == 2
    assert figures['session_duration_seconds_bucket{le="5"}'] == 3
    assert figures['session_duration_seconds_bucket{le="+Inf"}'] == 4
    assert figures["session_duration_seconds_count"] == 4
    assert figures["session_duration_seconds_sum"] == pytest.approx(1_000_003.15)


def test_a_late_start_of_a_schedule_is_told(reports):
    reports.session_ended(
        a_session(
            RELEASE, state=SessionState.COMPLETED, scheduled_for=after(0), started_at=after(7)
        )
    )

    assert reports.figures()["schedule_lateness_seconds"] == 7


def test_an_error_is_a_warning_that_names_its_kind_and_not_its_text(reports, caplog):
    caplog.set_level(logging.INFO)
    error = SessionError(type="ValueError", message="hunter2")

    reports.session_ended(a_session(RELEASE, state=SessionState.ERROR, error=error))
    reports.session_ended(a_session(RELEASE, state=SessionState.STOPPED, stop_reason="on request"))

    failed, stopped = caplog.records
    assert (failed.levelname, failed.__dict__["error_type"]) == ("WARNING", "ValueError")
    assert (stopped.levelname, stopped.__dict__["reason"]) == ("INFO", "on request")
    assert "hunter2" not in repr(failed.__dict__)
