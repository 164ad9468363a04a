"""Reads what was measured from the service's own file, beside the service and without asking it to do anything."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Self


class Readings:
    """A read-only connection. Times are seconds since 1970."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    def one(self, sql: str, *parameters: object) -> float:
        """The one number that this query gives."""
        return self._connection.execute(sql, parameters).fetchone()[0] or 0

    def column(self, sql: str, *parameters: object) -> list[float]:
        """The first column."""
        return [row[0] for row in self._connection.execute(sql, parameters)]

    def in_flight(self) -> int:
        """Sessions that are created or running."""
        return int(self.one("SELECT count(*) FROM sessions WHERE state IN ('created', 'running')"))

    def count(self, state: str) -> int:
        """Sessions in this state."""
        return int(self.one("SELECT count(*) FROM sessions WHERE state = ?", state))

    def finished_between(self, begin_s: float, end_s: float) -> int:
        """Sessions that were completed in this time."""
        return int(
            self.one(
                "SELECT count(*) FROM sessions WHERE ended_at >= ? AND ended_at < ? AND state = 'completed'",
                int(begin_s * 1e6),
                int(end_s * 1e6),
            )
        )

    def prints(self, event_id: str) -> list[str]:
        """What the sessions of this event printed."""
        rows = self._connection.execute(
            "SELECT l.text FROM events e JOIN sessions s ON s.event_key = e.key JOIN log l ON l.session_key = s.key "
            "WHERE e.id = ? AND l.kind = 'print' ORDER BY l.seq",
            (event_id,),
        )
        return [row[0] for row in rows]

    def state(self, event_id: str) -> tuple[str, str]:
        """State and error of the session that this event started."""
        row = self._connection.execute(
            "SELECT s.state, coalesce(s.error_type || ': ' || s.error_message, '') FROM events e "
            "JOIN sessions s ON s.event_key = e.key WHERE e.id = ?",
            (event_id,),
        ).fetchone()
        return ("", "") if row is None else (row[0], row[1])

    def sleeps(self, event_id: str) -> list[float]:
        """When the sleeps of this event's session were to end."""
        return [
            at / 1e6
            for at in self.column(
                "SELECT j.wake_at FROM events e JOIN sessions s ON s.event_key = e.key JOIN journal j "
                "ON j.session_key = s.key WHERE e.id = ? AND j.wake_at IS NOT NULL ORDER BY j.seq",
                event_id,
            )
        ]

    def attempts_begun(self, number: int) -> list[float]:
        """When the attempts of this number or a higher one began."""
        rows = self.column(
            "SELECT min(started_at) FROM attempts WHERE number >= ? GROUP BY session_key", number
        )
        return [at / 1e6 for at in rows]

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
