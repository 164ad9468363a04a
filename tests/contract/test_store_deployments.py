from __future__ import annotations

from dataclasses import replace

import pytest

from hookline_service.model.errors import (
    BuildInUseError,
    BuildNotFoundError,
    DeploymentBusyError,
    DeploymentNotFoundError,
    SessionNotFoundError,
)
from hookline_service.model.ids import BuildId, DeploymentId
from hookline_service.model.projects import DeploymentState
from hookline_service.model.sessions import SessionState
from hookline_service.storage.protocols import Store
from hookline_triggers.definitions import OverlapPolicy, SchedulePolicies, TriggerKind
from tests.builders.events import an_event
from tests.builders.moments import after
from tests.builders.projects import (
    a_build,
    a_connection,
    a_definition,
    a_project,
    a_release,
    a_schedule,
    a_trigger,
)
from tests.builders.sessions import a_change, a_session


async def test_a_release_activates_its_deployment(store: Store) -> None:
    release = a_release()

    await store.apply_release(release)

    assert await store.find_active_deployment(release.project.id) == release.deployment
    assert await store.get_deployment(release.deployment.id) == release.deployment


async def test_a_release_keeps_the_build_and_its_files(store: Store) -> None:
    release = a_release()

    await store.apply_release(release)

    assert await store.find_build(release.build.id) == release.build
    assert await store.get_archive(release.build.id) == release.archive


async def test_a_build_that_exists_is_kept_as_it_is(store: Store) -> None:
    project = a_project()
    first = a_release(project)
    await store.apply_release(first)
    again = replace(first.build, environment="env_other", created_at=after(100))

    await store.apply_release(a_release(project, build=again, archive=b"other"))

    assert await store.find_build(first.build.id) == first.build
    assert await store.get_archive(first.build.id) == first.archive


async def test_the_files_of_a_missing_build_are_not_found(store: Store) -> None:
    with pytest.raises(BuildNotFoundError):
        await store.get_archive(BuildId("bld_nowhere"))


async def test_a_second_release_makes_the_first_inactive(store: Store) -> None:
    project = a_project()
    first, second = a_release(project), a_release(project)
    await store.apply_release(first)

    await store.apply_release(second)

    former = await store.get_deployment(first.deployment.id)
    assert former.state is DeploymentState.INACTIVE
    assert await store.find_active_deployment(project.id) == second.deployment


async def test_a_former_deployment_drains_while_a_session_runs(store: Store) -> None:
    project = a_project()
    first = a_release(project)
    await store.apply_release(first)
    session = a_session(first)
    await store.add_sessions([session])

    await store.apply_release(a_release(project))

    former = await store.get_deployment(first.deployment.id)
    assert former.state is DeploymentState.DRAINING


async def test_a_drained_deployment_settles_when_its_last_session_ends(store: Store) -> None:
    project = a_project()
    first, second = a_release(project), a_release(project)
    await store.apply_release(first)
    sessions = [a_session(first), a_session(first)]
    await store.add_sessions(sessions)
    await store.apply_release(second)
    states: list[DeploymentState] = []

    for session in sessions:
        await store.change_session(a_change(session.id, SessionState.COMPLETED), [])
        states.append((await store.get_deployment(first.deployment.id)).state)

    assert states == [DeploymentState.DRAINING, DeploymentState.INACTIVE]
    assert await store.settle_draining() == []
    assert (await store.get_deployment(second.deployment.id)).state is DeploymentState.ACTIVE


async def test_a_deployment_drains_on_while_a_session_is_tried_again(store: Store) -> None:
    project = a_project()
    first = a_release(project)
    await store.apply_release(first)
    session, successor = a_session(first), a_session(first)
    await store.add_sessions([session])
    await store.apply_release(a_release(project))

    change = a_change(session.id, SessionState.ERROR, successor=successor)
    await store.change_session(change, [])

    assert (await store.get_deployment(first.deployment.id)).state is DeploymentState.DRAINING


async def test_an_older_deployment_can_be_activated_again(store: Store) -> None:
    project = a_project()
    first = a_release(project, definitions=[a_definition(name="old")])
    second = a_release(project, definitions=[a_definition(name="new")])
    await store.apply_release(first)
    await store.apply_release(second)

    deployment = await store.activate_deployment(
        first.deployment.id, first.triggers, (), (), after(60)
    )

    assert deployment.state is DeploymentState.ACTIVE
    assert deployment.activated_at == after(60)
    assert await store.find_active_deployment(project.id) == deployment
    assert await store.list_triggers(project.id) == list(first.triggers)


