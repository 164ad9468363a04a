"""A call and its entry: applied together, once, and refused for the record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookline import values
from hookline.errors import InternalError
from hookline_service.model.calls import (
    CallResult,
    Outcome,
    RecordOutcome,
    Refusal,
    Refuse,
    StartSession,
)
from hookline_service.model.errors import SessionFinalError, SessionNotFoundError
from hookline_service.model.ids import BuildId, EventId, ProjectId
from hookline_service.model.projects import Release
from hookline_service.model.sessions import EntryKind, JournalEntry, Session, SessionState
from hookline_service.storage.protocols import Store
from tests.builders.calls import a_call, a_call_entry, a_use, code_of, made, value_of
from tests.builders.events import an_event
from tests.builders.moments import after
from tests.builders.projects import a_definition, a_release
from tests.builders.sessions import a_begin, a_change, a_session, an_entry


@pytest.fixture
async def release(store: Store) -> Release:
    release = a_release(definitions=[a_definition()])
    await store.apply_release(release)
    return release


@pytest.fixture
async def session(store: Store, release: Release) -> Session:
    session = a_session(release)
    await store.add_sessions([session])
    return session


async def entries_of(store: Store, session: Session) -> list[JournalEntry]:
    return await store.list_entries(session.id, 0, 100)


async def test_a_call_is_recorded_with_its_result(store: Store, session: Session) -> None:
    entry = a_call_entry(session.id, name="add_values", arguments=b'["n",4]', started_at=after(1))

    result = await made(store, a_call(session, a_use("add", "n", 4), at=after(2), entry=entry))

    assert result == CallResult(value=b"4")
    assert await entries_of(store, session) == [
        replace(entry, ok=True, encoding="values", value=b"4", display=b"4", ended_at=after(2))
    ]


async def test_a_call_without_an_entry_is_applied_and_not_recorded(
    store: Store, session: Session
) -> None:
    for _ in range(2):
        await made(store, a_call(session, a_use("add", "n", 4), entry=None))

    assert await store.list_values(session.project_id, after(1)) == {"n": b"8"}
    assert await entries_of(store, session) == []


async def test_a_call_sent_twice_is_applied_once(store: Store, session: Session) -> None:
    call = a_call(session, a_use("add", "n", 4))
    again = replace(call, operation=a_use("add", "n", 100), entry=a_call_entry(session.id, index=0))
    call = replace(call, entry=a_call_entry(session.id, index=0))
    await made(store, call)

    result = await made(store, again)

    assert result == CallResult(value=b"4")
    assert await store.list_values(session.project_id, after(1)) == {"n": b"4"}
    assert await entries_of(store, session) != []


async def test_calls_sent_twice_at_once_are_applied_once(store: Store, session: Session) -> None:
    results: list[CallResult | Exception] = []
    call = a_call(session, a_use("add", "n", 1), entry=a_call_entry(session.id, index=0))
    for _ in range(4):
        store.call_soon(call, results.append)

    last = await made(store, call)

    assert [*results, last] == [CallResult(value=b"1")] * 5
    assert len(await entries_of(store, session)) == 1


async def test_a_position_of_something_else_takes_no_call(store: Store, session: Session) -> None:
    await store.append([an_entry(session.id, 1, index=0)], [])
    call = a_call(session, a_use("add", "n", 4), entry=a_call_entry(session.id, index=0))

    with pytest.raises(InternalError, match="activity"):
        await made(store, call)

    assert await store.list_values(session.project_id, after(1)) == {}


async def test_a_call_whose_entry_has_no_place_is_not_applied(
    store: Store, session: Session
) -> None:
    await store.append([an_entry(session.id, 7, index=0)], [])
    call = a_call(session, a_use("add", "n", 4), entry=a_call_entry(session.id, index=1, seq=7))

    with pytest.raises(InternalError, match="7"):
        await made(store, call)

    assert await store.list_values(session.project_id, after(1)) == {}


async def test_a_refusal_is_recorded_and_given_again(store: Store, session: Session) -> None:
    refuse = Refuse(code="subscription.filter_invalid", message="no such field")
    entry = a_call_entry(session.id, index=3)
    expected = CallResult(
        refusal=Refusal(code="subscription.filter_invalid", message="no such field")
    )

    first = await made(store, a_call(session, refuse, entry=entry))
    again = await made(store, a_call(session, a_use("add", "n", 1), entry=replace(entry, seq=999)))

    assert (first, again) == (expected, expected)
    (recorded,) = await entries_of(store, session)
    assert (recorded.ok, recorded.encoding, recorded.kind) == (False, "values", EntryKind.CALL)
    text = {"code": "subscription.filter_invalid", "message": "no such field"}
    assert values.decode(recorded.value) == values.decode(recorded.display) == text


async def test_a_session_that_has_ended_asks_for_nothing(store: Store, session: Session) -> None:
    await store.change_session(a_change(session.id, SessionState.COMPLETED), [])

    with pytest.raises(SessionFinalError):
        await made(store, a_call(session, a_use("add", "n", 4)))

    assert await store.list_values(session.project_id, after(1)) == {}
    assert await entries_of(store, session) == []


async def test_a_session_that_is_not_there_asks_for_nothing(store: Store, session: Session) -> None:
    nobody = replace(session, id="ses_nobody")

    with pytest.raises(SessionNotFoundError):
        await made(store, a_call(nobody, a_use("add", "n", 4)))

    assert await store.list_values(session.project_id, after(1)) == {}


def sealed(encoding: str, value: bytes) -> tuple[str, bytes]:
    return f"sealed:{encoding}", value[::-1]


def unsealed(encoding: str, value: bytes) -> tuple[str, bytes]:
    return encoding.removeprefix("sealed:"), value[::-1]


def covered(text: str) -> str:
    return text.replace("hunter2", "***")


async def test_what_is_stored_of_a_result_may_be_sealed_and_covered(
    store: Store, session: Session
) -> None:
    await made(store, a_call(session, a_use("set", "password", "hunter2")))
    reading = a_call(
        session,
        a_use("get", "password"),
        seal=sealed,
        unseal=unsealed,
        cover=covered,
    )

    first = await made(store, reading)
    again = await made(store, reading)

    assert (value_of(first), value_of(again)) == ("hunter2", "hunter2")
    recorded = (await entries_of(store, session))[-1]
    assert (recorded.encoding, recorded.value) == ("sealed:values", b'"2retnuh"')
    assert recorded.display == b'"***"'


async def test_a_guard_that_fails_leaves_nothing_behind(store: Store, session: Session) -> None:
    def seal(_encoding: str, _value: bytes) -> tuple[str, bytes]:
        raise InternalError("the key is gone")

    with pytest.raises(InternalError, match="gone"):
        await made(store, a_call(session, a_use("add", "n", 4), seal=seal))

    assert await store.list_values(session.project_id, after(1)) == {}
    assert await entries_of(store, session) == []


async def test_a_long_result_is_shown_short(store: Store, session: Session) -> None:
    long = ["x" * 1000] * 60
    await made(store, a_call(session, a_use("set", "long", long)))

    result = await made(store, a_call(session, a_use("get", "long")))

    recorded = (await entries_of(store, session))[-1]
    assert value_of(result) == long
    assert len(recorded.display) < 4_000
    assert isinstance(values.decode(recorded.display), list)


# Children


async def test_a_session_starts_another(store: Store, release: Release, session: Session) -> None:
    child = a_session(release, parent_id=session.id, memo=b'{"for":"you"}', input=b'{"a":1}')

    result = await made(store, a_call(session, StartSession(session=child)))

    assert value_of(result) == child.id
    assert await store.get_session(child.id) == child


async def test_a_start_sent_twice_starts_one_session(
    store: Store, release: Release, session: Session
) -> None:
    entry = a_call_entry(session.id, index=0)
    first = a_session(release, parent_id=session.id)
    second = a_session(release, parent_id=session.id)
    await made(store, a_call(session, StartSession(session=first), entry=entry))

    again = await made(store, a_call(session, StartSession(session=second), entry=entry))

    assert value_of(again) == first.id
    with pytest.raises(SessionNotFoundError):
        await store.get_session(second.id)


async def test_a_session_of_what_is_gone_is_not_started(
    store: Store, release: Release, session: Session
) -> None:
    children = [
        a_session(release, project_id=ProjectId("prj_none")),
        a_session(release, build_id=BuildId("bld_none")),
    ]

    results = [
        await made(store, a_call(session, StartSession(session=child))) for child in children
    ]

    assert [code_of(each) for each in results] == ["project.not_found", "build.not_found"]
    assert len(await entries_of(store, session)) == 2


async def start_children(
    store: Store, parent: Session, release: Release, *inputs: bytes, most: int, at: float = 0
) -> list[str | None]:
    """Start children with these inputs; the code of each refusal."""
    codes: list[str | None] = []
    for data in inputs:
        child = a_session(release, parent_id=parent.id, input=data, generation=1)
        start = StartSession(session=child, most_waiting=most)
        codes.append(code_of(await made(store, a_call(parent, start, at=after(at), entry=None))))
    return codes


@pytest.mark.parametrize(
    ("inputs", "most", "refused"),
    [
        ([b"{}"] * 4, 3, [3]),
        ([b"x" * 17_000, b"{}", b"{}"], 3, [2]),
        ([b"{}", b"x" * 50_000, b"{}"], 3, [1]),
        ([b"x" * 16_383, b"x" * 16_383, b"{}"], 2, [2]),
    ],
    ids=["many", "one that is large", "one that is too large", "just small"],
)
async def test_so_many_children_may_wait_and_so_much_that_they_were_given(
    store: Store,
    release: Release,
    session: Session,
    inputs: list[bytes],
    most: int,
    refused: list[int],
) -> None:
    codes = await start_children(store, session, release, *inputs, most=most)

    assert [place for place, code in enumerate(codes) if code == "child.too_many"] == refused
    assert codes.count(None) == len(inputs) - len(refused)


async def test_children_that_have_begun_or_ended_make_room_for_others(
    store: Store, release: Release, session: Session
) -> None:
    codes = [await start_children(store, session, release, b"{}", b"{}", b"{}", most=2)]
    first, second = await store.list_created(release.project.id, session.id, 10)
    await store.change_session(a_begin(first.id), [])
    codes.append(await start_children(store, session, release, b"{}", b"{}", most=2, at=1))
    await store.change_session(a_change(second.id, SessionState.STOPPED), [])
    codes.append(await start_children(store, session, release, b"{}", b"{}", most=2, at=2))

    full = "child.too_many"
    assert codes == [[None, None, full], [None, full], [None, full]]


async def test_children_count_for_the_project_that_started_them_wherever_they_run(
    store: Store, release: Release, session: Session
) -> None:
    others = a_release()
    await store.apply_release(others)
    theirs = a_session(others)
    await store.add_sessions([theirs, *(a_session(others) for _ in range(5))])

    abroad = await start_children(store, session, others, b"{}", b"{}", most=2)
    at_home = await start_children(store, session, release, b"{}", most=2)
    of_others = await start_children(store, theirs, others, b"{}", b"{}", b"{}", most=2)

    full = "child.too_many"
    assert (abroad, at_home, of_others) == ([None, None], [full], [None, None, full])


async def test_origin_and_memo_of_a_session_come_back(store: Store, release: Release) -> None:
    session = a_session(
        release, parent_id="ses_parent", memo=b'{"a":"b"}', forked_from="ses_before", generation=3
    )

    await store.add_sessions([session])

    assert await store.get_session(session.id) == session


# Outcomes


async def test_outcomes_come_in_the_order_they_were_recorded(
    store: Store, release: Release, session: Session
) -> None:
    event = an_event(release.triggers[0])
    await store.record_event(event, [])
    for number in (3, 1, 2):
        record = RecordOutcome(event_id=event.id, value=b"%d" % number)
        await made(store, a_call(session, record, at=after(number)))

    found = await store.list_outcomes(event.id)

    assert found == [
        Outcome(event_id=event.id, session_id=session.id, at=after(number), value=b"%d" % number)
        for number in (3, 1, 2)
    ]


async def test_an_outcome_needs_an_event_of_its_project(store: Store, session: Session) -> None:
    other = a_release(definitions=[a_definition()])
    await store.apply_release(other)
    foreign = an_event(other.triggers[0])
    await store.record_event(foreign, [])

    results = [
        await made(store, a_call(session, RecordOutcome(event_id=event_id, value=b"1")))
        for event_id in (EventId("evt_none"), foreign.id)
    ]

    assert [code_of(each) for each in results] == ["event.not_found"] * 2
    assert await store.list_outcomes(foreign.id) == []


async def test_outcomes_stay_with_their_event_and_go_with_it(
    store: Store, release: Release, session: Session
) -> None:
    event = an_event(release.triggers[0])
    keeper = a_session(release, event)
    await store.record_event(event, [keeper])
    await made(store, a_call(session, RecordOutcome(event_id=event.id, value=b"1")))
    for each in (session, keeper):
        await store.change_session(a_change(each.id, SessionState.COMPLETED), [])

    await store.delete_session(session.id)
    kept = await store.list_outcomes(event.id)
    await store.delete_session(keeper.id)

    assert [each.session_id for each in kept] == [session.id]
    assert await store.list_outcomes(event.id) == []
