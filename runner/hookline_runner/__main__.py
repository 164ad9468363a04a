"""`python -m hookline_runner`: the runner host as a child of the service."""

from __future__ import annotations

import sys

from hookline_runner.host import main

if __name__ == "__main__":
    sys.exit(main())
