"""The forms of the service's log, and what the service manager is told."""

from __future__ import annotations

import json
import logging
import socket
import sys
from pathlib import Path

import pytest

from hookline_runner.log_format import FactsFormatter, JsonFormatter
from hookline_service.app.readiness import tell_service_manager


def _record(**facts: object) -> logging.LogRecord:
    record = logging.makeLogRecord(
        {"name": "room", "levelname": "INFO", "msg": "session ended", "created": 1_800_000_000.25}
    )
    record.__dict__.update(facts)
    return record


def test_a_line_for_people_ends_with_the_facts():
    line = FactsFormatter().format(_record(state="error", n=1))

    assert line.endswith(" info    room: session ended state='error' n=1")


def test_a_line_for_machines_is_one_object():
    record = _record(state="er\nror", n=1, path=Path("/x"))

    line = JsonFormatter().format(record)

    assert "\n" not in line
    assert json.loads(line) == {
        "at": "2027-01-15T08:00:00.250Z",
        "level": "info",
        "room": "room",
        "message": "session ended",
        "state": "er\nror",
        "n": 1,
        "path": "/x",
    }


@pytest.mark.parametrize("formatter", [FactsFormatter(), JsonFormatter()])
def test_a_traceback_is_kept(formatter: logging.Formatter):
    record = _record()
    try:
        int("wrong")
    except ValueError:
        record.exc_info = sys.exc_info()

    assert "ValueError: invalid literal" in formatter.format(record)


def test_the_service_manager_is_told(tmp_path: Path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))

        tell_service_manager("READY=1", str(path))

        assert manager.recv(100) == b"READY=1"


def test_a_service_manager_that_is_gone_is_no_failure(tmp_path: Path, caplog):
    tell_service_manager("READY=1", str(tmp_path / "none"))
    tell_service_manager("READY=1", "")

    assert [record.message for record in caplog.records] == ["service manager not told"]
