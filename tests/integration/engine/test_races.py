"""Everything at once, in random orders that can be repeated: what must hold, holds."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup

from hookline.errors import HooklineError
from hookline_service.engine.admission import Limit
from hookline_service.model.sessions import FINAL_STATES, Session, SessionState
from hookline_service.storage.protocols import Store
from hookline_triggers.definitions import RetryPolicy
from tests.builders.chance import a_chance
from tests.builders.engine import EngineRig, prepared, running_engine
from tests.builders.moments import START
from tests.fakes.refusing_store import RefusingStore
from tests.fakes.runner_host import FakeRunnerHost, Seen

pytestmark = pytest.mark.slow

STEPS = 4
SEEDS = range(6)  # try range(200) after a change to the engine


@dataclass
class Witness:
    """Plays every session process, and sees what must never be."""

    rig: EngineRig
    chance: random.Random
    is_calm: bool = False
    alive: dict[str, tuple[FakeRunnerHost, int]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    acked: dict[str, list[str]] = field(default_factory=dict)
    attempts: int = 0

    @property
    def store(self) -> Any:
        store = self.rig.store
        return store.store if isinstance(store, RefusingStore) else store

    async def play(self, host: FakeRunnerHost, seen: Seen) -> None:
        self.attempts += 1
        self._check_alone(host, seen)
        self._check_journal(seen)
        self.alive[seen.session] = (host, seen.channel)
        found = await self.store.get_session(seen.session)
        assert found.state not in FINAL_STATES, "a session runs after its end"
        await self._run(host, seen)
        self.alive.pop(seen.session, None)

    async def _run(self, host: FakeRunnerHost, seen: Seen) -> None:
        recorded = len(seen.journal)
        for number in range(recorded, STEPS):
            if not self.is_calm and self.chance.random() < 0.15:
                await self._give_up(host, seen)
                return
            n = number - recorded + 1
            await host.append(seen, n, f"step {number}", first=number)
            await host.log(seen, f"did {number}")
            await seen.until(lambda seen, n=n: n in seen.acks or seen.stops)
            if n in seen.acks:
                self.acked.setdefault(seen.session, []).append(f"step {number}")
            if seen.stops:
                self.alive.pop(seen.session, None)
                await host.exited(seen, signal=9)
                return
        self.alive.pop(seen.session, None)
        await host.done(seen, ok=self.is_calm or self.chance.random() < 0.9)

    async def _give_up(self, host: FakeRunnerHost, seen: Seen) -> None:
        self.alive.pop(seen.session, None)
        if self.chance.random() < 0.5:
            at = self.rig.clock.now().timestamp() + self.chance.choice([-1, 0, 0.5, 5])
            await host.suspend(seen, at)
        else:
            await host.exited(seen, signal=11)

    def _check_alone(self, host: FakeRunnerHost, seen: Seen) -> None:
        other = self.alive.get(seen.session)
        if other is not None and not other[0]._transport.is_closing():
            assert other == (host, seen.channel), f"{seen.session} runs twice"
        last = self.numbers.get(seen.session, 0)
        is_repeat = seen.number == last and isinstance(self.rig.store, RefusingStore)
        assert seen.number > last or is_repeat, f"attempt {seen.number} after {last}"
        self.numbers[seen.session] = seen.number

    def _check_journal(self, seen: Seen) -> None:
        given = [row[4] for row in seen.journal]
        known = self.acked.get(seen.session, [])
        assert given[: len(known)] == known, "an acknowledged step is not in the journal"
        assert given == [f"step {number}" for number in range(len(given))]
        self.acked[seen.session] = given


@dataclass
class Stirrer:
    """Does random things to an engine; `sessions` are those it made."""

    rig: EngineRig
    witness: Witness
    chance: random.Random
    tasks: TaskGroup
    sessions: list[Session] = field(default_factory=list)
    hosts: list[FakeRunnerHost] = field(default_factory=list)

    async def run(self, steps: int) -> None:
        acts = [self.start, self.start, self.start, self.leave, self.stop, self.wake, self.turn]
        acts += [self.connect, self.disconnect, self.forget, self.start_again, self.refuse]
        for _ in range(steps):
            await self.chance.choice(acts)()
            for _ in range(self.chance.choice([0, 1, 5, 30])):
                await anyio.lowlevel.checkpoint()
        for host in self.hosts:
            host.drop()

    async def start(self) -> None:
        self.sessions.append(await self.rig.start())

    async def leave(self) -> None:
        """A session that the engine has to find by itself."""
        self.sessions.append(await self.rig.add())
        self.rig.engine.source.behind.add(self.rig.release.project.id)
        self.rig.engine.source.notice()

    async def stop(self) -> None:
        if self.sessions:
            session, force = self.chance.choice(self.sessions), self.chance.random() < 0.5
            self.tasks.start_soon(self._try_stop, session, force)

    async def _try_stop(self, session: Session, force: bool) -> None:
        try:
            await self.rig.engine.stop(session.id, reason="stirred", force=force)
        except HooklineError:
            return

    async def wake(self) -> None:
        if self.sessions:
            session = self.chance.choice(self.sessions)
            self.rig.engine.wake({session.id: ()})

    async def turn(self) -> None:
        self.rig.advance(self.chance.choice([0.1, 1, 6]))

    async def connect(self) -> None:
        if len(self.hosts) < 3:
            host = self.rig.host(capacity=self.chance.choice([1, 3]), script=self.witness.play)
            self.tasks.start_soon(live, host)
            self.hosts.append(host)

    async def disconnect(self) -> None:
        if self.hosts and self.chance.random() < 0.4:
            self.hosts.pop(self.chance.randrange(len(self.hosts))).drop()

    async def forget(self) -> None:
        self.rig.contexts.at_hand = self.chance.random() < 0.5

    async def start_again(self) -> None:
        """Tell the engine once more of a session that it may have ended long ago."""
        if self.sessions:
            session = self.chance.choice(self.sessions[-3:])
            self.tasks.start_soon(self.rig.engine.start, session, None)

    async def refuse(self) -> None:
        if isinstance(self.rig.store, RefusingStore):
            names = ["change_session", "change_session_soon", "append_soon", "last_seq", "list_due"]
            self.rig.store.refuse_times(self.chance.choice(names), self.chance.choice([1, 2]))


async def stir(rig: EngineRig, witness: Witness, chance: random.Random) -> list[Session]:
    """Do random things to the engine for a while; the sessions made."""
    async with anyio.create_task_group() as tasks:
        stirrer = Stirrer(rig, witness, chance, tasks)
        await stirrer.run(150)
    return stirrer.sessions


async def live(host: FakeRunnerHost) -> None:
    async with host:
        await host.is_closed_by_service.wait()


async def come_to_rest(rig: EngineRig, witness: Witness) -> None:
    """Let everything go its way until every session has ended."""
    witness.is_calm = True
    if isinstance(rig.store, RefusingStore):
        rig.store.relent()
    async with rig.host(capacity=20, script=witness.play):
        for _ in range(1_000):
            rig.advance(10)
            rig.engine.source.behind.add(rig.release.project.id)
            await anyio.sleep(0.02)
            unfinished = await rig.store.list_unfinished(list(SessionState)[:3], None, 5)
            if not unfinished:
                await (
                    rig.settle()
                )  # what is tried again in a moment needs the host, to be found ended
                return
        pytest.fail(await describe_stuck(rig, unfinished))


async def describe_stuck(rig: EngineRig, sessions: list[Session]) -> str:
    lines = [f"live {rig.engine._live} changing {rig.engine._changing} alive"]
    for each in sessions:
        lines += [repr(each), repr(await rig.store.list_attempts(each.id))]
        lines += await rig.texts(each)
    return "\n".join(lines)


async def check(rig: EngineRig, sessions: list[Session]) -> None:
    for session in sessions:
        found = await rig.store.get_session(session.id)
        entries = await rig.store.list_entries(session.id, 0, 100)
        names = [entry.name for entry in entries]
        assert names == [f"step {number}" for number in range(len(names))]
        if found.state is SessionState.COMPLETED:
            assert len(names) == STEPS
        attempts = await rig.store.list_attempts(session.id)
        assert all(each.ended_at is not None for each in attempts)
    told = Counter(each.id for each in rig.ended)
    assert {each.id for each in sessions} <= set(told)
    assert set(told.values()) == {1}


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_session_is_lost_or_run_twice_in_any_order_of_things(
    store: Store, seed: int
) -> None:
    chance = a_chance(seed)
    release = await prepared(store)
    async with running_engine(store, release) as rig:
        rig.contexts.limits = (Limit("trigger:a", 4),) if seed % 2 else ()
        rig.contexts.retries = RetryPolicy(max_attempts=2 if seed % 3 == 0 else 1)
        witness = Witness(rig, chance)
        sessions = await stir(rig, witness, chance)
        await come_to_rest(rig, witness)
        await check(rig, sessions)

    assert witness.attempts > 0
    assert rig.clock.now() > START


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_same_holds_while_the_store_fails_now_and_then(store: Store, seed: int) -> None:
    chance = a_chance(seed)
    release = await prepared(store)
    async with running_engine(RefusingStore(store), release) as rig:
        witness = Witness(rig, chance)
        sessions = await stir(rig, witness, chance)
        await come_to_rest(rig, witness)
        await check(rig, sessions)


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_same_holds_over_starts_of_the_service(store: Store, seed: int) -> None:
    chance = a_chance(seed)
    release = await prepared(store)
    sessions: list[Session] = []
    numbers: dict[str, int] = {}
    acked: dict[str, list[str]] = {}
    for _ in range(3):
        async with running_engine(store, release) as rig:
            witness = Witness(rig, chance, numbers=numbers, acked=acked)
            sessions += await stir(rig, witness, chance)
        await store.append([], [])  # as closing the store does: what was under way is written

    async with running_engine(store, release) as rig:
        witness = Witness(rig, chance, numbers=numbers, acked=acked)
        await come_to_rest(rig, witness)

        for session in sessions:
            found = await store.get_session(session.id)
            assert found.state in FINAL_STATES
