"""`python -m hookline_cli` is the same as `hookline`."""

from __future__ import annotations

from hookline_cli.main import main

if __name__ == "__main__":
    main()
