from __future__ import annotations

from dataclasses import replace

import pytest

from hookline_service.model.errors import (
    EventNotFoundError,
    ProjectNotFoundError,
    SessionNotFoundError,
)
from hookline_service.model.ids import ProjectId
from hookline_service.model.sessions import SessionState
from hookline_service.storage.errors import ProjectNameTakenError
from hookline_service.storage.protocols import Store
from tests.builders.events import an_event
from tests.builders.moments import after
from tests.builders.projects import (
    a_connection,
    a_definition,
    a_project,
    a_release,
    a_variable,
)
from tests.builders.sessions import a_begin, a_session, an_entry


async def test_a_released_project_is_found_by_name_and_id(store: Store) -> None:
    release = a_release()

    await store.apply_release(release)

    assert await store.find_project(release.project.name) == release.project
    assert await store.get_project(release.project.id) == release.project


async def test_a_project_that_was_never_released_is_not_found(store: Store) -> None:
    project = a_project()

    found = await store.find_project(project.name)

    assert found is None
    with pytest.raises(ProjectNotFoundError):
        await store.get_project(project.id)


async def test_a_project_may_be_there_before_anything_is_deployed(store: Store) -> None:
    project = a_project()

    await store.add_project(project)
    await store.set_variables([a_variable(project.id)])

    assert await store.find_project(project.name) == project
    assert len(await store.list_variables(project.id)) == 1
    assert await store.find_active_deployment(project.id) is None


async def test_a_project_is_not_added_under_a_name_that_another_has(store: Store) -> None:
    await store.add_project(a_project(name="same"))

    with pytest.raises(ProjectNameTakenError):
        await store.add_project(a_project(name="same"))


async def test_the_first_release_of_a_project_keeps_what_it_had(store: Store) -> None:
    project = a_project()
    await store.add_project(project)
    await store.set_variables([a_variable(project.id)])

    await store.apply_release(a_release(project))

    assert len(await store.list_projects()) == 1
    assert len(await store.list_variables(project.id)) == 1


async def test_projects_are_listed_by_name(store: Store) -> None:
    for name in ("pear", "apple", "fig"):
        await store.apply_release(a_release(a_project(name=name)))

    names = [project.name for project in await store.list_projects()]

    assert names == ["apple", "fig", "pear"]


async def test_two_projects_cannot_have_one_name(store: Store) -> None:
    first = a_release(a_project(name="same"))
    second = a_release(a_project(name="same"))
    await store.apply_release(first)

    with pytest.raises(ProjectNameTakenError, match="same"):
        await store.apply_release(second)

    assert await store.list_projects() == [first.project]


async def test_a_second_release_renames_the_project_and_keeps_its_birth(store: Store) -> None:
    project = a_project(name="old")
    await store.apply_release(a_release(project))
    renamed = replace(project, name="new", created_at=after(60), updated_at=after(60))

    await store.apply_release(a_release(renamed))

    assert await store.find_project("old") is None
    assert await store.get_project(project.id) == replace(renamed, created_at=project.created_at)


