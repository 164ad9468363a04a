"""Accepted means kept: the process is killed while it writes, again and again."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from hookline_service.model.events import EventFilter
from hookline_service.model.ids import EventId, SessionId
from hookline_service.model.sessions import SessionFilter, SessionState
from hookline_service.storage.sqlite import open_sqlite_store

ENTRIES = 3
WRITER = """
import anyio, sys
from itertools import count
from pathlib import Path
from hookline_service.model.sessions import SessionState
from hookline_service.storage.sqlite import open_sqlite_store
from tests.builders.events import an_event
from tests.builders.projects import a_definition, a_project, a_release
from tests.builders.sessions import a_begin, a_record, a_session, an_entry

ENTRIES = 3

def tell(*words):
    sys.stdout.write(" ".join(words) + "\\n")
    sys.stdout.flush()

async def write(store, release, prefix):
    for number in count():
        event = an_event(
            release.triggers[0],
            id=f"evt_{prefix}_{number:08}",
            delivery_id=f"{prefix}-{number}",
            body=b"x" * (number % 7 * 900),
        )
        session = a_session(release, event, id=f"ses_{prefix}_{number:08}")
        await store.record_event(event, [session])
        tell("event", event.id, session.id)
        await store.change_session(a_begin(session.id), [a_record(session.id, 1)])
        tell("begun", session.id)
        entries = [an_entry(session.id, seq) for seq in range(2, 2 + ENTRIES)]
        await store.append(entries, [a_record(session.id, 2 + ENTRIES)])
        tell("appended", session.id)

async def main():
    store = await open_sqlite_store(Path(sys.argv[1]))
    release = a_release(a_project(name=sys.argv[2]), definitions=[a_definition()])
    await store.apply_release(release)
    tell("ready")
    async with anyio.create_task_group() as group:
        for worker in range(8):
            group.start_soon(write, store, release, f"{sys.argv[2]}{worker}")

anyio.run(main)
"""


@dataclass
class Acknowledged:
    events: dict[str, str]
    begun: set[str]
    appended: set[str]


async def killed_while_writing(path: Path, round_: int, lines: int) -> Acknowledged:
    """What the child had said was kept when it was killed, after so many lines and a bit."""
    command = [sys.executable, "-c", WRITER, str(path), f"r{round_}w"]
    said = b""
    async with await anyio.open_process(command, stderr=None) as child:
        assert child.stdout is not None
        with anyio.fail_after(30):
            while said.count(b"\n") < lines:
                said += await child.stdout.receive()
        child.kill()
        async for chunk in child.stdout:
            said += chunk
    told = Acknowledged(events={}, begun=set(), appended=set())
    for line in said.decode().splitlines(keepends=True):
        kind, *names = line.split()
        if not line.endswith("\n"):
            continue
        if kind == "event":
            told.events[names[0]] = names[1]
        elif kind == "begun":
            told.begun.add(names[0])
        elif kind == "appended":
            told.appended.add(names[0])
    return told


async def check_nothing_was_lost(path: Path, told: Acknowledged) -> None:
    async with await open_sqlite_store(path, check=True) as store:
        for event_id, session_id in told.events.items():
            event = await store.get_event(EventId(event_id))
            session = await store.get_session(SessionId(session_id))
            assert session.event_id == event.id
        for session_id in told.begun:
            session = await store.get_session(SessionId(session_id))
            assert session.state is SessionState.RUNNING
        for session_id in told.appended:
            assert await store.last_seq(SessionId(session_id)) == 2 + ENTRIES


async def check_nothing_is_half_done(path: Path) -> None:
    async with await open_sqlite_store(path) as store:
        sessions = await store.list_sessions(SessionFilter(limit=1_000_000))
        events = await store.list_events(EventFilter(limit=1_000_000))
        assert {each.event_id for each in sessions} == {each.id for each in events}
        for session in sessions:
            attempts = await store.list_attempts(session.id)
            log = await store.list_log(session.id, 0, 10)
            entries = await store.count_entries(session.id)
            begun = session.state is SessionState.RUNNING
            assert len(attempts) == session.attempt == int(begun)
            assert (len(log), entries) in ({(1, 0), (2, ENTRIES)} if begun else {(0, 0)})


@pytest.mark.slow
async def test_a_killed_service_keeps_every_write_it_acknowledged(path: Path) -> None:
    chance = random.Random(20261121)  # noqa: S311 - no secret: moments to be killed at

    for round_ in range(5):
        told = await killed_while_writing(path, round_, lines=chance.randrange(2, 1500))

        await check_nothing_was_lost(path, told)

    await check_nothing_is_half_done(path)


async def test_a_torn_last_commit_is_dropped_and_the_rest_is_kept(
    path: Path, tmp_path: Path
) -> None:
    told = await killed_while_writing(path, 0, lines=60)
    torn = tmp_path / "torn" / "hookline.db"
    copy_with_torn_log(path, torn, garbage=b"\x37" * 6_000)

    await check_nothing_was_lost(torn, told)
    await check_nothing_is_half_done(torn)


def copy_with_torn_log(path: Path, torn: Path, garbage: bytes) -> None:
    """A copy whose log ends in what a cut-off write left behind."""
    torn.parent.mkdir()
    torn.write_bytes(path.read_bytes())
    log = path.with_name("hookline.db-wal").read_bytes()
    torn.with_name("hookline.db-wal").write_bytes(log + garbage)
