from __future__ import annotations

from datetime import timedelta

from hookline_service.model.projects import DeploymentState, Project
from hookline_service.model.sessions import SessionState
from hookline_service.use_cases.prune import KEPT_DEPLOYMENTS, prune
from tests.builders.moments import after
from tests.builders.projects import a_project, a_release
from tests.builders.sessions import a_session
from tests.fakes.memory_store import MemoryStore

LATER = after(0) + timedelta(days=1)


async def _deployed(store: MemoryStore, count: int, project: Project | None = None) -> Project:
    project = project or a_project()
    for _ in range(count):
        await store.apply_release(a_release(project))
    return project


async def test_deployments_and_builds_that_nothing_needs_go_but_for_the_newest():
    store = MemoryStore()
    await _deployed(store, KEPT_DEPLOYMENTS + 4)  # the last of them is active

    pruned = await prune(store, LATER)

    left = await store.list_deployments(None, 100)
    assert (pruned.deployments, pruned.builds) == (3, 3)
    assert len(left) == len(await store.list_builds(None, 100)) == KEPT_DEPLOYMENTS + 1
    assert [each.state for each in left].count(DeploymentState.ACTIVE) == 1


async def test_each_project_keeps_its_own_newest():
    store = MemoryStore()
    await _deployed(store, KEPT_DEPLOYMENTS)
    await _deployed(store, KEPT_DEPLOYMENTS)

    assert (await prune(store, LATER)).deployments == 0


async def test_what_is_young_stays():
    store = MemoryStore()
    await _deployed(store, KEPT_DEPLOYMENTS + 4)

    pruned = await prune(store, after(-1))

    assert (pruned.sessions, pruned.deployments, pruned.builds) == (0, 0, 0)


async def test_a_deployment_with_sessions_stays_and_goes_when_they_have_gone():
    store = MemoryStore()
    project = a_project()
    first = a_release(project)
    await store.apply_release(first)
    young = a_session(first, state=SessionState.COMPLETED, ended_at=LATER + timedelta(days=1))
    await store.add_sessions([young])
    await _deployed(store, KEPT_DEPLOYMENTS + 1, project)

    kept = await prune(store, LATER)
    gone = await prune(store, LATER + timedelta(days=2))

    assert (kept.sessions, kept.deployments) == (0, 0)
    assert (gone.sessions, gone.deployments, gone.builds) == (1, 1, 1)


async def test_a_dry_run_counts_and_deletes_nothing():
    store = MemoryStore()
    project = await _deployed(store, KEPT_DEPLOYMENTS + 3)
    release = a_release(project)
    await store.apply_release(release)
    await store.add_sessions([a_session(release, state=SessionState.ERROR, ended_at=after(1))])

    counted = await prune(store, LATER, is_dry_run=True)

    assert (counted.sessions, counted.deployments) == (1, 3)
    assert len(await store.list_deployments(None, 100)) == KEPT_DEPLOYMENTS + 4
    assert await prune(store, LATER) == counted
