"""Values in which a secret stands: sealed where they are stored, and given out as they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from hookline import values
from hookline_service.engine.masking import Mask
from hookline_service.model.calls import RecordOutcome, StartSession, TakeSignal
from hookline_service.model.errors import ValueUnreadableError
from hookline_service.model.ids import SessionId
from hookline_service.model.projects import Release
from hookline_service.model.sealing import ValueKind, is_sealed
from hookline_service.model.sessions import Session, SessionState, opened
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.value_keys import ValueKeys
from tests.builders.calls import (
    LIMITS,
    a_call,
    a_signal,
    a_use,
    code_of,
    made,
    subscribed,
    value_of,
)
from tests.builders.events import an_event
from tests.builders.moments import START
from tests.builders.projects import a_connection, a_project, a_release
from tests.builders.sealing import a_box, a_secret
from tests.builders.sessions import a_begin, a_change, a_session
from tests.fakes.memory_store import MemoryStore

SECRET = "hunter-2-of-the-north"
NEVER = "a-secret-that-is-no-variable"


@pytest.fixture
async def release(store: Store) -> Release:
    release = a_release()
    await store.apply_release(release)
    await store.set_variables([a_secret(release.project.id, SECRET)])
    return release


@pytest.fixture
async def session(store: Store, release: Release) -> Session:
    session = a_session(release)
    await store.add_sessions([session])
    return session


@pytest.fixture
def lose_keys(gate: ValueKeys) -> Callable[[], None]:
    """From now on the gate has another key."""
    return lambda: gate.use(a_box(), (bytes([7]) * 32,))


async def use(store: Store, session: Session, *words: Any, **fields: Any) -> Any:
    call = a_call(session, a_use(*words), entry=None, **fields)
    return value_of(await made(store, call))


def kept(store: Store) -> bytes:
    """Everything that the store holds of values, as it would stand on a disk."""
    if isinstance(store, MemoryStore):
        tables = {
            name: table for name, table in vars(store).items() if name not in {"gate", "_applied"}
        }
        return repr(tables).encode()
    database = cast("Any", store)._writer._database
    return "\n".join(database.connection.iterdump()).encode()


def on_disk(text: str) -> list[bytes]:
    """How a text may stand in a dump: in letters, and in hexadecimal digits."""
    return [text.encode(), text.encode().hex().encode(), text.encode().hex().upper().encode()]


def holds(store: Store, text: str = SECRET) -> bool:
    dump = kept(store)
    return any(form in dump for form in on_disk(text))


@pytest.mark.parametrize(
    "value", [SECRET, {"a": [1, SECRET]}, SECRET.encode(), {"u": f"https://x/?k={SECRET}&b"}]
)
async def test_a_value_with_a_secret_is_sealed_and_comes_back(
    store: Store, session: Session, value: object
) -> None:
    await use(store, session, "set", "k", value)

    assert await use(store, session, "get", "k") == value
    assert await store.list_values(session.project_id, START) == {"k": values.encode(value)}
    assert not holds(store)


async def test_a_value_without_a_secret_stays_as_it_is(store: Store, session: Session) -> None:
    await use(store, session, "set", "k", "only this text")

    assert holds(store, "only this text")


async def test_a_secret_that_only_the_session_knows_is_sealed(
    store: Store, session: Session
) -> None:
    finds = Mask([NEVER]).finds_in

    await use(store, session, "set", "k", NEVER, finds=finds)

    assert await use(store, session, "get", "k") == NEVER
    assert not holds(store, NEVER)


async def test_a_secret_is_looked_for_from_the_moment_it_is_one(
    store: Store, session: Session
) -> None:
    await use(store, session, "set", "before", NEVER)
    assert holds(store, NEVER)
    await store.set_variables([a_secret(session.project_id, NEVER, "OTHER")])

    await use(store, session, "set", "before", [NEVER])

    assert not holds(store, NEVER)
    assert await use(store, session, "get", "before") == [NEVER]


async def test_what_was_deleted_is_a_secret_no_more(store: Store, session: Session) -> None:
    await store.delete_variable(session.project_id, "", "TOKEN")

    await use(store, session, "set", "k", SECRET)

    assert holds(store)


async def test_sealed_values_are_compared_as_what_they_are(store: Store, session: Session) -> None:
    await use(store, session, "set", "k", SECRET)

    assert await use(store, session, "check_and_set", "k", "other", "wrong") is False
    assert await use(store, session, "check_and_set", "k", [SECRET], SECRET) is True
    assert await use(store, session, "get", "k") == [SECRET]
    assert await use(store, session, "list") == ["k"]
    assert not holds(store)


async def test_a_number_that_is_a_secret_can_be_added_to(store: Store, session: Session) -> None:
    await store.set_variables([a_secret(session.project_id, "7314159265", "NUMBER")])
    await use(store, session, "set", "k", 7314159265)

    assert not holds(store, "7314159265")
    assert await use(store, session, "add", "k", 1) == 7314159266


async def test_the_size_that_counts_is_that_of_the_value(store: Store, session: Session) -> None:
    text = SECRET + "x" * (LIMITS.value_bytes - len(SECRET) - 2)

    assert await use(store, session, "set", "k", text) is None
    assert await use(store, session, "get", "k") == text


async def test_a_published_value_is_given_to_anybody_as_it_was(
    store: Store, session: Session
) -> None:
    await use(store, session, "set", "k", SECRET)
    await use(store, session, "publish", "k")

    found = await store.find_published(session.project_id, "k", START)

    assert found is not None
    assert values.decode(found.value) == SECRET


async def test_people_may_keep_secrets_too(store: Store, session: Session) -> None:
    await store.use_value(session.project_id, a_use("set", "k", SECRET), START)

    assert not holds(store)
    got = await store.use_value(session.project_id, a_use("get", "k"), START)
    assert values.decode(got) == SECRET


async def test_a_value_whose_key_is_lost_is_refused_and_kept(
    store: Store, session: Session, lose_keys: Callable[[], None], gate: ValueKeys
) -> None:
    await use(store, session, "set", "k", SECRET)
    lose_keys()

    for use_ in (a_use("get", "k"), a_use("add", "k", 1), a_use("check_and_set", "k", 1, SECRET)):
        assert code_of(await made(store, a_call(session, use_))) == "value.unreadable"
    with pytest.raises(ValueUnreadableError, match=r"secret\.key"):
        await store.use_value(session.project_id, a_use("get", "k"), START)
    with pytest.raises(ValueUnreadableError):
        await store.list_values(session.project_id, START)

    gate.use(a_box(), (bytes([7]) * 32, bytes(32)))
    assert await use(store, session, "get", "k") == SECRET


async def test_a_value_whose_key_is_lost_can_be_replaced_and_deleted(
    store: Store, session: Session, lose_keys: Callable[[], None]
) -> None:
    await use(store, session, "set", "k", SECRET)
    await use(store, session, "set", "l", SECRET)
    lose_keys()

    await use(store, session, "set", "k", 1)
    await use(store, session, "del", "l")

    assert await store.list_values(session.project_id, START) == {"k": b"1"}


async def test_a_sealed_value_opens_in_no_other_project_and_as_nothing_else(
    session: Session, gate: ValueKeys
) -> None:
    other = a_release().project.id
    sealed = gate.seal(session.project_id, ValueKind.STORED, b'"x"')

    assert gate.open(session.project_id, ValueKind.STORED, sealed) == b'"x"'
    for project, kind, value in [
        (other, ValueKind.STORED, sealed),
        (session.project_id, ValueKind.SIGNAL, sealed),
        (session.project_id, ValueKind.STORED, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (session.project_id, ValueKind.STORED, sealed[:9]),
        (session.project_id, ValueKind.STORED, b"\x00"),
    ]:
        with pytest.raises(ValueUnreadableError):
            gate.open(project, kind, value)


async def test_an_input_with_a_secret_is_sealed_until_it_is_needed(
    store: Store, release: Release, gate: ValueKeys
) -> None:
    given = json.dumps({"token": SECRET}).encode()
    session = a_session(release, input=given)

    await store.add_sessions([session])

    found = await store.get_session(session.id)
    assert found.input is not None
    assert is_sealed(found.input)
    assert opened(found, gate) == replace(found, input=given)
    assert not holds(store)


async def test_an_input_stays_sealed_when_it_is_tried_again(
    store: Store, release: Release, gate: ValueKeys
) -> None:
    given = json.dumps({"token": NEVER}).encode()
    finds = Mask([NEVER]).finds_in
    session = a_session(release, input=given)
    again = a_session(release, input=given, retry_of=session.id)
    await store.add_sessions([replace(session, input=None)])
    change = a_change(session.id, SessionState.ERROR, successor=again, finds=finds)

    await store.change_session(change, [])
    third = replace(await store.get_session(again.id), id=SessionId("ses_third"))
    await store.add_sessions([third])

    assert opened(await store.get_session(third.id), gate).input == given
    assert not holds(store, NEVER)


async def test_what_a_child_is_given_is_sealed(
    store: Store, release: Release, session: Session, gate: ValueKeys
) -> None:
    given = json.dumps([SECRET]).encode()
    child = a_session(release, parent_id=session.id, input=given)

    await made(store, a_call(session, StartSession(session=child)))

    assert opened(await store.get_session(child.id), gate).input == given
    assert not holds(store)


async def test_a_child_in_another_project_keeps_the_secret_of_its_parent(
    store: Store, session: Session, gate: ValueKeys
) -> None:
    other = a_release()
    await store.apply_release(other)
    given = json.dumps([NEVER]).encode()
    child = a_session(other, parent_id=session.id, input=given)
    call = a_call(session, StartSession(session=child), finds=Mask([NEVER]).finds_in)

    await made(store, call)

    assert opened(await store.get_session(child.id), gate).input == given
    assert not holds(store, NEVER)


async def take(store: Store, session: Session, name: str) -> Any:
    operation = TakeSignal(names=(name,), deadline_at=None)
    return await made(store, a_call(session, operation))


async def test_a_signal_with_a_secret_is_sealed_while_it_waits(
    store: Store, session: Session
) -> None:
    await made(store, a_call(session, a_signal(session, "go", {"k": SECRET}), entry=None))

    assert not holds(store)
    taken = value_of(await take(store, session, "go"))
    assert taken == {"name": "go", "payload": {"k": SECRET}}


async def test_a_signal_whose_key_is_lost_is_refused_and_stays(
    store: Store, session: Session, lose_keys: Callable[[], None], gate: ValueKeys
) -> None:
    await made(store, a_call(session, a_signal(session, "go", SECRET), entry=None))
    lose_keys()

    assert code_of(await take(store, session, "go")) == "value.unreadable"

    gate.use(a_box(), (bytes(32),))
    assert value_of(await take(store, session, "go"))["payload"] == SECRET


async def test_what_a_child_returned_is_sealed_on_its_way_to_the_parent(
    store: Store, release: Release, session: Session
) -> None:
    child = a_session(release, parent_id=session.id)
    await store.add_sessions([child])
    await store.change_session(a_begin(child.id), [])
    answer = values.encode([NEVER])
    finds = Mask([NEVER]).finds_in
    change = a_change(
        child.id, SessionState.COMPLETED, expected_attempt=1, answer=answer, finds=finds
    )

    await store.change_session(change, [])

    assert not holds(store, NEVER)
    taken = value_of(await take(store, session, child.id))
    assert taken["payload"] == {"completed": True, "value": [NEVER]}


async def test_a_kept_answer_with_a_secret_is_sealed(
    store: Store, session: Session, lose_keys: Callable[[], None]
) -> None:
    answer = values.encode(SECRET)

    await store.change_session(a_change(session.id, SessionState.COMPLETED, answer=answer), [])

    assert await store.find_answer(session.id) == answer
    assert not holds(store)
    lose_keys()
    with pytest.raises(ValueUnreadableError):
        await store.find_answer(session.id)


async def test_an_answer_that_begins_as_if_it_were_sealed_comes_back_as_it_is(
    store: Store, session: Session
) -> None:
    answer = b"\x00 " + SECRET.encode()

    await store.change_session(a_change(session.id, SessionState.COMPLETED, answer=answer), [])

    assert not holds(store)
    assert await store.find_answer(session.id) == answer


async def test_an_outcome_with_a_secret_is_sealed(
    store: Store, release: Release, session: Session, lose_keys: Callable[[], None]
) -> None:
    event = an_event(release)
    await store.record_event(event, [])
    value = values.encode({"k": SECRET})

    await made(store, a_call(session, RecordOutcome(event_id=event.id, value=value), entry=None))

    assert [each.value for each in await store.list_outcomes(event.id)] == [value]
    assert not holds(store)
    lose_keys()
    with pytest.raises(ValueUnreadableError):
        await store.list_outcomes(event.id)


async def test_a_filter_with_a_secret_is_sealed(
    store: Store, lose_keys: Callable[[], None]
) -> None:
    project = a_project()
    release = a_release(project, connections=(a_connection(project.id, name="chat"),))
    await store.apply_release(release)
    await store.set_variables([a_secret(project.id, SECRET)])
    session = a_session(release)
    await store.add_sessions([session])
    condition = f'event.data.token == "{SECRET}"'

    await subscribed(store, session, "chat", filter=condition)

    assert [each.filter for each in await store.list_subscriptions(None, 10)] == [condition]
    assert not holds(store)
    lose_keys()
    (kept_one,) = await store.list_subscriptions(None, 10)
    assert SECRET not in kept_one.filter


async def test_keys_of_values_are_kept_in_their_order(store: Store) -> None:
    await store.add_value_key(b"one")
    await store.add_value_key(b"two")
    one, two = await store.list_value_keys()

    assert await store.replace_value_key(one, b"new one") is True
    assert await store.replace_value_key(one, b"newer") is False

    assert [each.box for each in await store.list_value_keys()] == [b"new one", b"two"]
    assert two.id > one.id
