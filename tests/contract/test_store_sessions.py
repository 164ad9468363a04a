from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from hookline_service.model.errors import (
    BuildNotFoundError,
    SessionBusyError,
    SessionNotFoundError,
)
from hookline_service.model.ids import BuildId, SessionId
from hookline_service.model.projects import Release
from hookline_service.model.sessions import (
    Attempt,
    AttemptOutcome,
    SessionError,
    SessionFilter,
    SessionState,
)
from hookline_service.storage.protocols import Store
from tests.builders.events import an_event
from tests.builders.moments import after
from tests.builders.projects import a_definition, a_release
from tests.builders.sessions import a_begin, a_change, a_record, a_session


@pytest.fixture
async def release(store: Store) -> Release:
    release = a_release(definitions=[a_definition(), a_definition()])
    await store.apply_release(release)
    return release


async def test_a_session_comes_back_as_it_was(store: Store, release: Release) -> None:
    session = a_session(
        release,
        state=SessionState.ERROR,
        is_durable=False,
        input=b'{"a":1}',
        started_at=after(1),
        ended_at=after(2),
        attempt=3,
        error=SessionError(type="ValueError", message="no", traceback="at line 1"),
        stop_reason="by hand",
        result=b"null",
        retry_of=SessionId("ses_before"),
        retry_number=2,
        scheduled_for=after(0.000001),
    )

    await store.add_sessions([session])

    assert await store.get_session(session.id) == session


async def test_adding_a_session_again_leaves_it_as_it_is(store: Store, release: Release) -> None:
    session = a_session(release)
    await store.add_sessions([session])
    await store.change_session(a_begin(session.id), [])

    await store.add_sessions([session, a_session(release)])

    assert (await store.get_session(session.id)).state is SessionState.RUNNING
    assert len(await store.list_sessions(SessionFilter())) == 2


async def test_sessions_are_added_all_or_not_at_all(store: Store, release: Release) -> None:
    good = a_session(release)
    bad = a_session(release, build_id=BuildId("bld_nowhere"))

    with pytest.raises(BuildNotFoundError):
        await store.add_sessions([good, bad])

    with pytest.raises(SessionNotFoundError):
        await store.get_session(good.id)


async def test_beginning_an_attempt_starts_the_session(store: Store, release: Release) -> None:
    session = a_session(release, wake_at=after(0))
    await store.add_sessions([session])

    applied = await store.change_session(a_begin(session.id, at=after(5)), [])

    assert applied
    now = await store.get_session(session.id)
    assert now == replace(
        session, state=SessionState.RUNNING, attempt=1, started_at=after(5), wake_at=None
    )
    assert await store.list_attempts(session.id) == [
        Attempt(session_id=session.id, number=1, runner="runner-1", started_at=after(5))
    ]


async def test_a_second_attempt_keeps_the_time_of_the_first(store: Store, release: Release) -> None:
    session = a_session(release)
    await store.add_sessions([session])
    await store.change_session(a_begin(session.id, 1, at=after(1)), [])
    lost = a_change(
        session.id,
        SessionState.CREATED,
        expected_attempt=1,
        at=after(2),
        outcome=AttemptOutcome.LOST,
        detail="link gone",
    )
    await store.change_session(lost, [])

    await store.change_session(a_begin(session.id, 2, at=after(3)), [])

    now = await store.get_session(session.id)
    assert (now.started_at, now.attempt) == (after(1), 2)
    first, second = await store.list_attempts(session.id)
    assert (first.ended_at, first.outcome, first.detail) == (
        after(2),
        AttemptOutcome.LOST,
        "link gone",
    )
    assert (second.number, second.ended_at) == (2, None)


async def test_a_suspended_session_waits_until_its_time(store: Store, release: Release) -> None:
    session = a_session(release, deadline_at=after(500))
    await store.add_sessions([session])
    await store.change_session(a_begin(session.id), [])

    await store.change_session(
        a_change(
            session.id,
            SessionState.WAITING,
            expected_attempt=1,
            wake_at=after(100),
            outcome=AttemptOutcome.SUSPENDED,
        ),
        [],
    )

    now = await store.get_session(session.id)
    assert (now.state, now.wake_at, now.deadline_at) == (
        SessionState.WAITING,
        after(100),
        after(500),
    )


