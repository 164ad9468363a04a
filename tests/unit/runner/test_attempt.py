"""The life of an attempt, with the zygote, the process and the link played by fakes."""

from __future__ import annotations

import json
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

from hookline_runner.attempts import Attempt, StartRequest, read_start
from hookline_runner.errors import StartUnreadableError
from hookline_runner.flow import Hold
from hookline_runner.frames import FrameReader, FrameType, encode_frame
from hookline_runner.large_frames import LargeFrames
from hookline_runner.relay import FrameCutter, RawFrame
from hookline_runner.session_process import SessionProcess


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FakeLink:
    def __init__(self) -> None:
        self.sent: list[tuple[FrameType, int, dict[str, Any]]] = []
        self.projects: set[str] = set()
        self.large = LargeFrames(lambda: 0)

    def send_bytes(self, data: bytes, project: str = "") -> None:
        self.projects.add(project)
        for frame in FrameReader().feed(data):
            self.sent.append((frame.type, frame.channel, json.loads(frame.header)))

    def send(
        self, frame_type: FrameType, channel: int, header: object, *, project: str = ""
    ) -> None:
        data = encode_frame(frame_type, channel, json.dumps(header).encode())
        self.send_bytes(data, project)

    def kinds(self) -> list[FrameType]:
        return [kind for kind, _, _ in self.sent]


class FakeProcess:
    """Plays a `SessionProcess`."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.attempt: Attempt | None = None
        self.unread_output: list[str] = []
        self.unread_frames: list[RawFrame] = []
        self.unread_bytes = 0
        self.holds = Hold(0)

    def hold(self, reason: Hold) -> None:
        self.holds |= reason

    def let_go(self, reason: Hold) -> None:
        self.holds &= ~reason

    def send(self, data: bytes) -> None:
        self.received.append(data)

    def drain_socket(self, most_reads: int = 0) -> None:
        del most_reads
        assert self.attempt is not None
        for frame in self.unread_frames:
            self.attempt.frame_sent(frame)

    def drain_output(self) -> None:
        assert self.attempt is not None
        if self.unread_output:
            self.attempt.lines_written("stdout", self.unread_output)


class FakeSource:
    """Plays a zygote."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def release(self, process: SessionProcess) -> None:
        del process
        self.calls.append("release")

    def retire(self, process: SessionProcess, within_s: float) -> None:
        del process, within_s
        self.calls.append("retire")

    def terminate(self, process: SessionProcess) -> None:
        del process
        self.calls.append("terminate")

    def ask_stack(self, process: SessionProcess) -> None:
        del process
        self.calls.append("ask stack")

    def dump_stack(self, process: SessionProcess) -> None:
        del process
        self.calls.append("dump stack")

    def kill(self, process: SessionProcess) -> None:
        del process
        self.calls.append("kill")


class Stage:
    """An attempt and everybody around it."""

    def __init__(self, **fields: Any) -> None:
        request = StartRequest(
            **{
                "build_id": "bld_1",
                "project": "demo",
                "reuse": False,
                "memory_limit_bytes": 0,
                "log_limit_lines": 0,
                "log_limit_bytes": 0,
                **fields,
            }
        )
        self.link = FakeLink()
        self.process = FakeProcess()
        self.source = FakeSource()
        self.ended: list[Attempt] = []
        self.attempt = Attempt(
            a_frame(FrameType.START, {}, channel=5),
            request,
            link=self.link,
            now=lambda: 1.0,
            on_ended=self.ended.append,
        )
        self.process.attempt = self.attempt

    def give_process(self) -> None:
        # The attempt only calls what `FakeProcess` has.
        self.attempt.process_found(self.source, cast("SessionProcess", self.process))

    def exits(self) -> list[dict[str, Any]]:
        return [header for kind, _, header in self.link.sent if kind is FrameType.EXITED]


def a_frame(kind: FrameType, header: dict[str, Any], *, channel: int = 0) -> RawFrame:
    (frame,) = FrameCutter().feed(encode_frame(kind, channel, json.dumps(header).encode()))
    return frame


