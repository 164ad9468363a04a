"""A call and its entry are one: the process is killed while sessions ask for things, again and again."""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from hookline import values
from hookline_service.model.calls import TakeEvent, TakeSignal
from hookline_service.model.events import EventFilter
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import JournalEntry, Session, SessionFilter
from hookline_service.storage.protocols import Store
from hookline_service.storage.sqlite import open_sqlite_store
from tests.builders.calls import a_call, a_call_entry, a_use, made, value_of
from tests.builders.moments import START

WORKERS = 6
WRITER = """
import anyio, sys
from itertools import count
from pathlib import Path
from hookline import values
from hookline_service.model.calls import StartSession, TakeEvent, TakeSignal
from hookline_service.model.events import Event
from hookline_service.storage.sqlite import open_sqlite_store
from tests.builders.calls import a_call, a_call_entry, a_signal, a_subscribe, a_use, subscribed
from tests.builders.events import an_event
from tests.builders.projects import a_definition, a_project, a_release
from tests.builders.sessions import a_session

WORKERS = int(sys.argv[3])

def tell(*words):
    sys.stdout.write(" ".join(words) + "\\n")
    sys.stdout.flush()

class Asking:
    def __init__(self, store, session):
        self.store, self.session, self.index = store, session, 0

    async def ask(self, name, operation):
        # The same call twice, as after a lost reply: one of them must find the entry of the other.
        entry = a_call_entry(self.session.id, index=self.index, seq=self.index + 10, name=name)
        self.index += 1
        call = a_call(self.session, operation, entry=entry)
        done, results = anyio.Event(), []

        def on_stored(result):
            results.append(result)
            if isinstance(result, Exception):
                raise result
            if not result.is_waiting:
                tell("call", self.session.id, str(entry.index), result.value.hex())
            if len(results) == 2:
                done.set()

        self.store.call_soon(call, on_stored)
        self.store.call_soon(call, on_stored)
        await done.wait()

async def work(asking, trigger, subscriptions, neighbour):
    store, mine = asking.store, subscriptions[asking.session.id]
    for number in count():
        await asking.ask("add", a_use("add", "total", 1))
        event = an_event(trigger, data=b'{"method":"POST","headers":{}}')
        await store.record_event(event, [], deliveries=list(subscriptions.values()))
        tell("event", event.id)
        await asking.ask("take", TakeEvent(ids=(mine,), deadline_at=None))
        await asking.ask("signal", a_signal(neighbour, "go", number))
        await asking.ask("take_signal", TakeSignal(names=("go",), deadline_at=None))

async def main():
    store = await open_sqlite_store(Path(sys.argv[1]))
    release = a_release(a_project(name=sys.argv[2]), definitions=[a_definition(name="orders")])
    await store.apply_release(release)
    sessions = [a_session(release) for _ in range(WORKERS)]
    await store.add_sessions(sessions)
    subscriptions = {}
    for session in sessions:
        entry = a_call_entry(session.id, index=0, seq=1, branch="1", name="subscribe")
        subscribe = a_subscribe("orders")
        done = anyio.Event()
        store.call_soon(a_call(session, subscribe, entry=entry), lambda _result: done.set())
        await done.wait()
        subscriptions[session.id] = subscribe.id
    tell("ready")
    async with anyio.create_task_group() as group:
        for session, neighbour in zip(sessions, sessions[1:] + sessions[:1]):
            asking = Asking(store, session)
            group.start_soon(work, asking, release.triggers[0], subscriptions, neighbour)

anyio.run(main)
"""


@dataclass
class Told:
    """What the child had said was done: results by session and position, and events."""

    results: dict[tuple[str, int], bytes]
    events: set[str]


async def killed_while_asking(path: Path, round_: int, lines: int) -> Told:
    command = [sys.executable, "-c", WRITER, str(path), f"round-{round_}", str(WORKERS)]
    said = b""
    async with await anyio.open_process(command, stderr=None) as child:
        assert child.stdout is not None
        with anyio.fail_after(30):
            while said.count(b"\n") < lines:
                said += await child.stdout.receive()
        child.kill()
        async for chunk in child.stdout:
            said += chunk
    told = Told(results={}, events=set())
    for line in said.decode().splitlines(keepends=True):
        kind, *words = line.split()
        if line.endswith("\n") and kind == "call":
            told.results[words[0], int(words[1])] = bytes.fromhex(words[2])
        elif line.endswith("\n") and kind == "event":
            told.events.add(words[0])
    return told


async def check_every_acknowledged_call_is_recorded(store: Store, told: Told) -> None:
    for (session_id, index), value in told.results.items():
        session = await store.get_session(SessionId(session_id))
        entry = a_call_entry(session.id, index=index, seq=1_000_000)
        again = await made(store, a_call(session, a_use("add", "again", 1), entry=entry))
        assert again.value == value


async def check_every_effect_is_there_once(store: Store, told: Told, name: str) -> None:
    project = await store.find_project(name)
    assert project is not None
    project_id = project.id
    sessions = await store.list_sessions(SessionFilter(project_id=project_id))
    events = await store.list_events(EventFilter(project_id=project_id, limit=1_000_000))
    added, sent, received = 0, 0, 0
    for session in sessions:
        entries = await entries_of(store, session)
        added += len(entries["add"])
        taken = [values.decode(each.value)["id"] for each in entries["take"]]
        subscription = values.decode(entries["subscribe"][0].value)
        left = await all_left(store, session, TakeEvent(ids=(subscription,), deadline_at=None))
        assert Counter([*taken, *(each["id"] for each in left)]) == Counter(e.id for e in events)
        sent += len(entries["signal"])
        received += len(entries["take_signal"])
        received += len(await all_left(store, session, TakeSignal(names=("go",), deadline_at=None)))
    assert len(sessions) == WORKERS
    kept = await store.list_values(project_id, START)
    assert kept.get("total", b"0") == b"%d" % added
    assert "again" not in kept
    assert sent == received
    assert told.events <= {event.id for event in events}


async def entries_of(store: Store, session: Session) -> dict[str, list[JournalEntry]]:
    """The session's entries by the name of their call."""
    named: dict[str, list[JournalEntry]] = {
        name: [] for name in ("subscribe", "add", "take", "signal", "take_signal")
    }
    async for page in store.read_journal(session.id):
        for entry in page:
            named[entry.name].append(entry)
    return named


async def all_left(store: Store, session: Session, take: TakeEvent | TakeSignal) -> list[Any]:
    """Everything that still waits to be taken."""
    found: list[Any] = []
    while True:
        result = await made(store, a_call(session, take, entry=None))
        if result.is_waiting:
            return found
        found.append(value_of(result))


async def check(path: Path, told: Told, round_: int) -> None:
    async with await open_sqlite_store(path, check=True) as store:
        await check_every_acknowledged_call_is_recorded(store, told)
        await check_every_effect_is_there_once(store, told, f"round-{round_}")


async def test_a_killed_service_applied_every_call_once(path: Path) -> None:
    told = await killed_while_asking(path, 0, lines=200)

    await check(path, told, 0)


@pytest.mark.slow
async def test_a_service_killed_again_and_again_applied_every_call_once(path: Path) -> None:
    chance = random.Random(20261121)  # noqa: S311 - no secret: moments to be killed at

    for round_ in range(6):
        told = await killed_while_asking(path, round_, lines=chance.randrange(1, 900))

        await check(path, told, round_)