async def test_a_final_state_sets_the_end_and_clears_the_timers(
    store: Store, release: Release
) -> None:
    session = a_session(release, wake_at=after(10), deadline_at=after(20))
    await store.add_sessions([session])
    error = SessionError(type="ValueError", message="no")

    await store.change_session(
        a_change(session.id, SessionState.ERROR, at=after(9), error=error), []
    )

    assert await store.get_session(session.id) == replace(
        session,
        state=SessionState.ERROR,
        ended_at=after(9),
        error=error,
        wake_at=None,
        deadline_at=None,
    )


async def test_a_change_leaves_what_it_does_not_name(store: Store, release: Release) -> None:
    session = a_session(release, deadline_at=after(20), stop_reason="asked to stop")
    await store.add_sessions([session])
    await store.change_session(a_begin(session.id), [])

    await store.change_session(
        a_change(session.id, SessionState.STOPPED, expected_attempt=1, result=b"1"), []
    )

    now = await store.get_session(session.id)
    assert (now.stop_reason, now.result, now.error) == ("asked to stop", b"1", None)


async def test_a_change_for_another_attempt_does_not_apply(store: Store, release: Release) -> None:
    session = a_session(release)
    await store.add_sessions([session])
    await store.change_session(a_begin(session.id, 1), [])

    applied = await store.change_session(
        a_change(session.id, SessionState.COMPLETED, expected_attempt=0),
        [a_record(session.id, 1)],
    )

    assert not applied
    assert (await store.get_session(session.id)).state is SessionState.RUNNING
    assert await store.list_log(session.id, 0, 10) == []


async def test_an_attempt_is_begun_only_once(store: Store, release: Release) -> None:
    session = a_session(release)
    await store.add_sessions([session])

    first = await store.change_session(a_begin(session.id, 1, runner="a"), [])
    second = await store.change_session(a_begin(session.id, 1, runner="b"), [])

    assert (first, second) == (True, False)
    assert [each.runner for each in await store.list_attempts(session.id)] == ["a"]


async def test_a_final_session_never_changes_again(store: Store, release: Release) -> None:
    session = a_session(release)
    await store.add_sessions([session])
    await store.change_session(a_change(session.id, SessionState.STOPPED, at=after(1)), [])
    ended = await store.get_session(session.id)

    applied = await store.change_session(a_begin(session.id), [])

    assert not applied
    assert await store.get_session(session.id) == ended


async def test_a_change_of_a_missing_session_does_not_apply(store: Store) -> None:
    applied = await store.change_session(a_begin(SessionId("ses_nowhere")), [])

    assert not applied


async def test_a_change_brings_its_log_along(store: Store, release: Release) -> None:
    session = a_session(release)
    await store.add_sessions([session])
    log = [a_record(session.id, 1), a_record(session.id, 2)]

    await store.change_session(a_begin(session.id), log)

    assert await store.list_log(session.id, 0, 10) == log


async def test_a_failed_session_and_its_retry_are_written_together(
    store: Store, release: Release
) -> None:
    session = a_session(release)
    retry = a_session(release, retry_of=session.id, retry_number=1, wake_at=after(30))
    await store.add_sessions([session])
    change = a_change(session.id, SessionState.ERROR, successor=retry)

    first = await store.change_session(change, [])
    second = await store.change_session(change, [])

    assert (first, second) == (True, False)
    assert await store.get_session(retry.id) == retry


async def test_a_change_whose_retry_is_refused_does_not_happen(
    store: Store, release: Release
) -> None:
    session = a_session(release)
    retry = a_session(release, build_id=BuildId("bld_nowhere"))
    await store.add_sessions([session])

    with pytest.raises(BuildNotFoundError):
        await store.change_session(a_change(session.id, SessionState.ERROR, successor=retry), [])

    assert await store.get_session(session.id) == session


async def test_a_change_soon_tells_its_result(store: Store, release: Release) -> None:
    session = a_session(release)
    await store.add_sessions([session])
    told: list[bool | Exception] = []
    done = anyio.Event()

    def on_last(result: bool | Exception) -> None:
        told.append(result)
        done.set()

    store.change_session_soon(a_begin(session.id), [], told.append)
    store.change_session_soon(a_begin(session.id), [], on_last)
    with anyio.fail_after(5):
        await done.wait()

    assert told == [True, False]


