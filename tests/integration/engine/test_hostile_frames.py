"""Session processes run other people's code: nothing that one says may hurt another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hookline_runner.frames import LINK_CHANNEL, MAX_FRAME_BYTES, PREFIX, Frame, FrameType
from hookline_service.engine.wire import (
    Position,
    WireError,
    read_done,
    read_entries,
    read_exit,
    read_log,
    read_suspend,
)
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import SessionState
from tests.builders.engine import EngineRig
from tests.builders.moments import START
from tests.fakes.runner_host import FakeRunnerHost, Seen, an_entry_row

HUGE = 10**30


def an_append(*, n: Any = 1, **changed: Any) -> bytes:
    """The header of an APPEND with one entry, some columns of which (as `c4`) are replaced."""
    row = an_entry_row(0)
    for column, value in changed.items():
        row[int(column.removeprefix("c"))] = value
    return json.dumps({"n": n, "entries": [row]}).encode()


def _nested(text: bytes) -> bytes:
    """The text with as many lists in place of `@` as can be read, but not shown."""
    return text.replace(b'"@"', b"[" * 1_020 + b"]" * 1_020)


HOSTILE: dict[str, tuple[FrameType, bytes]] = {
    "no JSON": (FrameType.APPEND, b"{"),
    "not UTF-8": (FrameType.LOG, b"\xff\xfe"),
    "no object": (FrameType.APPEND, b"[1]"),
    "empty": (FrameType.APPEND, b""),
    "deep": (FrameType.APPEND, b"[" * 100_000),
    "no fields": (FrameType.APPEND, b"{}"),
    "entries no list": (FrameType.APPEND, b'{"n":1,"entries":7}'),
    "row too short": (FrameType.APPEND, b'{"n":1,"entries":[[1,2]]}'),
    "row an object": (FrameType.APPEND, b'{"n":1,"entries":[{}]}'),
    "row a text": (FrameType.APPEND, b'{"n":1,"entries":["abcdefghijklmno"]}'),
    "number no number": (FrameType.APPEND, an_append(n="x")),
    "number huge": (FrameType.APPEND, an_append(n=HUGE)),
    "number infinite": (FrameType.APPEND, an_append(n=0).replace(b'"n": 0', b'"n": 1e400')),
    "index huge": (FrameType.APPEND, an_append(c1=HUGE)),
    "index negative": (FrameType.APPEND, an_append(c1=-1)),
    "index a fraction": (FrameType.APPEND, an_append(c1=1.5)),
    "kind unknown": (FrameType.APPEND, an_append(c2="magic")),
    "kind of the service": (FrameType.APPEND, an_append(c2="call")),
    "name no text": (FrameType.APPEND, an_append(c3=3)),
    "line huge": (FrameType.APPEND, an_append(c5=HUGE)),
    "size too large": (FrameType.APPEND, an_append(c9=2)),
    "size negative": (FrameType.APPEND, an_append(c9=-1)),
    "size a fraction": (FrameType.APPEND, an_append(c9=0.5)),
    "size huge": (FrameType.APPEND, an_append(c9=HUGE)),
    "time not a number": (FrameType.APPEND, an_append(c12=float("nan"))),
    "time infinite": (FrameType.APPEND, an_append(c13=1e308)),
    "time a text": (FrameType.APPEND, an_append(c12="now")),
    "wake time huge": (FrameType.APPEND, an_append(c14=HUGE)),
    "log no list": (FrameType.LOG, b'{"r":1}'),
    "log kind unknown": (FrameType.LOG, b'{"r":[[1,"magic","","x"]]}'),
    "log text missing": (FrameType.LOG, b'{"r":[[1,"print",""]]}'),
    "log time huge": (FrameType.LOG, b'{"r":[[1e30,"print","","x"]]}'),
    "done with a text as error": (FrameType.DONE, b'{"ok":false,"error":"no"}'),
    "done without a type": (FrameType.DONE, b'{"ok":false,"error":{"message":"x"}}'),
    "done with a number as display": (FrameType.DONE, b'{"ok":true,"display":1}'),
    "suspend without a time": (FrameType.SUSPEND, b"{}"),
    "suspend for ever": (FrameType.SUSPEND, b'{"wake_at":1e300}'),
    "suspend until nothing": (FrameType.SUSPEND, b'{"wake_at":null}'),
    "number deep": (FrameType.APPEND, _nested(an_append(n="@"))),
    "index deep": (FrameType.APPEND, _nested(an_append(c1="@"))),
    "kind deep": (FrameType.APPEND, _nested(an_append(c2="@"))),
    "time deep": (FrameType.APPEND, _nested(an_append(c12="@"))),
    "log time deep": (FrameType.LOG, _nested(b'{"r":[["@","print","","x"]]}')),
    "log kind deep": (FrameType.LOG, _nested(b'{"r":[[1,"@","","x"]]}')),
    "suspend until something deep": (FrameType.SUSPEND, _nested(b'{"wake_at":"@"}')),
    "done with something deep": (FrameType.DONE, _nested(b'{"ok":true,"answer":"@"}')),
    "call number deep": (FrameType.CALL, _nested(b'{"n":"@","op":"store","args":{}}')),
    "call value deep": (FrameType.CALL, _nested(b'{"n":1,"op":"outcome","args":{"value":"@","event":"e"}}')),
    "call value deep and long": (FrameType.CALL, _nested(b'{"n":1,"op":"outcome","args":{"value":["@","%s"],"event":"e"}}' % (b"x" * 9_000))),
    "call of an operation with a deep deadline": (FrameType.CALL, _nested(b'{"n":1,"op":"take_event","args":{"subscriptions":["s"],"deadline_at":"@"}}')),
    "call with a deep memo": (FrameType.CALL, _nested(b'{"n":1,"op":"start_session","args":{"entry_point":"a.py:f","memo":"@"}}')),
    "call of another project, deep": (FrameType.CALL, _nested(b'{"n":1,"op":"start_session","args":{"entry_point":"a.py:f","project":"@"}}')),
    "a type that nobody knows": (FrameType.UNKNOWN, b"{}"),
    "a frame of the service": (FrameType.START, b"{}"),
    "a frame of the link": (FrameType.HELLO, b"{}"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_frame_ends_its_own_attempt_and_no_other(rig: EngineRig, name: str) -> None:
    kind, header = HOSTILE[name]
    async with rig.host() as host:
        evil, good = await rig.start(), await rig.start()
        bad, fine = await host.next_start(), await host.next_start()
        await host.send_raw(kind, bad.channel, header, b"1")
        await bad.until(lambda seen: seen.stops)
        await host.append(fine, 1, "fine")
        await fine.until(lambda seen: seen.acks)
        await host.done(fine)
        ended = await rig.until(good)

    assert bad.stops[0]["force"] is True
    assert ended.state is SessionState.COMPLETED
    assert await rig.store.list_entries(evil.id, 0, 10) == []


async def test_a_session_that_keeps_breaking_the_protocol_ends_with_that_reason(
    rig: EngineRig,
) -> None:
    async def script(host: FakeRunnerHost, seen: Seen) -> None:
        await host.send_raw(FrameType.APPEND, seen.channel, b"{")
        await seen.until(lambda seen: seen.stops)
        await host.exited(seen, signal=9)

    async with rig.host(script=script):
        session = await rig.start()
        ended = await rig.until(session)

    assert ended.error is not None
    assert ended.error.type == "ProcessCrashError"
    assert "broke the protocol" in ended.error.message
    assert ended.attempt == 3


async def test_what_comes_after_a_broken_frame_does_not_count(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await host.send_raw(FrameType.APPEND, seen.channel, b"{")
        await host.append(seen, 2, "late")
        await host.log(seen, "late")
        await host.done(seen)
        resumed = await host.next_start()
        await host.done(resumed)
        await rig.until(session)

    assert resumed.number == 2
    assert await rig.store.list_entries(session.id, 0, 10) == []
    assert "late" not in await rig.texts(session)


@pytest.mark.parametrize(
    "header",
    [
        _nested(b'{"reason": "killed", "status": "@", "signal": "@"}'),
        b'{"reason": "exited", "status": "x", "signal": 1' + b"0" * 3_000 + b"}",
        b'{"signal": -7}',
    ],
)
async def test_an_end_in_odd_words_is_an_end(rig: EngineRig, header: bytes) -> None:
    async with rig.host() as host:
        session = await rig.start(is_durable=False)
        seen = await host.next_start()
        await host.send_raw(FrameType.EXITED, seen.channel, header)
        ended = await rig.until(session)

    assert ended.state is SessionState.ERROR


@pytest.mark.parametrize(
    "prefix",
    [
        PREFIX.pack(MAX_FRAME_BYTES + 1, 0, FrameType.APPEND, 2) + bytes(MAX_FRAME_BYTES + 1),
        PREFIX.pack(2, 0, FrameType.APPEND, 3) + b"{}",
        PREFIX.pack(0, 0, 99, 0),
    ],
    ids=["too large", "header beyond the frame", "type unknown"],
)
async def test_a_frame_that_does_not_fit_ends_the_attempt_on_its_channel_alone(
    rig: EngineRig, prefix: bytes
) -> None:
    async with rig.host() as host:
        await rig.start()
        good = await rig.start()
        bad, fine = await host.next_start(), await host.next_start()
        host.send_bytes(prefix[:4] + bad.channel.to_bytes(4, "big") + prefix[8:])
        await bad.until(lambda seen: seen.stops)
        await host.done(fine)

        assert (await rig.until(good)).state is SessionState.COMPLETED


async def test_an_exception_that_nobody_thought_of_ends_one_attempt(
    rig: EngineRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with rig.host() as host:
        evil, good = await rig.start(is_durable=False), await rig.start()
        bad, fine = await host.next_start(), await host.next_start()
        with monkeypatch.context() as patch:
            patch.setattr(rig.inbox, "_log", fail)
            await host.log(bad, "x")
            await bad.until(lambda seen: seen.stops)
        await host.exited(bad, signal=9)
        await host.done(fine)
        ended = await rig.until(evil)

        assert (await rig.until(good)).state is SessionState.COMPLETED
    assert ended.error is not None
    assert "LOG: ZeroDivisionError" in ended.error.message


async def test_frames_for_a_channel_that_never_was_are_dropped(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        for channel in (77, 2**32 - 1):
            await host.send(FrameType.DONE, channel, {"ok": True})
            await host.send(FrameType.EXITED, channel, {})
        await host.done(seen)
        ended = await rig.until(session)

    assert ended.state is SessionState.COMPLETED


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        (FrameType.HEARTBEAT, b'{"channels": 5}'),
        (FrameType.HEARTBEAT, b'{"channels": [[1]], "rss_bytes": "x"}'),
        (FrameType.HEARTBEAT, b"[]"),
        (FrameType.PREPARED, b'{"request": [1]}'),
        (FrameType.PROGRESS, b"7"),
        (FrameType.HELLO, b"{}"),
        (FrameType.NEED_BUILD, b"{}"),
        (FrameType.IDLE_BUILDS, b"{}"),
        (FrameType.IDLE_BUILDS, b'{"builds": ["a", 7]}'),
        (FrameType.HEARTBEAT, b"{"),
        (FrameType.HEARTBEAT, b"[" * 200_000),
        (FrameType.HEARTBEAT, b'{"channels": [], "starts": ' + b"9" * 10_000 + b"}"),
        (FrameType.WELCOME, b"{}"),
        (FrameType.START, b"{}"),
        (FrameType.UNKNOWN, b"{}"),
        (FrameType.PREPARED, _nested(b'{"request": 1, "ok": true, "environment": "@", "python": "@"}')),
        (FrameType.PREPARED, _nested(b'{"request": 1, "error": {"code": "@", "message": "@"}}')),
        (FrameType.PROGRESS, _nested(b'{"request": 1, "text": "@"}')),
        (FrameType.NEED_BUILD, _nested(b'{"build": "@"}')),
        (FrameType.NEED_BUILD, b'{"build": "\\u0000"}'),
        (FrameType.IDLE_BUILDS, _nested(b'{"builds": ["@"]}')),
        (FrameType.HEARTBEAT, _nested(b'{"channels": ["@"], "starts": "@", "rss_bytes": "@"}')),
    ],
)  # fmt: skip
async def test_a_frame_of_a_host_that_cannot_be_read_costs_neither_it_nor_others(
    rig: EngineRig, kind: FrameType, header: bytes
) -> None:
    async with rig.host() as mad, rig.host() as host:
        await rig.connected(2)
        await mad.send_raw(kind, LINK_CHANNEL, header)
        await rig.quiet()
        was_kept = len(rig.pool.hosts()) == 2
        session = await rig.start()
        await mad.disconnect()
        seen = await host.next_start()
        await host.done(seen)
        ended = await rig.until(session)

    assert was_kept
    assert ended.state is SessionState.COMPLETED


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["activity", "print", "sleep", 0, 1, 2**53, 2**64, -1, 1e308]),
    lambda inner: (
        st.lists(inner, max_size=16)
        | st.dictionaries(
            st.sampled_from(["n", "entries", "r", "ok", "error", "type", "message", "display"])
            | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=40,
)
ROW = st.tuples(
    *(
        st.one_of(st.just(usual), JSON)
        for usual in ["", 0, "activity", "f", "m.py", 3, True, False, "json", 1, "{}", "1", 1.0]
    ),
    st.one_of(st.just(2.0), JSON),
    st.one_of(st.none(), JSON),
).map(list)
HEADERS = (
    st.binary(max_size=50)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"n": st.just(1) | JSON, "entries": st.lists(ROW, max_size=3)}).map(
        lambda value: json.dumps(value).encode()
    )
)


@given(header=HEADERS, payload=st.binary(max_size=10))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_header_makes_a_reader_fail_in_another_way(header: bytes, payload: bytes) -> None:
    frame = Frame(type=FrameType.APPEND, channel=1, header=header, payload=payload)
    position = Position(SessionId("ses_1"), 1, 0)

    for read in (
        lambda: read_entries(frame, position),
        lambda: read_log(frame, position),
        lambda: read_done(frame),
        lambda: read_suspend(frame),
        lambda: read_exit(frame),
    ):
        try:
            read()
        except WireError:
            continue


def a_call(op: Any, n: Any = 1, /, *, entry: Any = None, **args: Any) -> bytes:
    return json.dumps({"n": n, "op": op, "args": args, "entry": entry}).encode()


TAKE = {"subscriptions": ["sub_1"], "deadline_at": None}
ENTRY = ["", 0, "take", "main.py", 3, "{}", 1.0]
HOSTILE_CALLS: dict[str, bytes] = {
    "no JSON": b"{",
    "no fields": b"{}",
    "arguments a list": b'{"n":1,"op":"outcome","args":[],"entry":null}',
    "number negative": a_call("take_event", -1, **TAKE),
    "number no number": a_call("take_event", "1", **TAKE),
    "operation unknown": a_call("format_disk"),
    "operation no text": a_call(7),
    "operation huge": a_call("x" * 1_000_000),
    "nothing given": a_call("take_event"),
    "subscriptions no list": a_call("take_event", subscriptions="sub_1", deadline_at=None),
    "subscription no text": a_call("take_event", subscriptions=[1], deadline_at=None),
    "subscriptions too many": a_call("take_event", subscriptions=["s"] * 10_001, deadline_at=None),
    "deadline no time": a_call("take_event", subscriptions=["s"], deadline_at="noon"),
    "deadline far away": a_call("take_event", subscriptions=["s"], deadline_at=1e300),
    "entry too short": a_call("take_event", entry=[1], **TAKE),
    "entry no list": a_call("take_event", entry=7, **TAKE),
    "entry index negative": a_call("take_event", entry=["", -1, *ENTRY[2:]], **TAKE),
    "entry branch no text": a_call("take_event", entry=[3, *ENTRY[1:]], **TAKE),
    "entry time far away": a_call("take_event", entry=[*ENTRY[:-1], 1e300], **TAKE),
    "source no text": a_call("subscribe", source=None, filter=""),
    "filter no text": a_call("subscribe", source="news", filter=7),
    "signal without payload": a_call("signal", session="ses_1", name="n"),
    "form unknown": a_call("signal", session="ses_1", name="n", payload={"$pickle": "x"}),
    "form malformed": a_call("signal", session="ses_1", name="n", payload={"$bytes": 7}),
    "form mixed": a_call("signal", session="ses_1", name="n", payload={"$bytes": "", "x": 1}),
    "value too deep": a_call("outcome", value=json.loads("[" * 200 + "]" * 200), event="e"),
    "value far too deep": b'{"n":1,"op":"outcome","args":{"value":' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
    "event no text": a_call("outcome", value=1, event=7),
    "store operation unknown": a_call("store", op="drop", key="k", operands=[], ttl_s=None),
    "store operation no text": a_call("store", op=[], key="k", operands=[], ttl_s=None),
    "store operands no list": a_call("store", op="get", key="k", operands=7, ttl_s=None),
    "store operands many": a_call("store", op="set", key="k", operands=[1, 2, 3], ttl_s=None),
    "store key no text": a_call("store", op="get", key=7, operands=[], ttl_s=None),
    "store life no number": a_call("store", op="get", key="k", operands=[], ttl_s="1"),
    "child without entry point": a_call("start_session", data=None, memo=None, project=""),
    "child memo no object": a_call("start_session", entry_point="a.py:f", memo=[1], project=""),
    "child memo no texts": a_call("start_session", entry_point="a.py:f", memo={"a": 1}, project=""),
    "child project no text": a_call("start_session", entry_point="a.py:f", memo=None, project=[1]),
    "large nonsense": a_call("signal", session="s", name="n", payload=[{"$x": 1}] * 10_000),
}  # fmt: skip
REFUSED_CALLS: dict[str, tuple[bytes, str]] = {
    "no subscriptions of its own": (a_call("take_event", **TAKE), "subscription.not_found"),
    "signal to nobody": (a_call("signal", session="", name="", payload=1), "session.not_found"),
    "name too long": (a_call("signal", session="s", name="n" * 1001, payload=1), "call.name_too_long"),
    "filter unsound": (a_call("subscribe", source="news", filter="1 +"), "subscription.filter_invalid"),
    "filter too long": (a_call("subscribe", source="news", filter="data.x == " + "1" * 9000), "subscription.filter_invalid"),
    "outcome of nothing": (a_call("outcome", value=1, event="evt_none"), "event.not_found"),
    "life negative": (a_call("store", op="set", key="k", operands=[1], ttl_s=-1), "store.ttl_invalid"),
    "life for ever": (a_call("store", op="set", key="k", operands=[1], ttl_s=1e300), "store.ttl_invalid"),
    "child nowhere": (a_call("start_session", entry_point="../a.py:f", memo=None), "entry_point.invalid"),
    "child memo huge": (a_call("start_session", entry_point="a.py:f", memo={"a": "x" * 70_000}), "call.too_large"),
    "operands missing": (a_call("store", op="add", key="k", operands=[], ttl_s=None), "store.operation_invalid"),
}  # fmt: skip


@pytest.mark.parametrize("header", HOSTILE_CALLS.values(), ids=HOSTILE_CALLS)
async def test_a_call_that_no_session_makes_ends_it_and_no_other(
    rig: EngineRig, header: bytes
) -> None:
    async with rig.host() as host:
        other = await rig.start()
        other_seen = await host.next_start()
        session = await rig.start(is_durable=False)
        seen = await host.next_start()
        await host.send_raw(FrameType.CALL, seen.channel, header)
        await seen.until(lambda seen: seen.stops)
        await host.exited(seen, signal=9)
        ended = await rig.until(session)
        await host.done(other_seen)

        assert (await rig.until(other)).state is SessionState.COMPLETED
    assert ended.error is not None
    assert "protocol" in ended.error.message
    assert seen.replies == {}


@pytest.mark.parametrize(("header", "code"), REFUSED_CALLS.values(), ids=REFUSED_CALLS)
async def test_a_call_that_cannot_be_carried_out_is_refused_and_the_session_goes_on(
    rig: EngineRig, header: bytes, code: str
) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await host.send_raw(FrameType.CALL, seen.channel, header)
        reply = await seen.reply(1)
        await host.done(seen)

        assert (await rig.until(session)).state is SessionState.COMPLETED
    assert (reply.header["ok"], reply.code) == (False, code)


@pytest.mark.parametrize(
    "header",
    [
        b"{}",
        b'{"wake_at":null}',
        b'{"wake_at":null,"topics":[]}',
        b'{"wake_at":"noon"}',
        b'{"wake_at":1e400}',
        b'{"wake_at":null,"topics":"sig:a"}',
        b'{"wake_at":null,"topics":[7]}',
        b'{"wake_at":null,"topics":["elsewhere"]}',
        b'{"wake_at":null,"topics":["sig:' + b"x" * 2000 + b'"]}',
    ],
)
async def test_a_session_cannot_wait_for_nothing(rig: EngineRig, header: bytes) -> None:
    async with rig.host() as host:
        session = await rig.start(is_durable=False)
        seen = await host.next_start()
        await host.send_raw(FrameType.SUSPEND, seen.channel, header)
        await seen.until(lambda seen: seen.stops)
        await host.exited(seen, signal=9)

        assert (await rig.until(session)).state is SessionState.ERROR


async def test_calls_of_an_attempt_that_is_being_ended_do_nothing(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        await host.send_raw(FrameType.CALL, seen.channel, a_call("format_disk"))
        sent = {"op": "set", "key": "k", "operands": [1], "ttl_s": None}
        await host.send_call(seen, 2, "store", sent)
        await seen.until(lambda seen: seen.stops)
        await host.exited(seen, signal=9)
        await rig.until(session, SessionState.RUNNING, SessionState.ERROR)

        assert await rig.store.list_values(session.project_id, START) == {}
    assert seen.replies == {}


async def test_a_session_may_not_have_countless_calls_under_way(rig: EngineRig) -> None:
    async with rig.host() as host:
        session = await rig.start(is_durable=False)
        seen = await host.next_start()
        rig.inbox._calls._store = _Silent()  # a store that never answers
        for number in range(20_001):
            await host.send_raw(
                FrameType.CALL, seen.channel, a_call("outcome", number, value=1, event="e")
            )
        await seen.until(lambda seen: seen.stops)
        await host.exited(seen, signal=9)

        assert (await rig.until(session)).state is SessionState.ERROR


class _Silent:
    def call_soon(self, call: object, on_stored: object) -> None:
        """Nothing."""