async def test_activating_twice_is_activating_once(store: Store) -> None:
    release = a_release(definitions=[a_definition()])
    await store.apply_release(release)

    again = await store.activate_deployment(
        release.deployment.id, release.triggers, release.schedules, release.connections, after(60)
    )

    assert again == release.deployment
    assert await store.list_triggers(None) == list(release.triggers)


async def test_a_missing_deployment_cannot_be_activated(store: Store) -> None:
    with pytest.raises(DeploymentNotFoundError):
        await store.activate_deployment(DeploymentId("dep_nowhere"), (), (), (), after(0))


async def test_an_older_deployment_brings_its_connections_back(store: Store) -> None:
    project = a_project()
    chat, mail = a_connection(project.id, name="chat"), a_connection(project.id, name="mail")
    first = a_release(project, connections=(chat,))
    second = a_release(project, connections=(mail,))
    await store.apply_release(first)
    await store.apply_release(second)

    await store.activate_deployment(first.deployment.id, (), (), first.connections, after(60))

    assert await store.list_connections(project.id) == [chat]


async def test_a_release_that_fails_leaves_everything_as_it_was(store: Store) -> None:
    project = a_project()
    good = a_release(project, definitions=[a_definition()])
    await store.apply_release(good)
    bad = a_release(project, definitions=[a_definition()])
    lost = replace(bad.triggers[0], deployment_id=DeploymentId("dep_nowhere"))

    with pytest.raises(DeploymentNotFoundError):
        await store.apply_release(replace(bad, triggers=(lost,)))

    assert await store.find_active_deployment(project.id) == good.deployment
    assert await store.list_triggers(project.id) == list(good.triggers)
    assert await store.find_build(bad.build.id) is None


async def test_a_deactivated_deployment_takes_its_triggers_out_of_force(store: Store) -> None:
    definition = a_definition(kind=TriggerKind.SCHEDULE, schedule="* * * * *")
    release = a_release(definitions=[a_definition(), definition])
    await store.apply_release(release)

    deployment = await store.set_deployment_state(release.deployment.id, DeploymentState.INACTIVE)

    assert deployment.state is DeploymentState.INACTIVE
    assert await store.find_active_deployment(release.project.id) is None
    assert await store.list_triggers(release.project.id) == []
    assert await store.list_schedules() == []


