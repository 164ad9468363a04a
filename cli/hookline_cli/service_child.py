"""A service that ends with the command that started it: `python -m hookline_cli.service_child CONFIG`.

CONFIG is a JSON object: `settings` (texts by name, as on the command line of `hookline up`) and `is_temporary` (the
home is removed at the end). It writes one line of JSON on stdout: `{"url": …}` once sessions can be started, or the
error for which it cannot start. When its stdin ends, because the command closed it or died, the service ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from hookline import json_text
from hookline.errors import HooklineError
from hookline_cli.failures import error_document, exit_code_of
from hookline_service.settings import load_settings


def main(arguments: Sequence[str]) -> int:
    """Serve until stdin ends; the exit status."""
    config: dict[str, Any] = json_text.read(arguments[0])  # Any: written by `local_service`
    threading.Thread(target=_end_with_stdin, name="watch stdin", daemon=True).start()
    try:
        settings = load_settings(config["settings"])
        try:
            from hookline_service.app import run_service

            return run_service(settings, _tell_url)
        finally:
            if config["is_temporary"]:
                shutil.rmtree(settings.home, ignore_errors=True)
    except HooklineError as exc:
        _tell(error_document(exc))
        return exit_code_of(exc)


def _tell_url(url: str) -> None:
    _tell({"url": url})


def _tell(document: object) -> None:
    print(json_text.write(document), flush=True)


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
