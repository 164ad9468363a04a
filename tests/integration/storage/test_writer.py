"""Group commit: what callers of the one writer may rely on."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from pathlib import Path

import anyio
import pytest

from hookline_service.model.errors import BuildNotFoundError, EventNotFoundError
from hookline_service.model.events import EventFilter
from hookline_service.model.ids import BuildId, SessionId
from hookline_service.model.sessions import SessionFilter
from hookline_service.storage.errors import StorageFailedError, StorageUnavailableError
from hookline_service.storage.sqlite import SqliteStore, open_sqlite_store, retention, writer
from hookline_service.storage.sqlite.connection import Database
from tests.builders.events import an_event
from tests.builders.moments import after
from tests.builders.projects import a_release, a_variable
from tests.builders.sessions import a_begin, a_record, a_session


class CommitCount:
    """Counts the commits of a store."""

    def __init__(self, store: SqliteStore) -> None:
        self.count = 0
        store._writer._database.connection.set_trace_callback(self._see)

    def _see(self, statement: str) -> None:
        self.count += statement == "COMMIT"


@pytest.fixture
def full_disk(store: SqliteStore) -> FullDisk:
    return FullDisk(store)


class FullDisk:
    """Lets the file grow no further."""

    def __init__(self, store: SqliteStore) -> None:
        self._connection = store._writer._database.connection

    def begin(self) -> None:
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
        self._connection.execute(f"PRAGMA max_page_count = {pages}")

    def end(self) -> None:
        self._connection.execute("PRAGMA max_page_count = 1000000")


async def test_writes_that_wait_together_share_a_commit(store: SqliteStore) -> None:
    release = a_release()
    await store.apply_release(release)
    commits = CommitCount(store)
    events = [an_event(release) for _ in range(300)]

    async with anyio.create_task_group() as group:
        for event in events:
            group.start_soon(store.record_event, event, ())

    assert len(await store.list_events(EventFilter(limit=1000))) == 300
    assert commits.count < 100


async def test_only_the_guilty_writer_of_a_group_fails(store: SqliteStore) -> None:
    release = a_release()
    await store.apply_release(release)
    events = [an_event(release) for _ in range(50)]
    refused: list[int] = []

    async def record(number: int) -> None:
        bad = number % 7 == 3
        build_id = BuildId("bld_nowhere") if bad else release.build.id
        session = a_session(release, events[number], build_id=build_id)
        try:
            await store.record_event(events[number], [session])
        except BuildNotFoundError:
            refused.append(number)

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(record, number)

    kept = {each.id for each in await store.list_events(EventFilter(limit=1000))}
    expected = [number for number in range(50) if number % 7 == 3]
    assert sorted(refused) == expected
    assert kept == {event.id for number, event in enumerate(events) if number % 7 != 3}
    assert len(await store.list_sessions(SessionFilter(limit=1000))) == len(kept)


async def test_a_defect_in_one_write_reaches_its_caller_only(store: SqliteStore) -> None:
    release = a_release()
    await store.apply_release(release)
    broken = a_variable(release.project.id, name=object())
    event = an_event(release)

    async with anyio.create_task_group() as group:
        group.start_soon(store.record_event, event, ())
        with pytest.raises(StorageFailedError):
            await store.set_variables([broken])

    assert await store.get_event(event.id) == event


async def test_a_cancelled_writer_loses_nothing(store: SqliteStore) -> None:
    release = a_release()
    await store.apply_release(release)
    event = an_event(release)
    session = a_session(release, event)

    async with anyio.create_task_group() as group:
        group.start_soon(store.record_event, event, [session])
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    await store.set_variables([])

    assert await store.get_event(event.id) == event
    assert await store.get_session(session.id) == session


async def test_a_full_disk_is_told_to_the_caller_and_passes(
    store: SqliteStore, full_disk: FullDisk
) -> None:
    release = a_release()
    await store.apply_release(release)
    event = an_event(release, body=b"x" * 100_000)
    full_disk.begin()

    with pytest.raises(StorageUnavailableError, match="full") as caught:
        await store.record_event(event, [])
    full_disk.end()

    assert caught.value.code == "storage.unavailable"
    with pytest.raises(EventNotFoundError):
        await store.get_event(event.id)
    assert (await store.record_event(event, [])).is_new


async def test_a_full_disk_hangs_nobody(store: SqliteStore, full_disk: FullDisk) -> None:
    release = a_release()
    await store.apply_release(release)
    full_disk.begin()
    told: list[Exception | None] = []
    failures = 0

    async def record() -> None:
        nonlocal failures
        try:
            await store.record_event(an_event(release, body=b"x" * 50_000), [])
        except StorageUnavailableError:
            failures += 1

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(record)
                store.append_soon([], [a_record(SessionId("ses_x"), 1)], told.append)

    assert failures == 50
    assert len(told) == 50


async def test_a_small_write_passes_beside_one_that_does_not_fit(
    store: SqliteStore, full_disk: FullDisk
) -> None:
    release = a_release()
    await store.apply_release(release)
    session = a_session(release)
    await store.add_sessions([session])
    full_disk.begin()
    results: list[bool | Exception] = []
    told: list[Exception | None] = []

    store.append_soon([], [a_record(session.id, 1, text="x" * 100_000)], told.append)
    store.change_session_soon(a_begin(session.id), [], results.append)
    with pytest.raises(StorageUnavailableError):
        await store.record_event(an_event(release, body=b"x" * 100_000), [])

    assert isinstance(told[0], StorageUnavailableError)
    assert results == [True]


async def test_pending_bytes_rise_and_fall_again(store: SqliteStore) -> None:
    release = a_release()
    await store.apply_release(release)
    session = a_session(release)
    await store.add_sessions([session])
    done = anyio.Event()

    store.append_soon([], [a_record(session.id, 1, text="x" * 10_000)], lambda _failure: done.set())
    during = store.pending_bytes()
    with anyio.fail_after(5):
        await done.wait()

    assert during > 10_000
    assert store.pending_bytes() == 0


async def test_what_waits_is_written_before_the_store_closes(path: Path) -> None:
    store = await open_sqlite_store(path)
    release = a_release()
    await store.apply_release(release)
    session = a_session(release)
    await store.add_sessions([session])
    for seq in range(1, 501):
        store.append_soon([], [a_record(session.id, seq)], lambda _failure: None)

    await store.aclose()

    async with await open_sqlite_store(path) as again:
        assert await again.last_seq(session.id) == 500


async def test_a_closed_store_refuses_instead_of_hanging(store: SqliteStore) -> None:
    release = a_release()
    await store.apply_release(release)
    told: list[bool | Exception] = []
    await store.aclose()

    store.change_session_soon(a_begin(SessionId("ses_x")), [], told.append)
    with pytest.raises(StorageUnavailableError):
        await store.record_event(an_event(release), [])
    with pytest.raises(StorageUnavailableError):
        await store.get_project(release.project.id)
    with pytest.raises(StorageUnavailableError):
        await store.list_projects()
    await anyio.lowlevel.checkpoint()

    assert isinstance(told[0], StorageUnavailableError)


async def test_closing_twice_is_closing_once(store: SqliteStore) -> None:
    await store.aclose()

    await store.aclose()


async def test_a_read_sees_every_write_that_returned(store: SqliteStore) -> None:
    release = a_release()
    await store.apply_release(release)

    async def write_and_read() -> None:
        for _ in range(20):
            event = an_event(release)
            await store.record_event(event, [])
            assert await store.get_event(event.id) == event
            listed = await store.list_events(EventFilter(limit=1000))
            assert event.id in {each.id for each in listed}

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(write_and_read)


async def test_another_program_that_holds_the_file_delays_nobody_for_ever(
    store: SqliteStore, path: Path
) -> None:
    release = a_release()
    await store.apply_release(release)
    store._writer._database.connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StorageUnavailableError, match="locked"):
        await store.record_event(an_event(release), [])
    other.execute("ROLLBACK")
    other.close()

    assert (await store.record_event(an_event(release), [])).is_new


async def test_a_removal_that_was_cut_off_is_finished_at_the_next_start(
    store: SqliteStore, path: Path
) -> None:
    release = a_release()
    await store.apply_release(release)
    event = an_event(release)
    await store.record_event(event, [a_session(release, event)])

    def hide(database: Database) -> None:
        database.connection.execute("UPDATE projects SET deleted_at = 1")

    await store._writer.run(hide)
    await store.aclose()

    async with await open_sqlite_store(path) as again:
        assert await again.list_events(EventFilter()) == []
        assert await again.list_sessions(SessionFilter()) == []
        assert await again.find_build(release.build.id) is None


async def test_the_log_is_moved_to_the_main_file_while_nobody_waits(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_PAGES_PER_CHECKPOINT", 1)
    release = a_release(archive=b"x" * 1_000_000)

    await store.apply_release(release)
    with anyio.fail_after(10):
        while size_of(path) < 1_000_000:  # each write leaves the writer idle once more
            await store.record_event(an_event(release), [])


def size_of(path: Path) -> int:
    return path.stat().st_size


async def test_a_defect_in_a_read_is_told_as_one(store: SqliteStore) -> None:
    with pytest.raises(StorageFailedError):
        store._readers.at_once(Database.rows, "find_project", ())
    with pytest.raises(StorageFailedError):
        await store._readers.run(Database.rows, "find_project", ())


async def test_a_large_delete_gives_pages_back_over_time(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_FREE_PAGES_KEPT", 10)
    release = a_release()
    await store.apply_release(release)
    for _ in range(10):
        await store.record_event(an_event(release, body=b"x" * 300_000), [])
    before = pages_of(path)

    while await store.delete_finished_before(after(10_000), 10):
        pass
    await store.delete_finished_before(after(10_000), 10)

    assert pages_of(path) < before / 2


def pages_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.close()
    return pages


INPUT_OUTPUT_ERROR = """
import anyio, resource, signal, sys
from pathlib import Path
from hookline_service.storage.errors import StorageUnavailableError
from hookline_service.storage.sqlite import open_sqlite_store
from tests.builders.events import an_event
from tests.builders.projects import a_release

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    async with await open_sqlite_store(Path(sys.argv[1])) as store:
        release = a_release()
        await store.apply_release(release)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
        try:
            await store.record_event(an_event(release, body=b"x" * 3_000_000), [])
        except StorageUnavailableError as exc:
            print("refused", exc.code)
        small = await store.record_event(an_event(release), [])
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        large = await store.record_event(an_event(release, body=b"x" * 3_000_000), [])
        print(small.is_new, large.is_new)

