"""What is told of sessions as they end: a line of the service's log each, and counts for `/metrics`."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import Counter
from typing import Final

from hookline_service.clock import Clock
from hookline_service.model.sessions import Session, SessionState

logger = logging.getLogger(__name__)

_BOUNDS_S: Final = (0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 600.0, 3600.0, 86_400.0)


class SessionReports:
    """Counts since the start of the service. To be told of each ended session once."""

    __slots__ = ("_by_state", "_lateness_s", "_slots", "_started_at", "_sum_s")

    def __init__(self, clock: Clock) -> None:
        self._by_state = Counter(
            {SessionState.COMPLETED: 0, SessionState.ERROR: 0, SessionState.STOPPED: 0}
        )
        self._slots = [0] * (len(_BOUNDS_S) + 1)
        self._sum_s = 0.0
        self._lateness_s = 0.0
        self._started_at = clock.now().timestamp()

    def session_ended(self, session: Session) -> None:
        """Count it and write a line: of one in error, what the error was."""
        begun = session.started_at or session.created_at
        ended = session.ended_at or begun
        duration_s = max(0.0, (ended - begun).total_seconds())
        self._by_state[session.state] += 1
        self._slots[bisect_left(_BOUNDS_S, duration_s)] += 1
        self._sum_s += duration_s
        if session.scheduled_for is not None and session.started_at is not None:
            late_s = (session.started_at - session.scheduled_for).total_seconds()
            self._lateness_s = max(0.0, late_s)
        facts: dict[str, object] = {
            "session_id": session.id,
            "state": str(session.state),
            "entry_point": session.entry_point,
            "duration_s": round(duration_s, 3),
        }
        if session.error is not None:
            facts["error_type"] = session.error.type
        if session.stop_reason:
            facts["reason"] = session.stop_reason
        level = logging.WARNING if session.state is SessionState.ERROR else logging.INFO
        logger.log(level, "session ended", extra=facts)

    def figures(self) -> dict[str, float]:
        """The counts under their names in `/metrics`."""
        figures: dict[str, float] = {
            f'sessions_ended_total{{state="{state}"}}': count
            for state, count in self._by_state.items()
        }
        total = 0
        for bound, count in zip((*_BOUNDS_S, "+Inf"), self._slots, strict=True):
            total += count
            shown = f"{bound:g}" if isinstance(bound, float) else bound
            figures[f'session_duration_seconds_bucket{{le="{shown}"}}'] = total
        return figures | {
            "session_duration_seconds_sum": round(self._sum_s, 6),
            "session_duration_seconds_count": total,
            "schedule_lateness_seconds": self._lateness_s,
            "start_time_seconds": self._started_at,
        }
