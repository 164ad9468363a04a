"""Log records of all sessions: what is found, in which order, and from where one looks on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookline_service.model.projects import Release
from hookline_service.model.sessions import LogFilter, LogKind, LogRecord, LogSeverity
from hookline_service.storage.protocols import Store
from tests.builders.moments import after
from tests.builders.projects import a_project, a_release
from tests.builders.sessions import a_record, a_session


async def _filled(store: Store) -> tuple[Release, list[LogRecord]]:
    """Five records of two sessions of a project, and one of another project between them."""
    release, other = a_release(), a_release(a_project())
    for each in (release, other):
        await store.apply_release(each)
    first, second, foreign = a_session(release), a_session(release), a_session(other)
    await store.add_sessions([first, second, foreign])
    records = [
        a_record(first.id, 1, at=after(1), text="one Order"),
        a_record(second.id, 1, at=after(2), text="two", kind=LogKind.WARNING),
        a_record(foreign.id, 1, at=after(3), text="foreign"),
        a_record(first.id, 2, at=after(4), text="three", kind=LogKind.LOG, level="DEBUG"),
        a_record(first.id, 3, at=after(5), text="four ORDER", kind=LogKind.LOG, level="critical"),
        a_record(second.id, 2, at=after(6), text="five", kind=LogKind.ERROR),
    ]
    for record in records:
        await store.append([], [record])
    return release, records


def _texts(records: list[LogRecord]) -> list[str]:
    return [record.text for record in records]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["five", "four ORDER", "three", "foreign", "two", "one Order"]),
        ({"since": after(3)}, ["five", "four ORDER", "three", "foreign"]),
        ({"text": "oRdEr"}, ["four ORDER", "one Order"]),
        ({"text": "100%"}, []),
        ({"severity": LogSeverity.INFO}, ["five", "four ORDER", "foreign", "two", "one Order"]),
        ({"severity": LogSeverity.WARNING}, ["five", "four ORDER", "two"]),
        ({"severity": LogSeverity.ERROR}, ["five", "four ORDER"]),
        ({"severity": LogSeverity.ERROR, "text": "order", "since": after(5)}, ["four ORDER"]),
    ],
)
async def test_records_of_all_sessions_are_found_the_newest_first(
    store: Store, fields: dict[str, object], expected: list[str]
) -> None:
    await _filled(store)

    page = await store.list_logs(LogFilter(**fields))  # pyright: ignore[reportArgumentType] - fields of the filter

    assert _texts([each.record for each in page.records]) == expected
    assert page.is_end


async def test_records_of_one_project_are_found(store: Store) -> None:
    release, _ = await _filled(store)

    page = await store.list_logs(LogFilter(project_id=release.project.id))

    assert "foreign" not in _texts([each.record for each in page.records])
    assert len(page.records) == 5


async def test_pages_follow_each_other_without_gap(store: Store) -> None:
    _, records = await _filled(store)
    which = LogFilter(limit=2)
    found: list[LogRecord] = []

    for _ in range(10):
        page = await store.list_logs(which)
        found += [each.record for each in page.records]
        if page.is_end:
            break
        which = replace(which, before=page.next)

    assert found == records[::-1]


async def test_what_came_later_is_found_the_oldest_first(store: Store) -> None:
    _, records = await _filled(store)
    newest = (await store.list_logs(LogFilter(limit=1))).records[0].position

    nothing = await store.list_logs(LogFilter(after=newest))
    await store.append([], [replace(records[0], seq=10), replace(records[0], seq=11)])
    page = await store.list_logs(LogFilter(after=newest))

    assert nothing.records == ()
    assert [each.record.seq for each in page.records] == [10, 11]
    assert page.is_end


async def test_an_empty_log_has_an_end(store: Store) -> None:
    page = await store.list_logs(LogFilter())

    assert (page.records, page.is_end) == ((), True)


async def test_sessions_that_ended_are_counted(store: Store) -> None:
    release = a_release()
    await store.apply_release(release)
    await store.add_sessions([a_session(release, ended_at=after(5)), a_session(release)])

    assert await store.count_finished_before(after(5)) == 0
    assert await store.count_finished_before(after(6)) == 1