async def test_frames_that_come_before_the_process_are_kept_for_it_in_order() -> None:
    stage = Stage()
    stage.attempt.pass_on(a_frame(FrameType.JOURNAL, {"last": True}, channel=5))

    stage.give_process()
    stage.attempt.pass_on(a_frame(FrameType.ACK, {"n": 1}, channel=5))

    frames = [frame for data in stage.process.received for frame in FrameReader().feed(data)]
    assert [(frame.type, frame.channel) for frame in frames] == [
        (FrameType.START, 0),
        (FrameType.JOURNAL, 0),
        (FrameType.ACK, 0),
    ]


async def test_output_written_before_the_end_is_passed_on_before_it() -> None:
    stage = Stage()
    stage.give_process()
    stage.process.unread_output = ["last words"]

    stage.attempt.frame_sent(a_frame(FrameType.DONE, {"ok": True, "dirty": None}))

    assert stage.link.kinds() == [FrameType.LOG, FrameType.DONE, FrameType.EXITED]
    assert {channel for _, channel, _ in stage.link.sent} == {5}


@pytest.mark.parametrize(
    ("reuse", "kind", "header", "call"),
    [
        (True, FrameType.DONE, {"dirty": None}, "release"),
        (True, FrameType.DONE, {"dirty": "a thread"}, "retire"),
        (True, FrameType.DONE, {}, "retire"),
        (True, FrameType.SUSPEND, {"dirty": None}, "retire"),
        (False, FrameType.DONE, {"dirty": None}, "retire"),
    ],
)
async def test_only_a_clean_process_in_reuse_mode_is_used_again(
    reuse: bool, kind: FrameType, header: dict[str, Any], call: str
) -> None:
    stage = Stage(reuse=reuse)
    stage.give_process()

    stage.attempt.frame_sent(a_frame(kind, header))

    assert stage.source.calls == [call]


async def test_whatever_happens_after_the_end_exited_is_sent_once() -> None:
    stage = Stage()
    stage.give_process()

    stage.attempt.frame_sent(a_frame(FrameType.DONE, {"dirty": None}))
    stage.attempt.frame_sent(a_frame(FrameType.DONE, {"dirty": None}))
    stage.attempt.socket_closed()
    stage.attempt.process_ended(1, None)
    stage.attempt.start_failed("late")

    assert len(stage.exits()) == 1
    assert stage.ended == [stage.attempt]


async def test_a_process_that_dies_unheard_failed_to_start_only_with_the_status_for_that() -> None:
    stage = Stage()
    stage.give_process()
    stage.attempt.lines_written("stderr", ["Traceback", "OSError: disk full"])

    stage.attempt.process_ended(97, None)

    assert stage.exits()[0]["reason"] == "start_failed"
    assert stage.exits()[0]["detail"] == "OSError: disk full"


async def test_a_session_may_exit_with_any_status_of_its_own() -> None:
    stage = Stage()
    stage.give_process()
    stage.attempt.frame_sent(a_frame(FrameType.STARTED, {}))

    stage.attempt.process_ended(97, None)

    assert (stage.exits()[0]["reason"], stage.exits()[0]["status"]) == ("exited", 97)


async def test_a_polite_stop_is_passed_on_and_signalled() -> None:
    stage = Stage()
    stage.give_process()

    stage.attempt.stop(a_frame(FrameType.STOP, {"force": False, "grace_s": 60}, channel=5))

    assert stage.source.calls == ["terminate"]
    assert b'"force"' in stage.process.received[-1]
    stage.attempt.process_ended(0, None)  # ends the timer


@pytest.mark.parametrize(
    "kind", [FrameType.START, FrameType.HELLO, FrameType.EXITED, FrameType.ACK]
)
async def test_a_process_that_sends_frames_of_others_is_killed(kind: FrameType) -> None:
    stage = Stage()
    stage.give_process()

    stage.attempt.frame_sent(a_frame(kind, {}))

    assert stage.source.calls == ["kill"]
    assert stage.link.sent == []


async def test_a_process_that_sends_a_huge_header_is_killed() -> None:
    stage = Stage()
    stage.give_process()
    size = 16 * 1024 * 1024 + 1

    stage.attempt.frame_sent(RawFrame(FrameType.LOG, 0, size, b" " * size))

    assert stage.source.calls == ["kill"]
    assert stage.link.sent == []


