"""Making room by hand: what is over for a while, and what nothing needs any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hookline_service.model.errors import BuildInUseError, BuildNotFoundError, DeploymentBusyError
from hookline_service.model.ids import BuildId, ProjectId
from hookline_service.model.projects import Deployment, DeploymentState
from hookline_service.storage.protocols import Store

KEPT_DEPLOYMENTS: Final = 10
"""So many inactive deployments of each project stay, the newest: to roll back to."""
_BATCH: Final = 200
_MOST: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many of each kind went, or would go."""

    sessions: int
    deployments: int
    builds: int


async def prune(store: Store, before: datetime, *, is_dry_run: bool = False) -> Pruned:
    """Delete sessions that ended before then with their events, then deployments and builds that nothing needs.

    Of deployments those go that are inactive, older than that, without sessions, and not among the newest of their project. Of builds
    those that neither a deployment that stays nor a session names. Each step is a transaction of its own: cut off, it has
    done a part, and can be run again. A dry run cannot know which deployments lose their last session, and counts only
    those without any.
    """
    sessions = await store.count_finished_before(before)
    if not is_dry_run:
        while await store.delete_finished_before(before, _BATCH) >= _BATCH:
            pass
    deployments = await store.list_deployments(None, _MOST)
    idle = [each for each in _outdated(deployments, before) if await _has_none(store, each)]
    gone = {each.id for each in idle}
    kept = {each.build_id for each in deployments if each.id not in gone}
    builds = [
        each.id
        for each in await store.list_builds(None, _MOST)
        if each.id not in kept and each.created_at < before
    ]
    if is_dry_run:
        return Pruned(sessions=sessions, deployments=len(idle), builds=len(builds))
    return Pruned(
        sessions=sessions,
        deployments=await _delete_deployments(store, idle),
        builds=await _delete_builds(store, builds),
    )


def _outdated(deployments: Sequence[Deployment], before: datetime) -> Iterator[Deployment]:
    """Inactive ones from before that time, but for the newest of each project; `deployments` are the newest first."""
    counts: dict[ProjectId, int] = {}
    for each in deployments:
        if each.state is not DeploymentState.INACTIVE:
            continue
        counts[each.project_id] = counts.get(each.project_id, 0) + 1
        if counts[each.project_id] > KEPT_DEPLOYMENTS and each.created_at < before:
            yield each


async def _has_none(store: Store, deployment: Deployment) -> bool:
    return not any((await store.count_sessions(deployment.id)).values())


async def _delete_deployments(store: Store, deployments: Sequence[Deployment]) -> int:
    count = 0
    for each in deployments:
        try:
            await store.delete_deployment(each.id)
        except DeploymentBusyError:
            continue  # activated meanwhile
        count += 1
    return count


async def _delete_builds(store: Store, builds: Sequence[BuildId]) -> int:
    count = 0
    for each in builds:
        try:
            await store.delete_build(each)
        except (BuildInUseError, BuildNotFoundError):
            continue  # a session or a new deployment names it
        count += 1
    return count
