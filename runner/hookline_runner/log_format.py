"""The log of the service and of runner hosts: one line per record, facts at its end."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from hookline import json_text

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime",
    "color_message",
    "message",
    "taskName",
}


class FactsFormatter(logging.Formatter):
    """`TIME level room: phrase name=value …`; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        facts = [
            f"{name}={value!r}" for name, value in vars(record).items() if name not in _STANDARD
        ]
        head = f"{self.formatTime(record)} {record.levelname.lower():7} {record.name}:"
        line = " ".join([head, record.getMessage(), *facts])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `at`, `level`, `room`, `message`, the facts, and `traceback` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "room": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD:
                is_plain = value is None or isinstance(value, str | int | float)
                line[name] = value if is_plain else str(value)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json_text.write(line)


def log_to_stderr(level: str = "info", *, as_json: bool = False) -> None:
    """Write records of this level and above to this process's standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else FactsFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