def test_the_host_reads_of_a_start_what_it_needs() -> None:
    request = read_start(
        b'{"build":"bld_7","project":"demo","process":"reuse","memory_limit_bytes":5,"x":1}'
    )

    assert request == StartRequest(
        build_id="bld_7",
        project="demo",
        reuse=True,
        memory_limit_bytes=5,
        log_limit_lines=0,
        log_limit_bytes=0,
    )


@pytest.mark.parametrize(
    ("status", "signal", "reason"),
    [(None, 9, "killed"), (None, None, "killed"), (3, None, "exited")],
)
async def test_a_process_counts_as_killed_only_if_it_did_not_exit_before(
    status: int | None, signal: int | None, reason: str
) -> None:
    stage = Stage()
    stage.give_process()
    stage.attempt.stop(a_frame(FrameType.STOP, {"force": True}, channel=5))

    stage.attempt.process_ended(status, signal)

    assert stage.exits()[0]["reason"] == reason


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"{}",
        b'{"build":"b","log_limit_lines":"x"}',
        b"[" * 5000,
    ],
)
def test_a_start_that_cannot_be_read_is_refused_with_a_reason(header: bytes) -> None:
    with pytest.raises(StartUnreadableError, match="cannot read what the service sent"):
        read_start(header)


@pytest.mark.parametrize(
    "event", [rb'"\ud83d"', rb'{"\ude00":1}', b"9" * 400, b'"\xff"', b"[" * 250 + b"]" * 250]
)
def test_whatever_an_event_holds_the_host_reads_its_start(event: bytes) -> None:
    assert read_start(b'{"build":"bld_7","event":{"data":%s}}' % event).build_id == "bld_7"


async def test_an_end_that_nobody_has_read_yet_counts_when_the_grace_is_over() -> None:
    stage = Stage()
    stage.give_process()
    stage.process.unread_frames = [a_frame(FrameType.DONE, {"ok": True, "dirty": None})]

    stage.attempt.stop(a_frame(FrameType.STOP, {"force": False, "grace_s": 0}, channel=5))
    with anyio.fail_after(10):
        while not stage.ended:
            await anyio.lowlevel.checkpoint()

    assert stage.link.kinds() == [FrameType.DONE, FrameType.EXITED]
    assert stage.source.calls == ["terminate", "retire"]


@pytest.mark.parametrize("header", [b"{", b"[]", b'{"grace_s":"x"}', b'{"grace_s":1e999}'])
async def test_a_stop_that_cannot_be_read_stops_all_the_same(header: bytes) -> None:
    stage = Stage()
    stage.give_process()
    (frame,) = FrameCutter().feed(encode_frame(FrameType.STOP, 5, header))

    stage.attempt.stop(frame)

    assert stage.source.calls[0] == "terminate"


async def test_a_process_asked_where_it_hangs_answers_once() -> None:
    stage = Stage()
    stage.give_process()
    answer = a_frame(FrameType.STACK_TAKEN, {"stacks": []})

    stage.attempt.frame_sent(answer)  # nobody asked
    for _ in range(3):
        stage.attempt.take_stack()
    for _ in range(3):
        stage.attempt.frame_sent(answer)
    stage.attempt.stack_dumped("late")

    assert stage.source.calls == ["ask stack"]
    assert stage.link.kinds() == [FrameType.STACK_TAKEN]


async def test_a_process_that_cannot_answer_is_looked_at_by_python() -> None:
    stage = Stage()
    stage.give_process()
    dump = (
        'Current thread 0x1 (most recent call first):\n  File "/work/1/project/a.py", line 7 in f\n'
    )

    stage.attempt.take_stack()
    stage.attempt.stack_dumped(dump)

    [(kind, channel, header)] = stage.link.sent
    assert (kind, channel) == (FrameType.STACK_TAKEN, 5)
    assert header["dump"] is True
    assert header["stacks"] == [["thread", "MainThread", [["a.py", 7, "f", ""]]]]


async def test_an_attempt_without_a_process_is_not_asked_where_it_hangs() -> None:
    stage = Stage()

    stage.attempt.take_stack()
    stage.attempt.stack_dumped("")

    assert stage.link.kinds() == []


def _broken_by(stage: Stage, frame: RawFrame) -> bool:
    stage.attempt.frame_sent(frame)
    return stage.source.calls == ["kill"]


