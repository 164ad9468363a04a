"""Session processes run other people's code: nothing that one says may hurt another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hookline_runner.frames import LINK_CHANNEL, Frame, FrameType
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
from tests.fakes.runner_host import FakeRunnerHost, Seen, an_entry_row

HUGE = 10**30


def an_append(*, n: Any = 1, **changed: Any) -> bytes:
    """The header of an APPEND with one entry, some columns of which (as `c4`) are replaced."""
    row = an_entry_row(0)
    for column, value in changed.items():
        row[int(column.removeprefix("c"))] = value
    return json.dumps({"n": n, "entries": [row]}).encode()


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
    "a frame of the service": (FrameType.START, b"{}"),
    "a frame of the link": (FrameType.HELLO, b"{}"),
}


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
        (FrameType.HEARTBEAT, b"{"),
    ],
)
async def test_a_mad_host_costs_nothing_but_its_own_link(
    rig: EngineRig, kind: FrameType, header: bytes
) -> None:
    async with rig.host() as mad, rig.host() as host:
        await rig.connected(2)
        await mad.send_raw(kind, LINK_CHANNEL, header)
        await rig.quiet()
        session = await rig.start()
        await mad.disconnect()
        seen = await host.next_start()
        await host.done(seen)
        ended = await rig.until(session)

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
