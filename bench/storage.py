"""What the store costs on this machine: medians, beside a bare SQLite commit of the same run.

    .venv/bin/python -m bench.storage [waiting sessions, 100000]

Works in a folder below the present one, because /tmp may be memory.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import anyio

from hookline_service.model.events import Event
from hookline_service.model.projects import Release
from hookline_service.model.sessions import (
    AttemptOutcome,
    EntryKind,
    LogKind,
    Session,
    SessionState,
)
from hookline_service.storage.sqlite import SqliteStore, open_sqlite_store
from tests.builders.events import an_event
from tests.builders.moments import START, after
from tests.builders.projects import a_definition, a_release
from tests.builders.sessions import a_begin, a_change, a_record, a_session, an_entry

WEBHOOK = (
    b'{"method":"POST","path":"/","query":{},"headers":{"host":"127.0.0.1:9980","user-agent":"curl/7.88.1",'
    b'"content-type":"application/json","content-length":"24","accept":"*/*"}}'
)


def say(what: str, value: str) -> None:
    """One line of the report."""
    print(f"{what:<58} {value}", flush=True)


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Measure the store and not the collector of the things the bench has made."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def percentiles(times_s: list[float]) -> str:
    """The median and the 99th percentile."""
    ordered = sorted(times_s)
    p99 = ordered[int(len(ordered) * 0.99)]
    return f"p50 {statistics.median(ordered) * 1e3:6.3f} ms   p99 {p99 * 1e3:6.3f} ms"


def bare_commits(folder: Path, count: int) -> list[float]:
    """One row of 300 bytes per commit, table and one index."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY, body BLOB)")
    times: list[float] = []
    for number in range(count):
        begin = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t VALUES (?, ?)", (f"evt_{number:026}", b"x" * 300))
        connection.execute("COMMIT")
        times.append(time.perf_counter() - begin)
    connection.close()
    return times


def an_arrival(release: Release, number: int) -> Event:
    """A webhook request."""
    return an_event(release.triggers[0], delivery_id=f"delivery-{number}", data=WEBHOOK)


async def from_callers(
    callers: int, jobs: Sequence[Callable[[], Awaitable[object]]]
) -> tuple[float, list[float]]:
    """Jobs per second, and how long each took, with so many callers at a time."""
    waiting = iter(jobs)
    times: list[float] = []

    async def call() -> None:
        for job in waiting:
            begin = time.perf_counter()
            await job()
            times.append(time.perf_counter() - begin)

    with quiet():
        begin = time.perf_counter()
        async with anyio.create_task_group() as group:
            for _ in range(callers):
                group.start_soon(call)
        rate = len(jobs) / (time.perf_counter() - begin)
    return rate, times


async def latency_of_one(store: SqliteStore, release: Release, folder: Path) -> None:
    """One caller, beside bare commits in the same minute."""
    session = a_session(release)
    await store.add_sessions([session])
    records = [a_record(session.id, number, text="x" * 200) for number in range(1, 2_001)]
    for round_ in range(3):
        part = records[round_::3]
        bare = bare_commits(folder / f"{round_}", 600)
        _, entries = await from_callers(
            1, [lambda each=each: store.append([], [each]) for each in part]
        )
        events = [an_arrival(release, -1 - round_ * 600 - number) for number in range(600)]
        _, arrivals = await from_callers(
            1, [lambda each=each: store.record_event(each, ()) for each in events]
        )
        say("bare sqlite3, one row per commit", percentiles(bare))
        say("append, one record, one caller", percentiles(entries))
        say("record_event, one caller", percentiles(arrivals))


async def throughput(store: SqliteStore, release: Release) -> None:
    """Many callers, one event or entry each."""
    numbers = itertools.count(1)
    for callers in (50, 200):
        rates: list[float] = []
        for _ in range(3):
            events = [an_arrival(release, next(numbers)) for _ in range(10_000)]
            rate, _ = await from_callers(
                callers, [lambda each=each: store.record_event(each, ()) for each in events]
            )
            rates.append(rate)
        say(f"record_event, {callers} callers", f"{statistics.median(rates):8.0f} /s")
    sessions = [a_session(release) for _ in range(50)]
    await store.add_sessions(sessions)
    rates = []
    for round_ in range(3):
        entries = [
            an_entry(session.id, round_ * 200 + number)
            for number in range(1, 201)
            for session in sessions
        ]
        rate, _ = await from_callers(
            50, [lambda each=each: store.append([each], ()) for each in entries]
        )
        rates.append(rate)
    say("append of one entry, 50 callers", f"{statistics.median(rates):8.0f} /s")


