"""The service's own log."""

from __future__ import annotations

import logging

from hookline_runner.log_format import log_to_stderr


def configure_logging(level: str, log_format: str) -> None:
    """Write records of this level and above to standard error; what the web server tells of itself only if it matters.

    `log_format` is `text` or `json`.
    """
    log_to_stderr(level, as_json=log_format == "json")
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # a warning for each request that is none
