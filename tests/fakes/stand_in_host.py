"""A runner host as a process of its own, with the stand-in session: `stand_in_host.py HOME SANDBOX`."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from hookline_runner.host import serve
from tests.builders.runner_host import a_runtime, some_settings


def main() -> None:
    settings = some_settings(Path(sys.argv[1]), sys.argv[2])
    anyio.run(serve, settings, a_runtime(settings), backend_options={"use_uvloop": True})


if __name__ == "__main__":
    main()