async def test_deactivating_with_running_sessions_drains(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    await store.add_sessions([a_session(release)])

    deployment = await store.set_deployment_state(release.deployment.id, DeploymentState.INACTIVE)

    assert deployment.state is DeploymentState.DRAINING


async def test_testing_another_deployment_leaves_triggers_in_force(store: Store) -> None:
    project = a_project()
    older = a_release(project)
    active = a_release(project, definitions=[a_definition()])
    await store.apply_release(older)
    await store.apply_release(active)

    deployment = await store.set_deployment_state(older.deployment.id, DeploymentState.TESTING)

    assert deployment.state is DeploymentState.TESTING
    assert await store.list_triggers(project.id) == list(active.triggers)


async def test_deployments_are_listed_newest_first_in_pages(store: Store) -> None:
    project = a_project()
    releases = [a_release(project) for _ in range(3)]
    for release in releases:
        await store.apply_release(release)
    await store.apply_release(a_release())
    newest_first = [release.deployment.id for release in reversed(releases)]

    page = await store.list_deployments(project.id, limit=2)
    rest = await store.list_deployments(project.id, limit=2, before=page[-1].id)

    assert [each.id for each in (*page, *rest)] == newest_first
    assert len(await store.list_deployments(None, limit=10)) == 4


async def test_an_active_deployment_cannot_be_deleted(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)

    with pytest.raises(DeploymentBusyError):
        await store.delete_deployment(release.deployment.id)

    assert await store.find_active_deployment(release.project.id) == release.deployment


async def test_an_inactive_deployment_is_deleted_with_its_sessions(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    session = a_session(release, state=SessionState.COMPLETED)
    await store.add_sessions([session])
    await store.set_deployment_state(release.deployment.id, DeploymentState.INACTIVE)

    await store.delete_deployment(release.deployment.id)

    with pytest.raises(DeploymentNotFoundError):
        await store.get_deployment(release.deployment.id)
    with pytest.raises(SessionNotFoundError):
        await store.get_session(session.id)


async def test_sessions_of_a_deployment_are_counted_by_state(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    await store.add_sessions(
        [
            a_session(release),
            a_session(release),
            a_session(release, state=SessionState.ERROR),
        ]
    )

    counts = await store.count_sessions(release.deployment.id)

    assert counts[SessionState.CREATED] == 2
    assert counts[SessionState.ERROR] == 1
    assert sum(counts.values()) == 3


async def test_builds_are_listed_newest_first(store: Store) -> None:
    project = a_project()
    releases = [a_release(project) for _ in range(3)]
    for release in releases:
        await store.apply_release(release)
    other = a_release()
    await store.apply_release(other)

    builds = await store.list_builds(project.id, limit=2)
    newest = await store.list_builds(None, limit=1)

    assert builds == [releases[2].build, releases[1].build]
    assert newest == [other.build]


async def test_a_build_in_use_cannot_be_deleted(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)

    with pytest.raises(BuildInUseError):
        await store.delete_build(release.build.id)

    assert await store.find_build(release.build.id) == release.build


async def test_a_build_named_by_a_session_alone_cannot_be_deleted(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    await store.add_sessions([a_session(release, deployment_id=None)])
    await store.set_deployment_state(release.deployment.id, DeploymentState.INACTIVE)
    await store.delete_deployment(release.deployment.id)

    with pytest.raises(BuildInUseError):
        await store.delete_build(release.build.id)


async def test_an_unused_build_is_deleted_with_its_files(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    await store.set_deployment_state(release.deployment.id, DeploymentState.INACTIVE)
    await store.delete_deployment(release.deployment.id)

    await store.delete_build(release.build.id)

    assert await store.find_build(release.build.id) is None
    with pytest.raises(BuildNotFoundError):
        await store.get_archive(release.build.id)


async def test_a_trigger_comes_back_as_it_was_defined(store: Store) -> None:
    definition = a_definition(
        kind=TriggerKind.SCHEDULE,
        schedule="0 9 * * *",
        timezone="Europe/Berlin",
        policies=SchedulePolicies(overlap=OverlapPolicy.BUFFER_ONE, jitter_s=2.5),
        timeout_s=12.5,
        concurrency=3,
    )
    release = a_release(definitions=[definition])

    await store.apply_release(release)

    assert await store.find_trigger(release.triggers[0].id) == release.triggers[0]


async def test_a_webhook_trigger_is_found_by_its_slug(store: Store) -> None:
    release = a_release(definitions=[a_definition(), a_definition()])
    await store.apply_release(release)
    wanted = release.triggers[1]
    assert wanted.slug is not None

    found = await store.find_trigger_by_slug(wanted.slug)

    assert found == wanted
    assert await store.find_trigger_by_slug("no-such-slug") is None


async def test_a_trigger_that_a_release_drops_is_out_of_force_and_remembered(
    store: Store,
) -> None:
    project = a_project()
    release = a_release(project, definitions=[a_definition(name="hook")])
    await store.apply_release(release)
    (old,) = release.triggers
    assert old.slug is not None

    await store.apply_release(a_release(project))

    assert await store.find_trigger(old.id) is None
    assert await store.find_trigger_by_slug(old.slug) is None
    assert await store.list_trigger_identities(project.id) == [(old.id, "hook", old.slug)]


async def test_a_trigger_keeps_its_row_and_slug_when_its_definition_changes(
    store: Store,
) -> None:
    project = a_project()
    first = a_release(project, definitions=[a_definition(name="hook")])
    await store.apply_release(first)
    (old,) = first.triggers
    second = a_release(project)
    changed = a_trigger(
        second.deployment,
        id=old.id,
        definition=a_definition(name="hook", kind=TriggerKind.SCHEDULE, schedule="@daily"),
    )

    await store.apply_release(replace(second, triggers=(changed,)))

    assert await store.find_trigger(old.id) == changed
    assert await store.list_trigger_identities(project.id) == [(old.id, "hook", old.slug)]


async def test_triggers_are_listed_by_name(store: Store) -> None:
    definitions = [a_definition(name=name) for name in ("b", "c", "a")]
    release = a_release(definitions=definitions)
    await store.apply_release(release)

    names = [each.definition.name for each in await store.list_triggers(release.project.id)]

    assert names == ["a", "b", "c"]


async def test_a_release_replaces_schedules(store: Store) -> None:
    project = a_project()
    definition = a_definition(kind=TriggerKind.SCHEDULE, schedule="* * * * *")
    await store.apply_release(a_release(project, definitions=[definition]))
    second = a_release(project, definitions=[definition])

    await store.apply_release(second)

    assert await store.list_schedules(project.id) == list(second.schedules)
    assert await store.list_schedules() == list(second.schedules)


async def test_a_schedule_is_saved_whole(store: Store) -> None:
    definition = a_definition(kind=TriggerKind.SCHEDULE, schedule="* * * * *")
    release = a_release(definitions=[definition])
    await store.apply_release(release)
    schedule = a_schedule(
        release.triggers[0],
        next_fire_at=None,
        last_fire_at=after(1),
        paused=True,
        pause_reason="two failures",
        buffered=(after(2), after(3)),
    )

    await store.save_schedule(schedule)

    assert await store.list_schedules() == [schedule]


async def test_the_schedule_of_a_trigger_out_of_force_is_not_saved(store: Store) -> None:
    definition = a_definition(kind=TriggerKind.SCHEDULE, schedule="* * * * *")
    release = a_release(definitions=[definition])
    await store.apply_release(release)
    await store.set_deployment_state(release.deployment.id, DeploymentState.INACTIVE)

    await store.save_schedule(release.schedules[0])

    assert await store.list_schedules() == []


async def test_sessions_of_a_retired_trigger_keep_naming_it(store: Store) -> None:
    project = a_project()
    release = a_release(project, definitions=[a_definition()])
    await store.apply_release(release)
    event = an_event(release.triggers[0])
    session = a_session(release, event)
    await store.record_event(event, [session])

    await store.apply_release(a_release(project, build=a_build(project)))

    assert (await store.get_session(session.id)).trigger_id == release.triggers[0].id
    assert await store.count_unfinished(release.triggers[0].id) == 1


async def test_builds_are_needed_by_deployments_that_can_run_and_by_sessions(store: Store) -> None:
    active, former, gone = a_release(), a_release(), a_release()
    for each in (active, former, gone):
        await store.apply_release(each)
    for each in (former, gone):
        await store.set_deployment_state(each.deployment.id, DeploymentState.INACTIVE)
    await store.add_sessions([a_session(former, state=SessionState.COMPLETED, ended_at=after(1))])
    builds = [active.build.id, former.build.id, gone.build.id, BuildId("bld_unknown")]

    needed = await store.list_needed_builds(builds)

    assert sorted(needed) == sorted([active.build.id, former.build.id])
    assert await store.list_needed_builds([]) == []


async def test_a_paused_schedule_is_paused_when_it_comes_back(store: Store) -> None:
    project = a_project()
    schedules = [
        a_definition(name=name, kind=TriggerKind.SCHEDULE, schedule="@hourly")
        for name in ("paused", "other")
    ]
    first = a_release(project, definitions=schedules)
    await store.apply_release(first)
    paused, other = first.schedules
    await store.save_schedule(
        replace(paused, paused=True, pause_reason="holiday", last_fire_at=after(5))
    )
    await store.set_deployment_state(first.deployment.id, DeploymentState.INACTIVE)
    while_out = await store.list_schedules(), await store.list_schedules(project.id)

    moved = replace(paused, next_fire_at=after(99))
    await store.activate_deployment(
        first.deployment.id, first.triggers, (moved, other), (), after(60)
    )

    kept = replace(moved, paused=True, pause_reason="holiday", last_fire_at=after(5))
    assert while_out == ([], [])
    assert await store.list_schedules() == sorted([kept, other], key=lambda each: each.trigger_id)


async def test_a_resumed_schedule_is_not_paused_when_it_comes_back(store: Store) -> None:
    project = a_project()
    release = a_release(
        project, definitions=[a_definition(kind=TriggerKind.SCHEDULE, schedule="@hourly")]
    )
    await store.apply_release(release)
    (schedule,) = release.schedules
    await store.save_schedule(replace(schedule, paused=True, pause_reason="holiday"))
    await store.save_schedule(schedule)

    await store.activate_deployment(
        release.deployment.id, release.triggers, release.schedules, (), after(60)
    )

    assert await store.list_schedules() == [schedule]


async def test_a_paused_schedule_that_becomes_a_webhook_is_no_schedule(store: Store) -> None:
    project = a_project()
    release = a_release(
        project, definitions=[a_definition(kind=TriggerKind.SCHEDULE, schedule="@hourly")]
    )
    await store.apply_release(release)
    await store.save_schedule(replace(release.schedules[0], paused=True))
    webhook = replace(release.triggers[0], definition=a_definition(), slug="a-slug")

    await store.activate_deployment(release.deployment.id, (webhook,), (), (), after(60))

    assert await store.list_schedules() == []
