"""Puts the parts together: the one place that names a concrete store and engine."""

from __future__ import annotations

from hookline_service.app.restore import Restored, restore_database
from hookline_service.app.service import run_service

__all__ = ["Restored", "restore_database", "run_service"]
