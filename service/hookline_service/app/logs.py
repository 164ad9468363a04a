"""The service's own log."""

from __future__ import annotations

import logging

from hookline_runner.log_format import log_to_stderr


def configure_logging(level: str) -> None:
    """Write records of this level and above to standard error; what the web server tells of itself only if it matters."""
    log_to_stderr(level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