async def test_a_change_soon_tells_its_error(store: Store, release: Release) -> None:
    session = a_session(release)
    retry = a_session(release, build_id=BuildId("bld_nowhere"))
    await store.add_sessions([session])
    told: list[bool | Exception] = []
    done = anyio.Event()

    def on_stored(result: bool | Exception) -> None:
        told.append(result)
        done.set()

    change = a_change(session.id, SessionState.ERROR, successor=retry)
    store.change_session_soon(change, [], on_stored)
    with anyio.fail_after(5):
        await done.wait()

    assert isinstance(told[0], BuildNotFoundError)


async def test_sessions_are_listed_newest_first_in_pages(store: Store, release: Release) -> None:
    sessions = [a_session(release) for _ in range(3)]
    await store.add_sessions(sessions)

    page = await store.list_sessions(SessionFilter(limit=2))
    rest = await store.list_sessions(SessionFilter(limit=2, before=page[-1].id))

    assert [*page, *rest] == list(reversed(sessions))


async def test_sessions_are_filtered(store: Store, release: Release) -> None:
    other = a_release()
    await store.apply_release(other)
    event = an_event(release.triggers[0])
    one, two = a_session(release, event), a_session(release, event)
    await store.record_event(event, [one, two])
    manual = a_session(release, state=SessionState.COMPLETED)
    elsewhere = a_session(other)
    await store.add_sessions([manual, elsewhere])

    async def found(**fields: object) -> list[object]:
        return [each.id for each in await store.list_sessions(SessionFilter(**fields))]  # pyright: ignore[reportArgumentType]

    created, completed = SessionState.CREATED, SessionState.COMPLETED
    trigger, deployment = release.triggers[0].id, release.deployment.id
    assert await found(project_id=other.project.id) == [elsewhere.id]
    assert await found(project_id=release.project.id, state=completed) == [manual.id]
    assert await found(deployment_id=deployment) == [manual.id, two.id, one.id]
    assert await found(deployment_id=deployment, state=created, limit=1) == [two.id]
    assert await found(trigger_id=trigger, deployment_id=deployment) == [two.id, one.id]
    assert await found(trigger_id=trigger, deployment_id=other.deployment.id) == []
    assert await found(trigger_id=release.triggers[1].id) == []
    assert await found(event_id=event.id, before=two.id) == [one.id]
    assert await found(event_id=event.id, trigger_id=trigger) == [two.id, one.id]
    assert await found(state=created) == [elsewhere.id, two.id, one.id]
    assert await found(state=completed) == [manual.id]
    assert await found(trigger_id="trg_nowhere") == []
    assert await found(project_id="prj_nowhere") == []


async def test_unfinished_sessions_are_listed_oldest_first_over_states(
    store: Store, release: Release
) -> None:
    states = (
        SessionState.WAITING,
        SessionState.CREATED,
        SessionState.COMPLETED,
        SessionState.RUNNING,
        SessionState.CREATED,
    )
    sessions = [a_session(release, state=state) for state in states]
    await store.add_sessions(sessions)
    wanted = [SessionState.CREATED, SessionState.RUNNING]

    page = await store.list_unfinished(wanted, None, 2)
    rest = await store.list_unfinished(wanted, page[-1].id, 2)

    assert page == [sessions[1], sessions[3]]
    assert rest == [sessions[4]]


async def test_due_sessions_come_earliest_first(store: Store, release: Release) -> None:
    waiting, created = SessionState.WAITING, SessionState.CREATED
    late = a_session(release, state=waiting, wake_at=after(30))
    soon = a_session(release, state=waiting, wake_at=after(10), deadline_at=after(50))
    deadline = a_session(release, state=waiting, wake_at=after(90), deadline_at=after(20))
    not_before = a_session(release, state=created, wake_at=after(5))
    timeless = a_session(release, state=waiting)
    running = a_session(release, state=SessionState.RUNNING, deadline_at=after(1))
    ended = a_session(release, state=SessionState.COMPLETED, wake_at=after(1))
    await store.add_sessions([late, soon, deadline, not_before, timeless, running, ended])

    due = await store.list_due(after(20), 10)
    first = await store.list_due(after(20), 1)

    assert due == [not_before, soon, deadline]
    assert first == [not_before]
    assert await store.next_due_at() == after(5)