def a_waiting_life(release: Release, number: int) -> tuple[Event, Session]:
    """A webhook request and the session it starts."""
    event = an_arrival(release, 1_000_000 + number)
    return event, a_session(release, event)


async def suspend(store: SqliteStore, session: Session, number: int) -> None:
    """What a session that prints a line and sleeps leaves behind."""
    wake_at = START + timedelta(days=30, seconds=number)
    log = [
        a_record(session.id, 1, kind=LogKind.STATE, text="running"),
        a_record(session.id, 2, text="hello, I shall wait"),
        a_record(session.id, 4, kind=LogKind.STATE, text=f"waiting until {wake_at:%Y-%m-%d %H:%M}"),
    ]
    entry = an_entry(
        session.id,
        3,
        index=0,
        kind=EntryKind.SLEEP,
        name="hookline.sleep",
        encoding="none",
        value=b"",
        display=b"null",
        arguments=b"[2592000]",
        wake_at=wake_at,
    )
    await store.change_session(
        a_begin(session.id, runner="run_01jd0000000000000000000000"), log[:1]
    )
    await store.append([entry], log[1:2])
    await store.change_session(
        a_change(
            session.id,
            SessionState.WAITING,
            expected_attempt=1,
            at=after(1),
            wake_at=wake_at,
            outcome=AttemptOutcome.SUSPENDED,
        ),
        log[2:],
    )


async def waiting_sessions(store: SqliteStore, release: Release, path: Path, count: int) -> None:
    """Sessions that wait: their size, and what finding the due ones costs."""
    await store.backup(path.with_name("before.db"))
    before = path.with_name("before.db").stat().st_size

    async def one(number: int) -> None:
        event, session = a_waiting_life(release, number)
        await store.record_event(event, [session])
        await suspend(store, session, number)

    rate, _ = await from_callers(
        200, [lambda number=number: one(number) for number in range(count)]
    )
    say(f"{count} sessions arrive, print, sleep (4 writes each)", f"{rate:8.0f} /s")
    await store.backup(path.with_name("after.db"))
    size = path.with_name("after.db").stat().st_size - before
    say("on disk for each waiting session", f"{size / count:8.0f} bytes")
    say("log (-wal) file", f"{path.with_name(path.name + '-wal').stat().st_size / 1e6:8.1f} MB")
    for label, when in (("none", START), ("100", START + timedelta(days=30, seconds=100))):
        jobs = [partial(store.list_due, when, 100)] * 50
        _, times = await from_callers(1, jobs)
        say(f"list_due with {count} waiting, {label} due", percentiles(times))
    _, times = await from_callers(1, [store.next_due_at] * 200)
    say("next_due_at", percentiles(times))
    _, times = await from_callers(1, [lambda: store.count_sessions(release.deployment.id)] * 5)
    say("count_sessions", percentiles(times))


async def journal(store: SqliteStore, release: Release, count: int) -> None:
    """Reading one long journal."""
    session = a_session(release)
    await store.add_sessions([session])
    for begin in range(0, count, 1000):
        await store.append([an_entry(session.id, begin + n) for n in range(1, 1001)], ())
    for read in (store.read_journal_rows, store.read_journal):
        times: list[float] = []
        rows = 0
        for _ in range(3):
            begin_s = time.perf_counter()
            rows = sum([len(page) async for page in read(session.id)])
            times.append(time.perf_counter() - begin_s)
        say(f"{read.__name__} of {rows} entries", f"{statistics.median(times) * 1e3:8.0f} ms")


async def main(count: int) -> None:
    """Everything, on a scratch home."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as name:
        folder = Path(name).absolute()  # noqa: ASYNC240 - nothing else runs yet
        for round_ in range(3):
            (folder / f"{round_}").mkdir()
        path = folder / "hookline.db"
        release = a_release(definitions=[a_definition()])
        async with await open_sqlite_store(path) as store:
            await store.apply_release(release)
            await latency_of_one(store, release, folder)
            await throughput(store, release)
            await journal(store, release, min(count, 100_000))
            await waiting_sessions(store, release, path, count)
            peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            say("peak memory of this process", f"{peak_kb / 1024:8.0f} MB")


if __name__ == "__main__":
    anyio.run(
        main,
        int(sys.argv[1]) if len(sys.argv) > 1 else 100_000,
        backend_options={"use_uvloop": True},
    )