async def test_a_second_started_ends_the_attempt() -> None:
    stage = Stage()
    stage.give_process()
    stage.attempt.frame_sent(a_frame(FrameType.STARTED, {}))

    assert _broken_by(stage, a_frame(FrameType.STARTED, {}))
    stage.attempt.process_ended(None, 9)
    assert "a second STARTED" in stage.exits()[0]["detail"]


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (FrameType.STARTED, 2_000),
        (FrameType.LOG, 3 * 1024 * 1024),
        (FrameType.CALL, 17 * 1024 * 1024),
        (FrameType.APPEND, 17 * 1024 * 1024),
        (FrameType.DONE, 17 * 1024 * 1024),
    ],
)
async def test_a_header_larger_than_its_kind_needs_ends_the_attempt(
    kind: FrameType, size: int
) -> None:
    stage = Stage()
    stage.give_process()

    assert _broken_by(stage, a_frame(kind, {"x": "x" * size}))
    stage.attempt.process_ended(None, 9)
    assert kind.name in stage.exits()[0]["detail"]


@pytest.mark.parametrize("kind", [FrameType.STARTED, FrameType.LOG, FrameType.CALL])
async def test_a_payload_where_there_is_none_ends_the_attempt(kind: FrameType) -> None:
    (frame,) = FrameCutter().feed(encode_frame(kind, 0, b"{}", b"x"))
    stage = Stage()
    stage.give_process()

    assert _broken_by(stage, frame)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in FrameType if kind.value < FrameType.APPEND or kind is FrameType.EXITED],
)
async def test_a_frame_that_only_others_send_ends_the_attempt(kind: FrameType) -> None:
    stage = Stage()
    stage.give_process()

    assert _broken_by(stage, a_frame(kind, {}))


async def test_many_frames_at_once_hold_the_process_back_and_are_not_lost() -> None:
    stage = Stage()
    stage.give_process()

    sent = 0
    while not stage.process.holds:
        stage.attempt.frame_sent(a_frame(FrameType.LOG, {"r": []}))
        sent += 1

    assert stage.process.holds == Hold.BUDGET
    assert len(stage.link.sent) == sent
    assert stage.source.calls == []


async def test_much_output_holds_the_process_back() -> None:
    stage = Stage()
    stage.give_process()

    while not stage.process.holds:
        stage.attempt.lines_written("stdout", ["y"] * 1_000)

    assert stage.process.holds == Hold.BUDGET


async def test_calls_without_an_answer_hold_the_process_back_until_they_have_one() -> None:
    stage = Stage()
    stage.give_process()
    asked = 0
    while not stage.process.holds:
        stage.attempt.frame_sent(a_frame(FrameType.CALL, {"n": asked}))
        asked += 1

    held = stage.process.holds
    for number in range(asked):
        stage.attempt.pass_on(a_frame(FrameType.REPLY, {"n": number}, channel=5))

    assert held == Hold.CALLS
    assert stage.process.holds == Hold(0)


async def test_who_does_not_read_what_it_asked_for_is_ended() -> None:
    stage = Stage()
    stage.give_process()
    stage.attempt.frame_sent(a_frame(FrameType.STARTED, {}))
    stage.process.unread_bytes = 65 * 1024 * 1024

    stage.attempt.pass_on(a_frame(FrameType.REPLY, {"n": 1}, channel=5))

    assert stage.source.calls == ["kill"]


async def test_the_end_of_an_attempt_lets_its_process_go() -> None:
    stage = Stage(reuse=True)
    stage.give_process()
    while not stage.process.holds:
        stage.attempt.lines_written("stdout", ["y"] * 1_000)
    stage.attempt.flow.hold_for_link()

    stage.attempt.frame_sent(a_frame(FrameType.DONE, {"dirty": None}))

    assert stage.process.holds == Hold(0)


async def test_a_large_frame_waits_for_room_and_gives_it_back() -> None:
    stage = Stage()
    stage.give_process()
    others = [stage.link.large.ask("demo", 64 * 1024 * 1024, lambda: None) for _ in range(2)]

    stage.attempt.frame_announced(64 * 1024 * 1024)
    waiting = stage.process.holds
    stage.link.large.release(others[0])
    granted = stage.process.holds
    stage.attempt.frame_whole()

    assert (waiting, granted) == (Hold.ROOM, Hold(0))
    assert stage.link.large.ask("demo", 64 * 1024 * 1024, lambda: None).is_granted