async def test_what_is_due_and_what_has_not_begun_is_listed_by_project(
    store: Store, release: Release
) -> None:
    waiting, created = SessionState.WAITING, SessionState.CREATED
    others = a_release()
    idle, later = a_release(), a_release()
    for each in (others, idle, later):
        await store.apply_release(each)
    mine = [a_session(release, state=waiting, wake_at=after(1)) for _ in range(5)]
    due = [a_session(others, state=waiting, wake_at=after(number)) for number in (9, 8, 20)]
    fresh = [a_session(others, state=created), a_session(others, state=created, wake_at=after(8.5))]
    await store.add_sessions([*mine, *due, *fresh])
    await store.add_sessions([a_session(idle, state=SessionState.COMPLETED)])
    await store.add_sessions([a_session(later, state=waiting, wake_at=after(99))])

    found = await store.list_due(after(10), 10, others.project.id)

    assert found == [due[1], fresh[1], due[0]]
    assert await store.list_due(after(10), 1, others.project.id) == found[:1]
    assert await store.list_due(after(10), 10, idle.project.id) == []
    assert await store.list_created(others.project.id, None, 10) == fresh
    assert await store.list_created(others.project.id, None, 1) == fresh[:1]
    assert await store.list_created(others.project.id, fresh[0].id, 10) == fresh[1:]
    in_need = [release.project.id, others.project.id]
    assert await store.list_projects_in_need(after(10)) == sorted(in_need)
    assert await store.list_projects_in_need(after(0)) == [others.project.id]


async def test_nothing_is_due_in_an_empty_store(store: Store) -> None:
    assert await store.next_due_at() is None
    assert await store.list_due(after(1), 10) == []


async def test_unfinished_sessions_of_a_trigger_are_counted(store: Store, release: Release) -> None:
    event = an_event(release.triggers[0])
    running = a_session(release, event, state=SessionState.RUNNING)
    ended = a_session(release, event, state=SessionState.STOPPED)
    await store.record_event(event, [running, ended])

    count = await store.count_unfinished(release.triggers[0].id)

    assert count == 1
    assert await store.count_unfinished(release.triggers[1].id) == 0


async def test_a_session_that_has_not_ended_cannot_be_deleted(
    store: Store, release: Release
) -> None:
    session = a_session(release)
    await store.add_sessions([session])

    with pytest.raises(SessionBusyError):
        await store.delete_session(session.id)

    assert await store.get_session(session.id) == session


async def test_deleting_a_missing_session_is_an_error(store: Store) -> None:
    with pytest.raises(SessionNotFoundError):
        await store.delete_session(SessionId("ses_nowhere"))


async def test_writes_of_one_caller_keep_their_order(store: Store, release: Release) -> None:
    session = a_session(release)
    await store.add_sessions([session])
    results: list[bool | Exception] = []

    store.change_session_soon(a_begin(session.id, 1), [], results.append)
    store.append_soon([], [a_record(session.id, 1)], lambda _failure: None)
    store.change_session_soon(a_begin(session.id, 2), [], results.append)
    applied = await store.change_session(
        a_change(session.id, SessionState.COMPLETED, expected_attempt=2), []
    )
    await anyio.lowlevel.checkpoint()

    assert (results, applied) == ([True, True], True)
    assert await store.last_seq(session.id) == 1


async def test_what_a_session_returned_is_kept_with_it(store: Store, release: Release) -> None:
    session, child = a_session(release), a_session(release, parent_id=SessionId("ses_parent"))
    await store.add_sessions([session, child])
    before = await store.find_answer(session.id)
    for each in (session, child):
        await store.change_session(a_begin(each.id), [])
        done = a_change(each.id, SessionState.COMPLETED, expected_attempt=1, answer=b'"hello"')
        await store.change_session(done, [])

    kept = await store.find_answer(session.id)
    of_child = await store.find_answer(child.id)
    await store.delete_session(session.id)

    assert (before, kept, of_child) == (None, b'"hello"', None)
    assert await store.find_answer(session.id) is None


async def test_only_an_end_leaves_an_answer(store: Store, release: Release) -> None:
    session = a_session(release)
    await store.add_sessions([session])
    await store.change_session(a_begin(session.id), [])
    waits = a_change(session.id, SessionState.WAITING, expected_attempt=1, answer=b"1")

    await store.change_session(waits, [])

    assert await store.find_answer(session.id) is None