async def test_variables_are_listed_by_scope_and_name(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    wanted = [
        a_variable(release.project.id, scope="", name="A"),
        a_variable(release.project.id, scope="", name="B", is_secret=True, value=b"\x00\xff"),
        a_variable(release.project.id, scope="chat", name="A", description="a token"),
    ]

    await store.set_variables(list(reversed(wanted)))

    assert await store.list_variables(release.project.id) == wanted


async def test_setting_a_variable_again_replaces_it(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    first = a_variable(release.project.id, name="A", value=b"1")
    second = replace(first, value=b"2", is_secret=True, updated_at=after(1))
    await store.set_variables([first])

    await store.set_variables([second])

    assert await store.list_variables(release.project.id) == [second]


async def test_values_are_replaced_only_where_they_are_still_as_given(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    same = a_variable(release.project.id, name="A", value=b"1", is_secret=True, description="a")
    changed = a_variable(release.project.id, name="B", value=b"2", is_secret=True)
    gone = a_variable(release.project.id, name="C", value=b"3")
    elsewhere = a_variable(ProjectId("prj_nowhere"), name="A", value=b"1")
    newer = replace(changed, value=b"set meanwhile")
    await store.set_variables([same, newer])

    count = await store.replace_values(
        [(same, b"new"), (changed, b"new"), (gone, b"new"), (elsewhere, b"new")]
    )

    assert count == 1
    assert await store.list_variables(release.project.id) == [replace(same, value=b"new"), newer]


async def test_variables_are_set_all_or_not_at_all(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    good = a_variable(release.project.id)
    lost = a_variable(ProjectId("prj_nowhere"))

    with pytest.raises(ProjectNotFoundError):
        await store.set_variables([good, lost])

    assert await store.list_variables(release.project.id) == []


async def test_deleting_a_variable_says_whether_there_was_one(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    await store.set_variables([a_variable(release.project.id, name="A")])

    first = await store.delete_variable(release.project.id, "", "A")
    second = await store.delete_variable(release.project.id, "", "A")

    assert (first, second) == (True, False)
    assert await store.list_variables(release.project.id) == []


async def test_a_release_sets_and_deletes_variables(store: Store) -> None:
    project = a_project()
    await store.apply_release(a_release(project))
    await store.set_variables(
        [a_variable(project.id, name="OLD"), a_variable(project.id, name="B")]
    )
    new = a_variable(project.id, name="NEW")

    await store.apply_release(
        a_release(project, variables_set=(new,), variables_deleted=(("", "OLD"),))
    )

    names = [variable.name for variable in await store.list_variables(project.id)]
    assert names == ["B", "NEW"]


async def test_a_release_replaces_connections(store: Store) -> None:
    project = a_project()
    old = a_connection(project.id, name="old")
    kept = a_connection(project.id, name="kept", integration="github")
    await store.apply_release(a_release(project, connections=(old, kept)))
    kept = replace(kept, integration="slack")

    await store.apply_release(a_release(project, connections=(kept,)))

    assert await store.list_connections(project.id) == [kept]


async def test_a_deleted_project_takes_everything_with_it(store: Store) -> None:
    project = a_project()
    release = a_release(
        project, definitions=[a_definition()], connections=(a_connection(project.id),)
    )
    await store.apply_release(release)
    await store.set_variables([a_variable(project.id)])
    event = an_event(release.triggers[0], delivery_id="d1")
    session = a_session(release, event)
    await store.record_event(event, [session])
    await store.change_session(a_begin(session.id), [])
    await store.append([an_entry(session.id, 1)], [])

    await store.delete_project(project.id)

    assert await store.find_project(project.name) is None
    assert await store.list_variables(project.id) == []
    assert await store.list_connections(project.id) == []
    assert await store.list_triggers(None) == []
    assert await store.list_trigger_identities(project.id) == []
    assert await store.list_deployments(None, 10) == []
    assert await store.find_build(release.build.id) is None
    assert await store.list_unfinished(list(SessionState), None, 10) == []
    assert await store.count_entries(session.id) == 0
    with pytest.raises(EventNotFoundError):
        await store.get_event(event.id)
    with pytest.raises(SessionNotFoundError):
        await store.get_session(session.id)


async def test_deleting_a_project_leaves_other_projects_alone(store: Store) -> None:
    kept, gone = a_release(definitions=[a_definition()]), a_release()
    await store.apply_release(kept)
    await store.apply_release(gone)
    event = an_event(kept.triggers[0])
    await store.record_event(event, [a_session(kept, event)])

    await store.delete_project(gone.project.id)

    assert await store.list_projects() == [kept.project]
    assert await store.get_event(event.id) == event
    assert await store.find_trigger(kept.triggers[0].id) == kept.triggers[0]


async def test_deleting_a_project_twice_changes_nothing(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    await store.delete_project(release.project.id)

    await store.delete_project(release.project.id)

    assert await store.list_projects() == []


async def test_the_name_of_a_deleted_project_can_be_given_again(store: Store) -> None:
    old = a_release(a_project(name="same"))
    await store.apply_release(old)
    await store.delete_project(old.project.id)
    new = a_release(a_project(name="same"))

    await store.apply_release(new)

    assert await store.find_project("same") == new.project


async def test_a_build_that_another_project_deployed_outlives_its_first_project(
    store: Store,
) -> None:
    first = a_release()
    await store.apply_release(first)
    second = a_release(build=first.build)
    await store.apply_release(second)

    await store.delete_project(first.project.id)

    assert await store.get_archive(first.build.id) == first.archive
    active = await store.find_active_deployment(second.project.id)
    assert active is not None
    assert active.build_id == first.build.id
