"""The state of the service at a glance, and making room in it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hookline_service.api.endpoints import (
    Answer,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    NoQuery,
    Shape,
)
from hookline_service.api.services import ApiServices
from hookline_service.api.system import reason_not_ready
from hookline_service.api.values import Time
from hookline_service.api.version import version
from hookline_service.model.projects import DeploymentState
from hookline_service.model.sessions import SessionState
from hookline_service.use_cases.prune import prune

_UNFINISHED = (SessionState.CREATED, SessionState.RUNNING, SessionState.WAITING)
_MOST_DEPLOYMENTS = 1000


class StatusAnswer(Answer):
    """How the service does. `reason` says why it is not ready; `sessions` counts those that have not ended, by state.

    `ended` counts those that ended since the start.
    """

    version: str
    url: str
    started_at: Time | None
    ready: bool
    reason: str
    projects: int
    sessions: dict[str, int]
    ended: dict[str, int]
    runners: int
    capacity: int
    busy: int
    sandbox: list[str]
    disk_free_bytes: int | None


async def show_status(call: Call[NoQuery, NoBody]) -> StatusAnswer:
    """How the service does."""
    services = call.services
    runners = services.runners.list_runners()
    figures = services.gauges()
    started = figures.get("start_time_seconds")
    reason = await reason_not_ready(services)
    return StatusAnswer(
        version=version(),
        url=services.settings.base_url,
        started_at=None if started is None else datetime.fromtimestamp(started, UTC),
        ready=not reason,
        reason=reason,
        projects=len(await services.store.list_projects()),
        sessions=await _unfinished(services),
        ended={
            state: int(figures.get(f'sessions_ended_total{{state="{state}"}}', 0))
            for state in (SessionState.COMPLETED, SessionState.ERROR, SessionState.STOPPED)
        },
        runners=len(runners),
        capacity=sum(runner.capacity for runner in runners),
        busy=sum(runner.busy for runner in runners),
        sandbox=sorted({runner.sandbox for runner in runners}),
        disk_free_bytes=_free_bytes(services.settings.home),
    )


def _free_bytes(home: Path) -> int | None:
    try:
        return shutil.disk_usage(home).free
    except OSError:
        return None  # somebody took the home away


async def _unfinished(services: ApiServices) -> dict[str, int]:
    """Only deployments that are not inactive have any."""
    counts = dict.fromkeys(map(str, _UNFINISHED), 0)
    for deployment in await services.store.list_deployments(None, _MOST_DEPLOYMENTS):
        if deployment.state is not DeploymentState.INACTIVE:
            found = await services.store.count_sessions(deployment.id)
            for state in _UNFINISHED:
                counts[state] += found[state]
    return counts


class PruneBody(Shape):
    """What to delete: what has been over for so many days. `dry_run` only counts it."""

    older_than_days: Annotated[float, Field(ge=0, le=36_500)]
    dry_run: bool = False


class PrunedAnswer(Answer):
    """How many of each kind were deleted, or would be."""

    sessions: int
    deployments: int
    builds: int


async def prune_service(call: Call[NoQuery, PruneBody]) -> PrunedAnswer:
    """Delete what is over and what nothing needs."""
    services = call.services
    before = services.clock.now() - timedelta(days=call.body.older_than_days)
    pruned = await prune(services.store, before, is_dry_run=call.body.dry_run)
    return PrunedAnswer(
        sessions=pruned.sessions, deployments=pruned.deployments, builds=pruned.builds
    )


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="POST",
        path="/prune",
        summary="Delete ended sessions, and deployments and builds that nothing needs",
        handle=prune_service,
        query=NoQuery,
        body=PruneBody,
        answer=PrunedAnswer,
    ),
    Endpoint(
        method="GET",
        path="/status",
        summary="How the service does, at a glance",
        handle=show_status,
        query=NoQuery,
        body=NoBody,
        answer=StatusAnswer,
    ),
)
