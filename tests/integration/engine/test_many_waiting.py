"""Thousands of sessions wait for one event: they cost nothing, all are served, and nobody else is held up."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hookline_service.model.calls import CallResult, Subscribe
from hookline_service.model.ids import new_subscription_id
from hookline_service.model.sessions import Session, SessionFilter, SessionState
from hookline_service.storage.protocols import Store
from hookline_service.storage.sqlite import open_sqlite_store
from hookline_triggers.filters import compile_filter
from tests.builders.calls import a_call
from tests.builders.engine import prepared
from tests.builders.moments import START, next_moment
from tests.builders.sessions import a_begin, a_change, a_session
from tests.builders.talking import a_talking_release, take_event, talking
from tests.fakes.runner_host import FakeRunnerHost, Seen

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LONGEST_S = 120.0  # far more than it takes: that no session is forgotten; the bench measures the time of 10,000
LONGEST_TURN_S = 0.5  # that it is cut into turns at all; how long they are, the bench measures


async def all_waiting(store: Store, sessions: Sequence[Session], filters: int) -> dict[str, str]:
    """Make each of them wait for an event of `news`; session → subscription."""
    subscriptions: dict[str, str] = {}
    left = len(sessions)
    is_done = anyio.Event()

    def stored(result: CallResult | Exception | bool) -> None:
        nonlocal left
        assert not isinstance(result, Exception)
        left -= 1
        if left == 0:
            is_done.set()

    for number, session in enumerate(sessions):
        found = new_subscription_id(next_moment())
        text = f"data.n >= {number % filters - filters}"
        subscribe = Subscribe(id=found, source="news", filter=text)
        subscriptions[session.id] = found
        store.change_session_soon(a_begin(session.id), [], lambda _: None)
        store.call_soon(a_call(session, subscribe), lambda _: None)
        waiting = a_change(
            session.id, SessionState.WAITING, expected_attempt=1, topics=(f"sub:{found}",)
        )
        store.change_session_soon(waiting, [], stored)
        if number % 500 == 0:
            await anyio.lowlevel.checkpoint()
    await is_done.wait()
    return subscriptions


class Busy:
    """For how long the event loop's thread worked at worst without giving others their turn.

    Its own time counts, not that of the clock: other processes of the machine may take as much as they like.
    """

    def __init__(self) -> None:
        self.worst_s = 0.0

    async def watch(self) -> None:
        while True:
            began = time.thread_time()
            await anyio.lowlevel.checkpoint()
            self.worst_s = max(self.worst_s, time.thread_time() - began)
            await anyio.sleep(0.002)


@pytest.fixture
def as_in_the_service() -> Iterator[None]:
    """What is needed once is loaded, and the garbage collector does not walk it."""
    compile_filter("data.n == 1")
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize(("count", "filters"), [(4_000, 1), (2_000, 1_000)])
@pytest.mark.usefixtures("as_in_the_service")
async def test_one_event_wakes_thousands_and_holds_nobody_up(
    tmp_path: Path, count: int, filters: int
) -> None:
    store = await open_sqlite_store(tmp_path / "hookline.db")
    release = await prepared(store, a_talking_release())
    sessions = [a_session(release, created_at=START) for _ in range(count)]
    await store.add_sessions(sessions)
    subscriptions = await all_waiting(store, sessions, filters)
    busy = Busy()

    async def script(host: FakeRunnerHost, seen: Seen) -> None:
        await take_event(host, seen, 1, subscriptions[seen.session])
        await host.done(seen)

    async with (
        talking(store, release, lease_s=600) as talk,
        talk.rig.host(capacity=50, script=script),
        anyio.create_task_group() as tasks,
    ):
        await talk.rig.connected()
        tasks.start_soon(busy.watch)
        recorded = await talk.send(data=b'{"n":1}')
        with anyio.fail_after(LONGEST_S):
            await talk.until_ended(count)
        tasks.cancel_scope.cancel()
    left = await store.list_sessions(SessionFilter(state=SessionState.WAITING))
    await store.aclose()

    assert len(recorded.woken) == count
    assert left == []
    assert busy.worst_s < LONGEST_TURN_S
