"""The project's store: shared values, counted, published, expiring."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import anyio
import pytest

from hookline_service.model.calls import CallResult, PublishedValue, StoreLimits, UseStore
from hookline_service.model.errors import (
    ProjectNotFoundError,
    TooManyKeysError,
    ValueTooLargeError,
)
from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import Release
from hookline_service.model.sessions import Session
from hookline_service.storage.protocols import Store
from tests.builders.calls import a_call, a_use, code_of, made, value_of
from tests.builders.moments import START, after
from tests.builders.projects import a_release
from tests.builders.sessions import a_session


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


async def use(store: Store, session: Session, *words: Any, **fields: Any) -> Any:
    """The value that an operation gives; `at` is when."""
    at: datetime = fields.pop("at", START)
    return value_of(await made(store, a_call(session, a_use(*words, **fields), at=at)))


async def test_a_value_comes_back_as_it_was_set(store: Store, session: Session) -> None:
    value = {"set": {1, 2}, "bytes": b"\x00", "big": 2**80, "none": None}

    given = await use(store, session, "set", "k", value)

    assert given is None
    assert await use(store, session, "get", "k") == value


async def test_a_value_is_shared_by_the_sessions_of_a_project(
    store: Store, release: Release, session: Session
) -> None:
    other = a_session(release)
    foreign = a_release()
    await store.apply_release(foreign)
    stranger = a_session(foreign)
    await store.add_sessions([other, stranger])

    await use(store, session, "set", "k", 1)

    assert await use(store, other, "get", "k") == 1
    assert await use(store, stranger, "get", "k") is None


async def test_missing_values_are_none_and_can_be_deleted(store: Store, session: Session) -> None:
    await use(store, session, "set", "k", 1)

    assert await use(store, session, "get", "none") is None
    assert await use(store, session, "del", "none") is None
    assert await use(store, session, "del", "k") is None
    assert await use(store, session, "set", "k", None) is None
    assert await store.list_values(session.project_id, START) == {}


async def test_values_are_added_up_and_compared(store: Store, session: Session) -> None:
    assert [await use(store, session, "add", "n", step) for step in (2, 3, -1)] == [2, 5, 4]
    assert await use(store, session, "check_and_set", "n", "new", 4) is True
    assert await use(store, session, "check_and_set", "n", "newer", 4) is False
    assert await use(store, session, "get", "n") == "new"


async def test_adding_to_a_text_is_refused(store: Store, session: Session) -> None:
    await use(store, session, "set", "k", "text")

    result = await made(store, a_call(session, a_use("add", "k", 1)))

    assert code_of(result) == "store.not_a_number"
    assert await use(store, session, "get", "k") == "text"


@pytest.mark.parametrize("operands", [(), (1, 2, 3)])
async def test_a_wrong_number_of_operands_is_refused(
    store: Store, session: Session, operands: tuple[int, ...]
) -> None:
    result = await made(store, a_call(session, a_use("set", "k", *operands)))

    assert code_of(result) == "store.operation_invalid"


async def test_an_operand_that_is_no_value_is_refused(store: Store, session: Session) -> None:
    broken = a_use("set", "k")
    broken = UseStore(
        operation=broken.operation, key="k", operands=(b'{"$what":1}',), limits=broken.limits
    )

    result = await made(store, a_call(session, broken))

    assert code_of(result) == "store.operation_invalid"


async def test_keys_are_listed_in_order(store: Store, session: Session) -> None:
    for key in ("b", "", "Z", "ä", "a", "\U0001f600"):
        await use(store, session, "set", key, 1)

    assert await use(store, session, "list") == ["", "Z", "a", "b", "ä", "\U0001f600"]


async def test_additions_at_once_are_all_counted(store: Store, release: Release) -> None:
    sessions = [a_session(release) for _ in range(5)]
    await store.add_sessions(sessions)
    seen: list[int] = []

    async def add(each: Session) -> None:
        for _ in range(20):
            seen.append(await use(store, each, "add", "n", 1))  # noqa: PERF401 - many at once

    async with anyio.create_task_group() as group:
        for each in sessions:
            group.start_soon(add, each)

    assert sorted(seen) == list(range(1, 101))


# Limits


async def test_a_value_may_not_be_too_large(store: Store, session: Session) -> None:
    limits = StoreLimits(keys=10, value_bytes=10)

    fits = await made(store, a_call(session, a_use("set", "k", "x" * 8, limits=limits)))
    too_large = await made(store, a_call(session, a_use("set", "k", "x" * 9, limits=limits)))

    assert (code_of(fits), code_of(too_large)) == (None, "store.value_too_large")
    assert await use(store, session, "get", "k") == "x" * 8


async def test_a_store_may_not_have_too_many_keys(store: Store, session: Session) -> None:
    limits = StoreLimits(keys=2, value_bytes=100)

    async def code(*words: Any) -> str | None:
        return code_of(await made(store, a_call(session, a_use(*words, limits=limits))))

    assert [await code("set", key, 1) for key in ("a", "b", "c")] == [
        None,
        None,
        "store.too_many_keys",
    ]
    assert [await code("add", "b", 1), await code("get", "c"), await code("del", "c")] == [None] * 3
    assert [await code("set", "a", None), await code("set", "c", 1)] == [None, None]


async def test_what_has_expired_makes_room(store: Store, session: Session) -> None:
    limits = StoreLimits(keys=1, value_bytes=100)
    await use(store, session, "set", "old", 1, limits=limits, expires_at=after(10))

    early = await made(
        store, a_call(session, a_use("set", "new", 2, limits=limits), at=after(9.999))
    )
    late = await made(store, a_call(session, a_use("set", "new", 2, limits=limits), at=after(10)))

    assert (code_of(early), code_of(late)) == ("store.too_many_keys", None)
    assert await store.list_values(session.project_id, after(10)) == {"new": b"2"}


# Expiry


async def test_a_value_that_has_expired_is_missing(store: Store, session: Session) -> None:
    await use(store, session, "set", "k", 5, expires_at=after(10))

    before = await use(store, session, "get", "k", at=after(9.999))
    at_last = await use(store, session, "get", "k", at=after(10))
    listed = await use(store, session, "list", at=after(10))
    total = await use(store, session, "add", "k", 1, at=after(10))

    assert (before, at_last, listed, total) == (5, None, [], 1)
    assert await store.list_values(session.project_id, after(10_000)) == {"k": b"1"}


async def test_what_is_written_without_an_end_stays(store: Store, session: Session) -> None:
    await use(store, session, "set", "k", 5, expires_at=after(10))

    await use(store, session, "add", "k", 1)

    assert await use(store, session, "get", "k", at=after(10_000)) == 6


async def test_expired_values_are_deleted_in_steps(store: Store, session: Session) -> None:
    for number in range(5):
        await use(store, session, "set", f"k{number}", 1, expires_at=after(number))
    await use(store, session, "set", "kept", 1)

    counts = [await store.delete_expired_values(after(3), 3) for _ in range(3)]

    assert counts == [3, 1, 0]
    assert list(await store.list_values(session.project_id, START)) == ["k4", "kept"]


# What people do with it


async def test_people_use_the_store_as_sessions_do(store: Store, session: Session) -> None:
    project_id = session.project_id

    given = await store.use_value(project_id, a_use("set", "k", 7), START)
    listed = await store.use_value(project_id, a_use("list", ""), START)

    assert (given, listed) == (b"null", b'["k"]')
    assert await use(store, session, "get", "k") == 7


async def test_what_refuses_a_session_refuses_people(store: Store, session: Session) -> None:
    small = StoreLimits(keys=1, value_bytes=10)
    await store.use_value(session.project_id, a_use("set", "k", 7, limits=small), START)

    with pytest.raises(TooManyKeysError):
        await store.use_value(session.project_id, a_use("set", "l", 7, limits=small), START)
    with pytest.raises(ValueTooLargeError):
        await store.use_value(session.project_id, a_use("set", "k", "x" * 9, limits=small), START)
    with pytest.raises(ProjectNotFoundError):
        await store.use_value(ProjectId("prj_none"), a_use("get", "k"), START)

    assert await use(store, session, "get", "k") == 7


# Published values


async def test_a_published_value_may_be_read_by_anybody(store: Store, session: Session) -> None:
    project_id = session.project_id
    await use(store, session, "set", "k", {"a": 1})
    before = await store.find_published(project_id, "k", START)

    await use(store, session, "publish", "k")
    await use(store, session, "set", "k", {"a": 2})
    published = await store.find_published(project_id, "k", START)
    await use(store, session, "unpublish", "k")

    assert before is None
    assert published == PublishedValue(value=b'{"a":2}')
    assert await store.find_published(project_id, "k", START) is None


async def test_publishing_what_is_missing_does_nothing(store: Store, session: Session) -> None:
    await use(store, session, "publish", "k")

    await use(store, session, "set", "k", 1)

    assert await store.find_published(session.project_id, "k", START) is None


async def test_a_deleted_or_expired_value_is_not_published_when_it_comes_again(
    store: Store, session: Session
) -> None:
    await use(store, session, "set", "deleted", 1)
    await use(store, session, "set", "expired", 1, expires_at=after(10))
    await use(store, session, "publish", "deleted")
    await use(store, session, "publish", "expired")
    assert await store.find_published(session.project_id, "expired", after(10)) is None

    await use(store, session, "del", "deleted")
    await use(store, session, "set", "deleted", 2)
    await use(store, session, "set", "expired", 2, at=after(10))

    assert await store.find_published(session.project_id, "deleted", START) is None
    assert await store.find_published(session.project_id, "expired", START) is None


async def test_values_end_with_their_project(
    store: Store, release: Release, session: Session
) -> None:
    for number in range(250):
        await use(store, session, "set", f"k{number}", 1)
    await use(store, session, "publish", "k1")

    await store.delete_project(release.project.id)

    assert await store.list_values(release.project.id, START) == {}
    assert await store.find_published(release.project.id, "k1", START) is None


async def test_a_store_operation_sent_twice_is_applied_once(store: Store, session: Session) -> None:
    call = a_call(session, a_use("add", "n", 4))

    results = [await made(store, call) for _ in range(3)]

    assert results == [CallResult(value=b"4")] * 3
    assert await use(store, session, "get", "n") == 4
