"""The service's own log: one line per record, facts at its end."""

from __future__ import annotations

import logging
import sys


def configure_logging(level: str) -> None:
    """Write records of this level and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FactFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


_STANDARD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class FactFormatter(logging.Formatter):
    """One line: time, level, room, phrase, then the facts as `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        facts = " ".join(
            f"{name}={value!r}"
            for name, value in record.__dict__.items()
            if name not in _STANDARD_FIELDS and name != "color_message"
        )
        line = f"{self.formatTime(record)} {record.levelname.lower():7} {record.name}: {record.getMessage()}"
        if facts:
            line = f"{line} {facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
