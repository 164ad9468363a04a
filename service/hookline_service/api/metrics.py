"""`/metrics`: figures in Prometheus' text format, each family with what it means."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from hookline_service.api.services import ApiServices
from hookline_service.api.version import version

PREFIX: Final = "hookline_"
_MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")


@dataclass(frozen=True, slots=True)
class Family:
    """What a figure is: `counter`, `gauge` or `histogram`, and its meaning."""

    kind: str
    meaning: str


FAMILIES: Final[Mapping[str, Family]] = {
    "build_info": Family("gauge", "Always 1; the label says which version runs."),
    "database_bytes": Family("gauge", "Size of the database with its write-ahead log."),
    "disk_free_bytes": Family("gauge", "Free space on the disk of the home."),
    "process_max_rss_bytes": Family("gauge", "Peak memory of the service."),
    "runner_busy": Family("gauge", "Sessions that run on the runner hosts."),
    "runner_capacity": Family("gauge", "Sessions that the runner hosts could run."),
    "runner_rss_bytes": Family("gauge", "Memory of the runner hosts with their sessions."),
    "runners": Family("gauge", "Runner hosts that are connected."),
    "schedule_lateness_seconds": Family("gauge", "How late the last fire of a schedule started."),
    "session_duration_seconds": Family(
        "histogram", "Time from the start of sessions to their end, waits included."
    ),
    "sessions_ended_total": Family("counter", "Sessions that ended since the start, by state."),
    "sessions_queued": Family("gauge", "Sessions that wait for a free slot."),
    "sessions_running": Family("gauge", "Sessions that run now."),
    "start_time_seconds": Family("gauge", "When the service started, as Unix time."),
    "store_pending_bytes": Family("gauge", "Data that waits to be written."),
    "webhooks_accepted_total": Family("counter", "Webhooks accepted since the start."),
    "webhooks_duplicates_total": Family("counter", "Redeliveries, which started nothing."),
    "webhooks_refused_total": Family("counter", "Webhooks refused since the start, by status."),
}
"""By name without the prefix; docs/operations.md has the same list."""


def metrics_handler(services: ApiServices) -> Callable[[Request], Awaitable[Response]]:
    """The answer to `GET /metrics`."""
    database = services.settings.home / "hookline.db"

    async def metrics(_: Request) -> Response:
        runners = services.runners.list_runners()
        figures = {
            f'build_info{{version="{version()}"}}': 1,
            "store_pending_bytes": services.store.pending_bytes(),
            "process_max_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "runners": len(runners),
            "runner_capacity": sum(runner.capacity for runner in runners),
            "runner_busy": sum(runner.busy for runner in runners),
            "runner_rss_bytes": sum(runner.rss_bytes for runner in runners),
            **_of_disk(database),
            **services.webhook_counts.figures(),
            **services.gauges(),
        }
        return Response(exposition(figures), media_type=_MEDIA)

    return metrics


def exposition(figures: Mapping[str, float]) -> str:
    """Figures by name and labels, without prefix, in Prometheus' text format."""
    by_family: dict[str, list[str]] = {}
    for name, value in figures.items():
        by_family.setdefault(family_of(name), []).append(f"{PREFIX}{name} {value}")
    lines: list[str] = []
    for family in sorted(by_family):
        known = FAMILIES.get(family)
        if known is not None:
            lines.append(f"# HELP {PREFIX}{family} {known.meaning}")
        kind = known.kind if known else "counter" if family.endswith("_total") else "gauge"
        lines.append(f"# TYPE {PREFIX}{family} {kind}")
        lines += by_family[family]
    return "\n".join(lines) + "\n"


def family_of(name: str) -> str:
    """The family that a figure belongs to."""
    bare = name.partition("{")[0]
    for suffix in _HISTOGRAM_SUFFIXES:
        family = bare.removesuffix(suffix)
        if family != bare and family in FAMILIES:
            return family
    return bare


def metrics_table() -> str:
    """The families as a Markdown table, for docs/operations.md."""
    rows = [
        f"| `{PREFIX}{name}` | {family.kind} | {family.meaning} |\n"
        for name, family in FAMILIES.items()
    ]
    return f"| metric | kind | meaning |\n|---|---|---|\n{''.join(rows)}"


def _of_disk(database: Path) -> dict[str, float]:
    try:
        parts = [database, database.with_name(f"{database.name}-wal")]
        size = sum(part.stat().st_size for part in parts if part.exists())
        return {"database_bytes": size, "disk_free_bytes": shutil.disk_usage(database.parent).free}
    except OSError:
        return {}
