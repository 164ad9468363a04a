"""The log of the service and of runner hosts: one line per record, facts at its end."""

from __future__ import annotations

import logging
import sys

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


def log_to_stderr(level: str = "info") -> None:
    """Write records of this level and above to this process's standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FactsFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
