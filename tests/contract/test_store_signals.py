"""Signals between sessions, and the one by which a child tells its parent that it has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookline import values
from hookline.values import MAX_DEPTH
from hookline_service.model.calls import TakeSignal, Wait
from hookline_service.model.errors import SessionNotFoundError
from hookline_service.model.ids import SessionId
from hookline_service.model.projects import Release
from hookline_service.model.sessions import Session, SessionState
from hookline_service.storage.protocols import Store
from tests.builders.calls import a_call, a_signal, code_of, made, value_of
from tests.builders.moments import START, after
from tests.builders.projects import a_release
from tests.builders.sessions import a_begin, a_change, a_session


@pytest.fixture
async def release(store: Store) -> Release:
    release = a_release()
    await store.apply_release(release)
    return release


@pytest.fixture
async def session(store: Store, release: Release) -> Session:
    session = a_session(release)
    await store.add_sessions([session])
    return session


async def take(store: Store, session: Session, *names: str, **fields: Any) -> Any:
    """The value that a take gives, or "waiting"."""
    operation = TakeSignal(names=names, deadline_at=fields.pop("deadline_at", None))
    result = await made(store, a_call(session, operation, **fields))
    return "waiting" if result.is_waiting else value_of(result)


async def wait_for(
    store: Store, session: Session, *topics: str, attempt: int = 1, **fields: Any
) -> None:
    await store.change_session(a_begin(session.id, attempt), [])
    waiting = a_change(
        session.id, SessionState.WAITING, expected_attempt=attempt, topics=topics, **fields
    )
    await store.change_session(waiting, [])


async def end(store: Store, session: Session, state: SessionState, **fields: Any) -> None:
    await store.change_session(a_change(session.id, state, **fields), [])


async def test_signals_of_a_name_are_taken_in_their_order(store: Store, session: Session) -> None:
    for number in range(3):
        await made(store, a_call(session, a_signal(session, "go", {"n": number, "b": b"\x00"})))

    taken = [await take(store, session, "go") for _ in range(4)]

    assert taken == [
        *({"name": "go", "payload": {"n": number, "b": b"\x00"}} for number in range(3)),
        "waiting",
    ]


async def test_the_first_name_that_has_a_signal_wins(store: Store, session: Session) -> None:
    await made(store, a_call(session, a_signal(session, "late", 1)))
    await made(store, a_call(session, a_signal(session, "early", 2)))

    taken = [await take(store, session, "none", "early", "late") for _ in range(2)]

    assert [each["name"] for each in taken] == ["early", "late"]


async def test_the_one_signal_for_thousands_of_names_is_found(
    store: Store, session: Session
) -> None:
    names = [f"child-{number}" for number in range(10_000)]
    await made(store, a_call(session, a_signal(session, names[-1], "done")))
    await made(store, a_call(session, a_signal(session, "another")))

    found = await take(store, session, *names)

    assert found == {"name": names[-1], "payload": "done"}
    assert await take(store, session, *names) == "waiting"


async def test_a_signal_is_for_one_session(
    store: Store, release: Release, session: Session
) -> None:
    other = a_session(release)
    await store.add_sessions([other])

    result = await made(store, a_call(session, a_signal(other, "go", 1)))

    assert result.woken == {other.id: ("sig:go",)}
    assert await take(store, session, "go") == "waiting"
    assert await take(store, other, "go") == {"name": "go", "payload": 1}


async def test_a_signal_to_nobody_is_refused(
    store: Store, release: Release, session: Session
) -> None:
    ended = a_session(release)
    await store.add_sessions([ended])
    await end(store, ended, SessionState.COMPLETED)

    results = [
        await made(store, a_call(session, a_signal(to)))
        for to in (ended, replace(ended, id="ses_nobody"))
    ]

    assert [code_of(each) for each in results] == ["session.final", "session.not_found"]
    assert [each.woken for each in results] == [{}, {}]


async def test_a_take_whose_time_is_over_gives_nothing(store: Store, session: Session) -> None:
    before = await take(store, session, "go", deadline_at=after(1), at=START)

    at_the_end = await take(store, session, "go", deadline_at=after(1), at=after(1))

    assert (before, at_the_end) == ("waiting", None)


async def test_a_session_that_waits_for_a_signal_is_due_when_it_comes(
    store: Store, release: Release, session: Session
) -> None:
    sender = a_session(release)
    await store.add_sessions([sender])
    await wait_for(store, session, "sig:go", wake_at=after(600))
    await made(store, a_call(sender, a_signal(session, "other"), at=after(4)))
    between = await store.next_due_at()

    await made(store, a_call(sender, a_signal(session, "go"), at=after(5)))

    assert between == after(600)
    assert (await store.get_session(session.id)).wake_at == after(5)


async def test_what_a_session_waits_for_can_be_read_while_it_does(
    store: Store, release: Release, session: Session
) -> None:
    other = a_session(release)
    await store.add_sessions([other])
    await wait_for(store, session, "sig:go", "sig:at once", wake_at=after(600))
    asked = [session.id, other.id, SessionId("ses_nobody")]

    waits = await store.list_waits(asked)
    await end(store, session, SessionState.STOPPED, expected_attempt=1)

    assert waits == [
        Wait(session_id=session.id, topic="sig:at once"),
        Wait(session_id=session.id, topic="sig:go"),
    ]
    assert await store.list_waits(asked) == []


async def test_a_signal_that_came_before_the_session_waits_makes_it_due_at_once(
    store: Store, session: Session
) -> None:
    await made(store, a_call(session, a_signal(session, "go")))

    await wait_for(store, session, "sig:none", "sig:go", at=after(7))

    assert (await store.get_session(session.id)).wake_at == after(7)


@pytest.mark.parametrize("name", ["", "a\0b", "sub:", "ä" * 500, "'; --"])
async def test_a_signal_may_have_any_name(store: Store, session: Session, name: str) -> None:
    await made(store, a_call(session, a_signal(session, name)))
    await wait_for(store, session, f"sig:{name}", at=after(7))
    early = (await store.get_session(session.id)).wake_at
    await take(store, session, name)
    await wait_for(store, session, f"sig:{name}", attempt=2)

    await made(store, a_call(session, a_signal(session, name), at=after(9)))

    assert (early, (await store.get_session(session.id)).wake_at) == (after(7), after(9))


async def test_signals_end_with_their_session(store: Store, session: Session) -> None:
    await made(store, a_call(session, a_signal(session, "go")))
    await end(store, session, SessionState.COMPLETED)

    await store.delete_session(session.id)

    with pytest.raises(SessionNotFoundError):
        await store.get_session(session.id)


# The end of a child


@pytest.mark.parametrize(
    ("state", "answer", "payload"),
    [
        (SessionState.COMPLETED, b'{"$set":[1]}', {"completed": True, "value": {1}}),
        (SessionState.COMPLETED, None, {"completed": True, "value": None}),
        (SessionState.ERROR, None, {"completed": False}),
        (SessionState.STOPPED, b"1", {"completed": False}),
    ],
)
async def test_a_child_tells_its_parent_how_it_ended(
    store: Store,
    release: Release,
    session: Session,
    state: SessionState,
    answer: bytes | None,
    payload: object,
) -> None:
    child = a_session(release, parent_id=session.id)
    await store.add_sessions([child])

    await end(store, child, state, answer=answer)
    await end(store, child, state, answer=answer)

    assert await take(store, session, child.id) == {"name": child.id, "payload": payload}
    assert await take(store, session, child.id) == "waiting"


async def test_the_deepest_value_there_may_be_is_sent_and_returned(
    store: Store, release: Release, session: Session
) -> None:
    deepest: Any = 1
    for _ in range(MAX_DEPTH):
        deepest = [deepest]
    child = a_session(release, parent_id=session.id)
    await store.add_sessions([child])

    await made(store, a_call(session, a_signal(session, "go", deepest)))
    await end(store, child, SessionState.COMPLETED, answer=values.encode(deepest))

    assert (await take(store, session, "go"))["payload"] == deepest
    assert (await take(store, session, child.id))["payload"]["value"] == deepest


async def test_a_parent_that_waits_for_a_child_is_due_when_it_ends(
    store: Store, release: Release, session: Session
) -> None:
    child = a_session(release, parent_id=session.id)
    await store.add_sessions([child])
    await wait_for(store, session, f"sig:{child.id}")

    await end(store, child, SessionState.COMPLETED, at=after(9))

    assert (await store.get_session(session.id)).wake_at == after(9)


async def test_a_child_that_is_not_durable_tells_its_parent_too(
    store: Store, release: Release, session: Session
) -> None:
    child = a_session(release, parent_id=session.id, is_durable=False)
    await store.add_sessions([child])

    await end(store, child, SessionState.COMPLETED, answer=b"2")

    payload = {"completed": True, "value": 2}
    assert await take(store, session, child.id) == {"name": child.id, "payload": payload}


async def test_a_child_survives_its_parent(
    store: Store, release: Release, session: Session
) -> None:
    children = [a_session(release, parent_id=session.id) for _ in range(2)]
    await store.add_sessions(children)
    await end(store, session, SessionState.COMPLETED)
    await end(store, children[0], SessionState.COMPLETED)
    await store.delete_session(session.id)

    await end(store, children[1], SessionState.COMPLETED)

    ended = await store.get_session(children[1].id)
    assert (ended.state, ended.parent_id) == (SessionState.COMPLETED, session.id)


async def test_a_session_reaches_its_own_project_its_parent_and_its_children(
    store: Store, release: Release, session: Session
) -> None:
    others = a_release()
    await store.apply_release(others)
    child = a_session(others, parent_id=session.id)
    sibling, stranger = a_session(release), a_session(others)
    grandchild = a_session(release, parent_id=child.id)
    await store.add_sessions([child, sibling, stranger, grandchild])
    ended = a_session(others, state=SessionState.COMPLETED)
    await store.add_sessions([ended])
    cases = [
        (session, session, ""),
        (session, sibling, ""),
        (session, child, ""),
        (child, session, ""),
        (child, grandchild, ""),
        (grandchild, child, ""),
        (child, stranger, ""),
        (session, stranger, "session.other_project"),
        (stranger, session, "session.other_project"),
        (sibling, child, "session.other_project"),
        (child, sibling, "session.other_project"),
        (session, ended, "session.other_project"),
    ]

    codes = [
        code_of(await made(store, a_call(who, a_signal(to, "go", 1), entry=None))) or ""
        for who, to, _ in cases
    ]
    taken = [await take(store, stranger, "go", entry=None) for _ in range(2)]

    assert codes == [code for _, _, code in cases]
    assert taken == [{"name": "go", "payload": 1}, "waiting"]
