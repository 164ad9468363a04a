"""What sessions ask of the service, from their frame to the reply and what comes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from hookline_service.engine.exports import Exports
from hookline_service.engine.masking import Mask
from hookline_service.model.calls import ChildLimits
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import EntryKind, Session, SessionFilter, SessionState
from hookline_service.storage.protocols import Store
from tests.builders.engine import prepared, running_engine
from tests.builders.moments import START, after
from tests.builders.projects import a_release
from tests.builders.sessions import a_session
from tests.builders.talking import TalkRig, a_talking_release, take_event, talking
from tests.fakes.refusing_store import RefusingStore
from tests.fakes.runner_host import FakeRunnerHost, Seen
from tests.fakes.start_contexts import FakeStartContexts


@pytest.fixture
async def talk(store: Store) -> AsyncIterator[TalkRig]:
    async with talking(store, await prepared(store, a_talking_release())) as found:
        yield found


async def begun(talk: TalkRig, host: FakeRunnerHost, **fields: Any) -> tuple[Session, Seen]:
    session = await talk.rig.start(**fields)
    return session, await host.next_start()


async def store_call(host: FakeRunnerHost, seen: Seen, n: int, op: str, *operands: Any) -> Any:
    wanted = {"op": op, "key": "k", "operands": list(operands), "ttl_s": None}
    return await host.call(seen, n, "store", at=n - 1, **wanted)


async def test_a_call_is_in_the_journal_when_it_is_replied_to(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        session, seen = await begun(talk, host)
        await host.append(seen, 1, "fetch")
        reply = await host.call(seen, 1, "store", at=1, op="set", key="k", operands=[7], ttl_s=None)
        entries = await talk.store.list_entries(session.id, 0, 100)

    assert reply.header == {"n": 1, "ok": True, "wait": False, "error": None}
    assert [(each.index, each.kind, each.name) for each in entries] == [
        (0, EntryKind.ACTIVITY, "fetch"),
        (1, EntryKind.CALL, "store"),
    ]
    assert entries[0].seq < entries[1].seq
    assert await talk.store.list_values(session.project_id, START) == {"k": b"7"}


async def test_a_session_without_a_journal_makes_calls_all_the_same(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        session, seen = await begun(talk, host, is_durable=False)
        wanted: dict[str, Any] = {"op": "add", "key": "k", "operands": [2], "ttl_s": None}
        first = await host.call(seen, 1, "store", **wanted)
        second = await host.call(seen, 2, "store", **wanted)

    assert (first.value, second.value) == (2, 4)
    assert await talk.store.count_entries(session.id) == 0


async def test_secrets_are_covered_in_what_is_shown_of_a_call(store: Store) -> None:
    contexts = FakeStartContexts(mask=Mask(["hunter22"]))
    release = await prepared(store, a_talking_release())
    async with talking(store, release, contexts=contexts) as talk, talk.rig.host() as host:
        session, seen = await begun(talk, host)
        await host.call(
            seen, 1, "store", at=0, arguments='["hunter22"]', op="set", key="k",
            operands=["hunter22"], ttl_s=None,
        )  # fmt: skip
        (entry,) = await store.list_entries(session.id, 0, 10)

    assert b"hunter22" not in entry.arguments + entry.display


async def test_secrets_are_covered_in_the_memo_of_a_child(store: Store) -> None:
    contexts = FakeStartContexts(mask=Mask(["hunter22"]))
    release = await prepared(store, a_talking_release())
    async with talking(store, release, contexts=contexts) as talk, talk.rig.host() as host:
        _, seen = await begun(talk, host)
        reply = await host.call(
            seen, 1, "start_session", at=0, entry_point="main.py:part",
            data={"key": "hunter22"}, memo={"hunter22": "it is hunter22"}, project="",
        )  # fmt: skip
        child = await store.get_session(reply.value)

    assert child.input == b'{"key":"hunter22"}'
    assert b"hunter22" not in (child.memo or b"hunter22")


async def test_a_subscription_gets_what_comes_after_it_and_not_before(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        await talk.send(data=b'{"n":0}')
        _, seen = await begun(talk, host)
        subscription = await host.call(seen, 1, "subscribe", at=0, source="news", filter="")
        recorded = await talk.send(data=b'{"n":1}')
        taken = await take_event(host, seen, 2, subscription.value)

    assert recorded.session_ids == ()
    assert (taken["id"], taken["type"], taken["data"]) == (recorded.event_id, "post", {"n": 1})


async def test_a_running_session_is_told_when_something_comes(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)
        subscription = await host.call(seen, 1, "subscribe", at=0, source="news", filter="")
        assert await take_event(host, seen, 2, subscription.value) is None

        await talk.send()
        await seen.until(lambda seen: seen.wakes == 1)

        assert (await take_event(host, seen, 3, subscription.value))["data"] == {"n": 1}


async def test_a_session_is_told_what_has_come(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        session, seen = await begun(talk, host)
        two = [
            (await host.call(seen, n, "subscribe", at=n, source="news", filter="")).value
            for n in (1, 2)
        ]
        await talk.send()
        await seen.until(lambda seen: seen.wakes == 1)
        await host.call(seen, 3, "signal", at=3, session=session.id, name="go", payload=1)
        await seen.until(lambda seen: seen.wakes == 2)
        wanted: dict[str, Any] = {
            "entry_point": "main.py:part",
            "data": {},
            "memo": {},
            "project": "",
        }
        child = (await host.call(seen, 4, "start_session", at=4, **wanted)).value
        await host.done(await host.next_start())
        await seen.until(lambda seen: seen.wakes == 3)

    assert seen.topics == [*sorted(f"sub:{each}" for each in two), "sig:go", f"sig:{child}"]


async def test_a_waiting_session_goes_on_when_something_comes(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        session, subscription = await talk.waiting(host)
        waiting = await talk.rig.until(session, SessionState.WAITING)
        recorded = await talk.send()
        resumed = await host.next_start()
        taken = await take_event(host, resumed, 1, subscription)

    assert waiting.wake_at is None
    assert tuple(recorded.woken) == (session.id,)
    assert (resumed.number, taken["data"]) == (2, {"n": 1})
    assert "waiting for an event" in await talk.rig.texts(session)


async def test_what_comes_while_a_session_suspends_wakes_it(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)
        subscription = (await host.call(seen, 1, "subscribe", at=0, source="news", filter="")).value
        assert await take_event(host, seen, 2, subscription) is None
        await talk.send()
        await host.suspend(seen, None, f"sub:{subscription}")

        resumed = await host.next_start()

        assert await take_event(host, resumed, 1, subscription) is not None


async def test_a_filter_that_does_not_parse_is_refused_with_the_reason(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        session, seen = await begun(talk, host)
        reply = await host.call(seen, 1, "subscribe", at=0, source="news", filter="data.x ==")
        unknown = await host.call(seen, 2, "subscribe", at=1, source="nothing", filter="")
        entries = await talk.store.list_entries(session.id, 0, 10)

    assert (reply.header["ok"], reply.code) == (False, "subscription.filter_invalid")
    assert "data.x ==" in reply.header["error"]["message"]
    assert unknown.code == "subscription.source_not_found"
    assert [each.ok for each in entries] == [False, False]
    assert len(talk.subscriptions) == 0


async def test_an_ended_subscription_gets_nothing_more(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        session, seen = await begun(talk, host)
        first = (await host.call(seen, 1, "subscribe", at=0, source="news", filter="")).value
        await host.call(seen, 2, "subscribe", at=1, source="news", filter="")
        await host.call(seen, 3, "unsubscribe", at=2, subscription=first)
        before = len(talk.subscriptions)
        await host.done(seen)
        await talk.rig.until(session)
        recorded = await talk.send()

    assert before == 1
    assert len(talk.subscriptions) == 0
    assert recorded.woken == {}


async def test_a_subscription_of_another_session_is_not_ended(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        _, first = await begun(talk, host)
        subscription = (
            await host.call(first, 1, "subscribe", at=0, source="news", filter="")
        ).value
        _, second = await begun(talk, host)
        await host.call(second, 1, "unsubscribe", at=0, subscription=subscription)
        await talk.send()

        assert await take_event(host, first, 2, subscription) is not None


async def test_a_signal_reaches_a_session_that_waits_for_it(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        session, seen = await begun(talk, host)
        wanted = {"names": ["go"], "deadline_at": None}
        nothing = await host.call(seen, 1, "take_signal", at=0, **wanted)
        await host.suspend(seen, None, "sig:go")
        await talk.rig.until(session, SessionState.WAITING)
        _, other = await begun(talk, host)
        signal = {"session": session.id, "name": "go", "payload": {"$bytes": "aGk="}}
        await host.call(other, 1, "signal", at=0, **signal)
        resumed = await host.next_start()
        taken = await host.call(resumed, 1, "take_signal", at=0, **wanted)

    assert nothing.header["wait"] is True
    assert resumed.session == session.id
    assert taken.value == {"name": "go", "payload": {"$bytes": "aGk="}}


async def test_a_wait_ends_at_its_deadline(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)
        wanted = {"names": ["go"], "deadline_at": after(10).timestamp()}
        await host.call(seen, 1, "take_signal", at=0, **wanted)
        await host.suspend(seen, after(10).timestamp(), "sig:go")
        talk.rig.advance(10)
        resumed = await host.next_start()
        taken = await host.call(resumed, 1, "take_signal", at=0, **wanted)

    assert (taken.header["wait"], taken.value) == (False, None)


async def test_a_child_runs_what_its_parent_runs(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        parent, seen = await begun(talk, host)
        reply = await host.call(
            seen, 1, "start_session", at=0, entry_point="main.py:part",
            data={"n": 1, "at": {"$time": "2026-01-01T00:00:00+00:00"}}, memo={"why": "parts"}, project="",
        )  # fmt: skip
        started = await host.next_start()
        child = await talk.store.get_session(reply.value)

    assert started.session == reply.value
    assert started.start["event"] == {
        "id": None,
        "type": None,
        "data": {"n": 1, "at": "2026-01-01T00:00:00+00:00"},
    }
    assert started.start["answers"] == "parent"
    assert (child.parent_id, child.memo) == (parent.id, b'{"why": "parts"}')
    assert (child.build_id, child.deployment_id) == (parent.build_id, parent.deployment_id)
    assert child.is_durable == parent.is_durable


async def test_a_parent_that_waits_goes_on_when_its_child_ends(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)
        start = {"entry_point": "main.py:part", "data": None, "memo": None, "project": ""}
        child = (await host.call(seen, 1, "start_session", at=0, **start)).value
        await host.suspend(seen, None, f"sig:{child}")
        await host.done(await host.next_start(), answer={"sum": 3})
        resumed = await host.next_start()
        wanted = {"names": [child], "deadline_at": None}
        taken = await host.call(resumed, 1, "take_signal", at=1, **wanted)

    assert taken.value["payload"] == {"completed": True, "value": {"sum": 3}}


START_PART: dict[str, Any] = {"entry_point": "main.py:part", "data": None, "memo": None}


async def test_a_child_of_another_project_runs_its_active_deployment(talk: TalkRig) -> None:
    other = await prepared(talk.store, a_release())
    talk.rig.contexts.exports[other.build.id] = {"main.py:part": None}
    async with talk.rig.host() as host:
        parent, seen = await begun(talk, host)
        wanted = {**START_PART, "project": other.project.name}
        reply = await host.call(seen, 1, "start_session", at=0, **wanted)
        child = await talk.store.get_session(reply.value)

    assert (child.project_id, child.build_id) == (other.project.id, other.build.id)
    assert (child.deployment_id, child.parent_id) == (other.deployment.id, parent.id)


@pytest.mark.parametrize(
    "exports",
    [{}, {"main.py:other": None}, {"main.py:part": frozenset({"somebody"})}],
    ids=["nothing", "something else", "to somebody else"],
)
async def test_what_another_project_does_not_export_is_refused_and_recorded(
    talk: TalkRig, exports: Exports
) -> None:
    other = await prepared(talk.store, a_release())
    talk.rig.contexts.exports[other.build.id] = exports
    wanted = {**START_PART, "project": other.project.name}
    async with talk.rig.host() as host:
        session, seen = await begun(talk, host)
        reply = await host.call(seen, 1, "start_session", at=0, **wanted)
        (entry,) = await talk.store.list_entries(session.id, 0, 10)
        there = await talk.store.list_sessions(SessionFilter(project_id=other.project.id))

    assert reply.code == "project.not_exported"
    assert (entry.ok, b"project.not_exported" in entry.value) == (False, True)
    assert there == []


@pytest.mark.parametrize(
    ("exports", "code"),
    [({}, ""), ({"main.py:part": None}, ""), ({"main.py:other": None}, "project.not_exported")],
    ids=["nothing", "this", "something else"],
)
async def test_where_exports_are_optional_a_project_that_has_none_is_open(
    store: Store, exports: Exports, code: str
) -> None:
    release, other = await prepared(store), await prepared(store)
    wanted = {**START_PART, "project": other.project.name}
    async with running_engine(store, release, needs_exports=False) as rig, rig.host() as host:
        rig.contexts.exports[other.build.id] = exports
        await rig.start()
        reply = await host.call(await host.next_start(), 1, "start_session", at=0, **wanted)

    assert reply.code == code


async def test_a_project_starts_what_it_likes_of_its_own_by_its_name(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)
        wanted = {**START_PART, "project": talk.release.project.name}
        reply = await host.call(seen, 1, "start_session", at=0, **wanted)
        child = await talk.store.get_session(reply.value)

    assert child.project_id == talk.release.project.id


@pytest.mark.parametrize("was_allowed", [True, False])
async def test_a_start_that_was_recorded_answers_as_it_did_whatever_is_exported_now(
    talk: TalkRig, was_allowed: bool
) -> None:
    other = await prepared(talk.store, a_release())
    allowed, nothing = {"main.py:part": None}, {}
    talk.rig.contexts.exports[other.build.id] = allowed if was_allowed else nothing
    wanted = {**START_PART, "project": other.project.name}
    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)
        first = await host.call(seen, 1, "start_session", at=0, **wanted)
        talk.rig.contexts.exports[other.build.id] = nothing if was_allowed else allowed
        again = await host.call(seen, 2, "start_session", at=0, **wanted)
        there = await talk.store.list_sessions(SessionFilter(project_id=other.project.id))

    assert (again.code, again.value) == (first.code, first.value)
    assert len(there) == (1 if was_allowed else 0)


async def test_parent_and_child_reach_each_other_over_the_border_of_their_projects(
    talk: TalkRig,
) -> None:
    other = await prepared(talk.store, a_release())
    talk.rig.contexts.exports[other.build.id] = {"main.py:part": None}
    stranger = a_session(other)
    await talk.store.add_sessions([stranger])
    async with talk.rig.host() as host:
        parent, seen = await begun(talk, host)
        wanted = {**START_PART, "project": other.project.name}
        child = (await host.call(seen, 1, "start_session", at=0, **wanted)).value
        below = await host.next_start()
        codes = [
            (await host.call(who, n, "signal", at=n, session=to, name="go", payload=1)).code
            for who, n, to in [
                (seen, 2, child),
                (below, 1, parent.id),
                (below, 2, stranger.id),
                (seen, 3, stranger.id),
            ]
        ]

    assert codes == ["", "", "", "session.other_project"]


async def test_a_child_of_nowhere_is_refused(talk: TalkRig) -> None:
    idle = await prepared(talk.store, a_release())
    await talk.store.set_deployment_state(idle.deployment.id, "inactive")
    start = {"data": None, "memo": None}
    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)
        codes = [
            (await host.call(seen, n, "start_session", at=n, **start, **wanted)).code
            for n, wanted in enumerate(
                [
                    {"entry_point": "main.py:part", "project": "nobody"},
                    {"entry_point": "main.py:part", "project": idle.project.name},
                    {"entry_point": "nowhere", "project": ""},
                ]
            )
        ]

    assert codes == ["project.not_found", "deployment.none_active", "entry_point.invalid"]


async def test_a_session_that_starts_others_in_a_loop_is_refused_and_goes_on(store: Store) -> None:
    release = await prepared(store)
    limits = ChildLimits(waiting=3)
    wanted = {**START_PART, "project": ""}
    async with (
        running_engine(store, release, child_limits=limits) as rig,
        rig.host(capacity=1) as host,
    ):
        parent = await rig.start()
        seen = await host.next_start()
        codes = [(await host.call(seen, n, "start_session", at=n, **wanted)).code for n in range(5)]
        await host.done(seen)
        await host.done(await host.next_start())
        entries = await store.list_entries(parent.id, 0, 10)

    assert codes == ["", "", "", "child.too_many", "child.too_many"]
    assert [(each.ok, b"child.too_many" in each.value) for each in entries[2:]] == [
        (True, False),
        (False, True),
        (False, True),
    ]


async def test_a_session_cannot_be_a_child_of_children_without_end(store: Store) -> None:
    release, other = await prepared(store), await prepared(store)
    limits = ChildLimits(generations=2)
    async with running_engine(store, release, child_limits=limits) as rig, rig.host() as host:
        rig.contexts.exports[other.build.id] = {"main.py:part": None}
        await rig.start()
        codes: list[str] = []
        generations: list[int] = []
        for project in (release.project.name, "", other.project.name):
            seen = await host.next_start()
            generations.append((await store.get_session(SessionId(seen.session))).generation)
            wanted = {**START_PART, "project": project}
            codes.append((await host.call(seen, 1, "start_session", at=0, **wanted)).code)

    assert codes == ["", "", "child.too_deep"]
    assert generations == [0, 1, 2]


async def test_an_outcome_belongs_to_the_event_that_started_the_session(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        recorded = await talk.send("work")
        seen = await host.next_start()
        await host.call(seen, 1, "outcome", at=0, value={"body": "hi"}, event=None)
        _, manual = await begun(talk, host)
        refused = await host.call(manual, 1, "outcome", at=0, value=1, event=None)
        await host.call(manual, 2, "outcome", at=1, value=2, event=recorded.event_id)
        outcomes = await talk.store.list_outcomes(recorded.event_id)

    assert refused.code == "event.not_found"
    assert [each.value for each in outcomes] == [b'{"body":"hi"}', b"2"]


async def test_a_call_that_cannot_be_written_ends_the_attempt_and_is_made_again(
    store: Store,
) -> None:
    refusing = RefusingStore(store)
    release = await prepared(store, a_talking_release())
    async with talking(refusing, release) as talk, talk.rig.host() as host:
        _, seen = await begun(talk, host)
        refusing.refuse_times("call_soon", 1)
        entry = ["", 0, "store", "main.py", 3, "{}", 1.0]
        wanted = {"op": "add", "key": "k", "operands": [1], "ttl_s": None}
        await host.send_call(seen, 1, "store", wanted, entry)
        await seen.until(lambda seen: seen.stops)
        await host.exited(seen, signal=9)
        talk.rig.advance(5)
        resumed = await host.next_start()
        reply = await host.call(resumed, 1, "store", at=0, **wanted)

    assert seen.replies == {}
    assert reply.value == 1


async def test_a_large_call_holds_nobody_up_and_a_huge_one_is_refused(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)
        large = await store_call(host, seen, 1, "set", "x" * 40_000)
        huge = await host.call(
            seen, 2, "signal", at=1, session="s", name="n", payload="x" * 9_000_000
        )

    assert large.code == "store.value_too_large"
    assert huge.code == "call.too_large"


async def test_hosts_are_not_heard_while_too_many_large_calls_are_to_be_read(talk: TalkRig) -> None:
    inbox = talk.rig.inbox
    desk = inbox._calls  # pyright: ignore[reportPrivateUsage] - nobody outside sees what waits to be read

    async def until_paused(*, is_paused: bool) -> None:
        with anyio.fail_after(10):
            while inbox._is_paused is not is_paused:  # pyright: ignore[reportPrivateUsage] - as above
                await anyio.lowlevel.checkpoint()

    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)
        threads = desk._threads  # pyright: ignore[reportPrivateUsage] - held here, so that nothing is read
        for _ in range(int(threads.total_tokens)):
            await threads.acquire_on_behalf_of(object())
        wanted = {"session": "s", "name": "n", "payload": "x" * 8_000_000}
        for number in range(1, 4):
            await host.send_call(seen, number, "signal", wanted)
        await until_paused(is_paused=True)
        threads.total_tokens += 1
        codes = [(await seen.reply(number)).code for number in range(1, 4)]
        await until_paused(is_paused=False)

    assert codes == ["session.not_found"] * 3
    assert desk.waiting_bytes == 0


async def test_a_child_waits_for_its_turn_within_the_limit_of_the_project(store: Store) -> None:
    contexts = FakeStartContexts(limit_of_project=1)
    release = await prepared(store, a_talking_release())
    async with talking(store, release, contexts=contexts) as talk, talk.rig.host() as host:
        _, seen = await begun(talk, host)
        start = {"entry_point": "main.py:part", "data": None, "memo": None, "project": ""}
        child = (await host.call(seen, 1, "start_session", at=0, **start)).value
        await talk.rig.quiet()
        was_early = host.has_start
        await host.suspend(seen, None, f"sig:{child}")
        started = await host.next_start()

    assert not was_early
    assert started.session == child


async def test_a_session_by_hand_is_asked_for_no_answer(talk: TalkRig) -> None:
    async with talk.rig.host() as host:
        _, seen = await begun(talk, host)

    assert seen.start["answers"] is None