anyio.run(main)
"""


async def test_a_disk_that_refuses_to_write_is_survived(path: Path) -> None:
    command = [sys.executable, "-c", INPUT_OUTPUT_ERROR, str(path)]

    child = await anyio.run_process(command, check=False)

    assert child.stderr.decode().splitlines() == ["the database takes no writes"]
    assert child.stdout.decode().split() == ["refused", "storage.unavailable", "True", "True"]


async def test_a_refused_write_is_remembered_until_one_is_taken(store: SqliteStore) -> None:
    release = a_release()
    await store.apply_release(release)
    connection = store._writer._database.connection
    await store.check_writes()
    connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StorageUnavailableError):
        await store.record_event(an_event(release), [])

    for _ in range(2):
        with pytest.raises(StorageUnavailableError, match="readonly"):
            await store.check_writes()
    connection.execute("PRAGMA query_only = 0")

    await store.check_writes()


async def test_what_is_asked_while_nothing_was_refused_writes_nothing(store: SqliteStore) -> None:
    commits = CommitCount(store)

    await store.check_writes()

    assert commits.count == 0


TINY_DISK = """
import anyio, sys
from pathlib import Path
from hookline_service.storage.errors import StorageUnavailableError
from hookline_service.storage.sqlite import open_sqlite_store
from tests.builders.events import an_event
from tests.builders.projects import a_release

async def check(store):
    try:
        await store.check_writes()
        print("writes")
    except StorageUnavailableError as exc:
        print("refused", exc.code)

async def main():
    ballast = Path("/mnt/ballast")
    ballast.write_bytes(bytes(4_000_000))
    async with await open_sqlite_store(Path("/mnt/home/hookline.db")) as store:
        release = a_release()
        await store.apply_release(release)
        await check(store)
        try:
            while True:
                await store.record_event(an_event(release, body=b"x" * 300_000), [])
        except StorageUnavailableError:
            pass
        await check(store)
        ballast.unlink()
        await check(store)
        await store.record_event(an_event(release), [])

anyio.run(main)
"""


@pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap to make a small disk")
async def test_a_full_disk_is_noticed_until_there_is_room() -> None:
    disk = ["bwrap", "--dev-bind", "/", "/", "--size", "8000000", "--tmpfs", "/mnt"]

    child = await anyio.run_process([*disk, sys.executable, "-c", TINY_DISK], check=False)

    assert child.stdout.decode().splitlines() == [
        "writes",
        "refused storage.unavailable",
        "writes",
    ], child.stderr.decode()
