"""Which Hookline this is."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version as installed_version


@cache
def version() -> str:
    """The installed version of the package; `0` when it runs without being installed."""
    try:
        return installed_version("hookline")
    except PackageNotFoundError:
        return "0"
