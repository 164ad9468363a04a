"""Which functions of a project sessions of others may start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from hookline_service.model.errors import NotExportedError

Exports: TypeAlias = Mapping[str, frozenset[str] | None]
"""Entry points, each with the names of the projects that may start it; None: every project."""


def check_export(exports: Exports, *, project: str, entry_point: str, caller: str) -> None:
    """Nothing, if the project called `caller` may start the entry point of `project`, which exports these.

    Raises:
        NotExportedError: it may not.
    """
    is_exported = entry_point in exports
    callers = exports.get(entry_point)
    if not is_exported or (callers is not None and caller not in callers):
        raise NotExportedError(project, entry_point, caller, is_exported=is_exported)
